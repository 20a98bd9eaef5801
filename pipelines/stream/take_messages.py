"""The step that validates: turns messages into accepted events by shard. Its pure halves are `form` and `judge`."""

import pickle
import time
from collections.abc import Iterator
from typing import Any, Final

import apache_beam as beam
import polars as pl
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from expectations.run import Checker
from pipelines.events.block import BLOCK_ROWS
from pipelines.events.outcome import Outcome, of_losses
from pipelines.keys import Key
from pipelines.log.message import SYNTHETIC_HEADER, Message
from pipelines.source.messages import form
from pipelines.stream import settings as s
from pipelines.stream.dealing import keys_of
from pipelines.stream.packing import pack_by_shard
from pipelines.stream.positions import Positions
from pipelines.stream.states import in_global_window
from pipelines.stream.totals import dealt, shares_of_outcome, with_offsets
from pipelines.stream.waiting import wait_of
from pipelines.validation.validate import judge

TO_TOTALS: Final = "totals"
# Messages held before they are validated, by their bytes: about two blocks' worth.
HELD_BYTES: Final = 16_000_000


def message_of(record: Any) -> Message:
    """Converts a record of Beam's Kafka source to a message."""
    marked = False
    for header in record.headers or ():
        marked = marked or (header.key == SYNTHETIC_HEADER and header.value == b"true")
    return Message(record.topic, record.partition, record.offset, record.timestamp, record.value, marked)


class TakeMessages(beam.DoFn):
    """Turns a bundle's messages into accepted events by shard; all records' outcomes go to their owners' totals."""

    def __init__(self, settings: s.StreamSettings) -> None:
        self._settings = settings
        self._received = Metrics.counter("stream", "records received")
        self._rejected = Metrics.counter("stream", "records rejected")
        self._bundles = Metrics.distribution("stream", "messages a bundle")
        self._seconds = Metrics.distribution("stream", "validation milliseconds")
        self._held: list[Message] = []
        self._bytes = 0
        self._key: Key
        self._checker: Checker
        self._positions: Positions

    def setup(self) -> None:
        """Opens the positions and the key, and imports Great Expectations, once a worker."""
        self._positions = s.positions_of(self._settings)
        self._key = s.key_of(self._settings)
        self._checker = Checker()

    def start_bundle(self) -> None:
        """Clears the messages of the previous bundle."""
        self._held, self._bytes = [], 0

    def process(self, element: Any) -> Iterator[Any]:
        """Holds the message until the bundle ends; judges the held part of a long bundle at once."""
        self._held.append(message_of(element))
        self._bytes += len(element.value or b"")
        if self._bytes > HELD_BYTES or len(self._held) >= BLOCK_ROWS:
            yield from self._judged()

    # Beam takes what finish_bundle yields; its own annotation says None.
    def finish_bundle(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Judges the messages still held."""
        for output in self._judged():
            if isinstance(output, TaggedOutput):
                yield TaggedOutput(output.tag, in_global_window(output.value))
            else:
                yield in_global_window(output)

    def _judged(self) -> list[Any]:
        if not self._held:
            return []
        begin, messages = time.monotonic(), self._held
        self._held, self._bytes = [], 0
        newest = {(message.topic, message.partition): message.offset for message in messages}
        for (topic, partition), offset in newest.items():
            self._positions.note(topic, partition, offset)
        formed = form(messages)
        verdict = judge(formed.blocks, self._key, self._checker.check_records)
        outcome = Outcome.of([verdict.outcome, of_losses(formed.losses)])
        self._count(len(messages), outcome, begin)
        age = time.time() - max(message.received_at for message in messages) / 1000
        wait, keys = wait_of(age, verdict.accepted.height), keys_of(self._settings.shards)
        to_totals = with_offsets(shares_of_outcome(outcome, wait), newest, wait)
        return [
            *((keys[shard], (wait, packed)) for shard, packed in pack_by_shard(verdict.accepted, len(keys))),
            *(TaggedOutput(TO_TOTALS, (key, pickle.dumps(shares))) for key, shares in dealt(to_totals).items()),
        ]

    def _count(self, messages: int, outcome: Outcome, begin: float) -> None:
        by_status = outcome.intake.group_by("status").agg(pl.col("records").sum())
        counts = dict(by_status.iter_rows())
        self._received.inc(counts.get("received", 0))
        self._rejected.inc(counts.get("rejected", 0))
        self._bundles.update(messages)
        self._seconds.update(int((time.monotonic() - begin) * 1000))
