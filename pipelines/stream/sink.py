"""Writes totals to the ledger, in one transaction a bundle, and rejections to each owner's own topic."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.log.producing import Producer
from pipelines.log.topics import rejected_topic, topic_of
from pipelines.store import Portion, Store, StoreError, StoreMissing
from pipelines.stream.positions import Positions
from pipelines.stream.settings import StreamSettings, gone, log_of, store_of, written_of
from pipelines.stream.totals import NO_SOURCE, Totals

# How long the store may be unreachable, for example during a restart, before the job itself fails and is restarted.
PATIENCE_SECONDS: Final = 60.0
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
REJECTED: Final = "REJECTED"
LIFTED: Final = "LIFTED"
LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message in an owner's topic of rejections.

    `records` is the number now rejected for that reason: by validation at that provenance, or in all by the history
    rules (then `provenance` is empty, and a later arrival may lift it). Messages may come twice; the newest counts.
    """

    owner: str
    status: str
    record_type: str
    reason_code: str
    sentence: str
    provenance: str
    records: int

    def message(self) -> bytes:
        """Returns the notice as JSON."""
        names = ("status", "record_type", "reason_code", "sentence", "provenance", "records")
        return json.dumps({name: getattr(self, name) for name in names}).encode()


def notices(portion: Portion, told: Callable[[str, str], int]) -> Iterator[Notice]:
    """Yields an owner's notices for a portion; `told` returns the number last reported for a record type and reason."""
    for owner, record, reason, sentence, provenance, rows in portion.quarantined.iter_rows():
        yield Notice(owner, REJECTED, record, reason, sentence, provenance, rows)
    for owner, record, reason, sentence, _, rows in portion.rejections.iter_rows():
        before = told(record, reason)
        if rows != before:
            yield Notice(owner, REJECTED if rows > before else LIFTED, record, reason, sentence, "", rows)


class Sink:
    """The store of one stream's run, and the log that its rejections go to."""

    def __init__(self, run_id: str, store: Store, producer: Producer, written: Positions) -> None:
        self._run_id = run_id
        self._store = store
        self._producer = producer
        self._positions = written

    @classmethod
    def of(cls, settings: StreamSettings) -> "Sink":
        """Opens the store and the log that a stream's secrets name."""
        return cls(settings.run_id, store_of(settings), Producer(log_of(settings)), written_of(settings))

    def write(self, totals: Sequence[Totals], portions: Sequence[Portion]) -> dict[str, int]:
        """Writes the portions of totals to the store, sends their notices and returns each key's fencing number.

        Waits for an unreachable store; raises StoreError if it stays so, and Fenced if a newer worker writes.
        """
        fences = self._written(portions)
        for one, portion in zip(totals, portions, strict=True):
            if portion.key != NO_SOURCE:
                for notice in notices(portion, one.told):
                    self._producer.send(rejected_topic(portion.key), notice.provenance.encode(), notice.message(), [])
        self._producer.flush()
        return fences

    def note(self, totals: Totals) -> None:
        """Notes up to which offsets the totals are in the store, to be committed to the log now and then."""
        for partition, offset in totals.read.items():
            self._positions.note(topic_of(totals.key), partition, offset)

    def _written(self, portions: Sequence[Portion]) -> dict[str, int]:
        begin, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                return self._store.write_portions(self._run_id, portions)
            except StoreError as error:
                if time.monotonic() - begin > PATIENCE_SECONDS:
                    raise (gone(self._store.name) if isinstance(error, StoreMissing) else error) from error
                LOG.warning("Writing again in %.1f s: %s", pause, error)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
