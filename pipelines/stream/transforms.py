"""The Beam half of the stream's steps: what is keyed, kept in state and armed; the pure halves do the work.

How long events wait in state to be counted together is said in `waiting.py`.
"""

import pickle
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

import apache_beam as beam
import polars as pl
from apache_beam.coders import BooleanCoder, BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from expectations.run import Checker
from pipelines import validate
from pipelines.block import BLOCK_ROWS
from pipelines.conservation import BalanceBroken
from pipelines.fold import Counted, added, change
from pipelines.history.copies import distinct
from pipelines.log.message import SYNTHETIC_HEADER, Message
from pipelines.outcome import Outcome, of_losses, of_verdict
from pipelines.pseudonym import Key
from pipelines.source.messages import form
from pipelines.stream import settings as s
from pipelines.stream.dealing import keys_of, shard_of_key
from pipelines.stream.history import Histories, by_meters
from pipelines.stream.kept import Kept, State, append, changed, kept
from pipelines.stream.packing import in_segments, joined, pack_by_shard, unpack
from pipelines.stream.positions import Positions
from pipelines.stream.sink import Sink
from pipelines.stream.totals import (
    QuarantineRow,
    Share,
    Totals,
    dealt,
    portions_of,
    shares_of_fold,
    shares_of_outcome,
    with_offsets,
)
from pipelines.stream.waiting import BRISK_SECONDS, LONGEST, WRITE_SECONDS, Waiting, next_multiple, wait_of

TO_TOTALS: Final = "totals"
# Packed events unpacked in one go, some 30 bytes each, 300 unpacked.
MOST_BYTES: Final = 12_000_000
SWITCH_SECONDS: Final = 0.0005
# Messages held before they are validated, by their bytes: about two blocks' worth.
HELD_BYTES: Final = 16_000_000


def _global(value: Any) -> WindowedValue:
    return WindowedValue(value, GlobalWindow().max_timestamp(), (GlobalWindow(),))


def message_of(record: Any) -> Message:
    """A record of Beam's Kafka source as a message."""
    marked = False
    for header in record.headers or ():
        marked = marked or (header.key == SYNTHETIC_HEADER and header.value == b"true")
    return Message(record.topic, record.partition, record.offset, record.timestamp, record.value, marked)


class TakeMessages(beam.DoFn):
    """Messages of a bundle to accepted events by shard; what became of the records goes to their owner's totals."""

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
        """Great Expectations is imported once a worker."""
        self._positions = s.positions_of(self._settings)
        self._key = s.key_of(self._settings)
        self._checker = Checker()

    def start_bundle(self) -> None:
        """Nothing is held at first."""
        self._held, self._bytes = [], 0

    def process(self, element: Any) -> Iterator[Any]:
        """Holds the message; a long bundle is judged in parts."""
        self._held.append(message_of(element))
        self._bytes += len(element.value or b"")
        if self._bytes > HELD_BYTES or len(self._held) >= BLOCK_ROWS:
            yield from self._judged()

    # Beam takes what finish_bundle yields; its own annotation says None.
    def finish_bundle(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Judges what is held."""
        for output in self._judged():
            if isinstance(output, TaggedOutput):
                yield TaggedOutput(output.tag, _global(output.value))
            else:
                yield _global(output)

    def _judged(self) -> list[Any]:
        if not self._held:
            return []
        begin, messages = time.monotonic(), self._held
        self._held, self._bytes = [], 0
        newest = {(message.topic, message.partition): message.offset for message in messages}
        for (topic, partition), offset in newest.items():
            self._positions.note(topic, partition, offset)
        formed = form(messages)
        verdict = validate.judge(formed.blocks, self._key, self._checker.check_records)
        outcome = Outcome.of([of_verdict(verdict), of_losses(formed.losses)])
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


SEGMENTS: Final = BagStateSpec("segments", BytesCoder())
TOKEN: Final = ReadModifyWriteStateSpec("token", BytesCoder())
ARRIVED: Final = BagStateSpec("arrived", BytesCoder())
ARMED: Final = ReadModifyWriteStateSpec("armed", BooleanCoder())
# A timer's specification also holds what is called when it fires, so each step has its own.
FOLD_DUE: Final = TimerSpec("fold due", TimeDomain.REAL_TIME)
WRITE_DUE: Final = TimerSpec("write due", TimeDomain.REAL_TIME)
# Beam finds states, the timer and the key by these defaults.
SEGMENTS_OF: Any = beam.DoFn.StateParam(SEGMENTS)
TOKEN_OF: Any = beam.DoFn.StateParam(TOKEN)
ARRIVED_OF: Any = beam.DoFn.StateParam(ARRIVED)
ARMED_OF: Any = beam.DoFn.StateParam(ARMED)
FOLD_TIMER: Any = beam.DoFn.TimerParam(FOLD_DUE)
WRITE_TIMER: Any = beam.DoFn.TimerParam(WRITE_DUE)
KEY: Any = beam.DoFn.KeyParam


class FoldShards(beam.DoFn):
    """Events by shard to the shares of what they change. One count a bundle, whatever the number of shards."""

    def __init__(self, settings: s.StreamSettings) -> None:
        self._settings = settings
        self._events = Metrics.counter("stream", "events counted")
        self._milliseconds = Metrics.distribution("stream", "fold milliseconds")
        self._state_bytes = Metrics.distribution("stream", "state bytes a shard")
        self._histories: Histories
        self._come: dict[int, list[bytes]] = {}
        self._bytes = 0
        self._wait = LONGEST
        self._counted: list[Counted] = []
        self._named: set[int] = set()

    def setup(self) -> None:
        """The histories are a worker's."""
        # Each answer of Flink passes through two threads, and a busy third one would hold up both for 5 ms.
        sys.setswitchinterval(SWITCH_SECONDS)
        self._histories = s.histories_of(self._settings)

    def start_bundle(self) -> None:
        """Nothing is held at first."""
        self._come, self._bytes, self._wait, self._counted, self._named = {}, 0, LONGEST, [], set()

    def process(
        self,
        element: tuple[int, tuple[float, bytes]],
        segments: Any = SEGMENTS_OF,
        token: Any = TOKEN_OF,
        arrived: Any = ARRIVED_OF,
        timer: Any = FOLD_TIMER,
    ) -> None:
        """Takes live events into the history at once; others wait for the timer."""
        key, (wait, packed) = element
        shard, state = shard_of_key(key, self._settings.shards), State(segments, token)
        history = self._history(shard, state, arrived)
        if not wait:
            self._wait = 0.0
            self._take(shard, history, state, arrived, [packed])
            return
        arrived.add(packed)
        if not history.waits or wait < history.waits.seconds:
            history.waits = Waiting.of(wait)
            changed(history, state)
            timer.set(history.waits.next_look())
        history.waits.more_has_come(len(packed))

    @on_timer(FOLD_DUE)
    def due(
        self,
        key: int = KEY,
        segments: Any = SEGMENTS_OF,
        token: Any = TOKEN_OF,
        arrived: Any = ARRIVED_OF,
        timer: Any = FOLD_TIMER,
    ) -> None:
        """Takes what has waited for long enough."""
        shard, state = shard_of_key(key, self._settings.shards), State(segments, token)
        history = self._history(shard, state, arrived)
        if history.waits and not history.waits.is_over():
            timer.set(history.waits.next_look())
        else:
            self._take(shard, history, state, arrived, [])

    def _history(self, shard: int, state: State, arrived: Any) -> Kept[Histories]:
        history = kept((self._settings.run_id, "fold", shard), state, lambda found: self._loaded(shard, found))
        # Every look at a state waits for Flink's answer; so one at the token tells of all that the worker remembers.
        if history.waits is None:
            history.waits = Waiting.of(LONGEST) if any(True for _ in arrived.read()) else Waiting()
        return history

    def _take(self, shard: int, history: Kept[Histories], state: State, arrived: Any, packed: list[bytes]) -> None:
        """What has come is in the state at once, and in the histories when the bundle is counted."""
        come = [data for data in (*(arrived.read() if history.waits else ()), *packed) if data]
        if not come:
            return
        if history.waits:
            self._wait = min(self._wait, history.waits.seconds)
            history.waits = Waiting()
            arrived.clear()
        self._come.setdefault(shard, []).extend(come)
        append(history, state, joined(come), lambda: self._whole(shard))
        self._state_bytes.update(history.size)
        self._bytes += sum(map(len, come))
        if self._bytes > MOST_BYTES:
            self._count()

    def _loaded(self, shard: int, packed: Iterable[bytes]) -> Histories:
        self._histories.replace(shard, distinct(unpack(packed)))
        return self._histories

    def _whole(self, shard: int) -> list[bytes]:
        return in_segments(distinct(pl.concat([self._histories.since_baseline(shard), unpack(self._come[shard])])))

    def finish_bundle(self) -> Iterator[WindowedValue]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The shares of all that the bundle's events change."""
        self._count()
        if not self._counted:
            return
        counted = self._counted[0] if len(self._counted) == 1 else added(self._counted)
        wait = self._wait if self._wait > BRISK_SECONDS else 0.0
        for key, some in dealt(shares_of_fold(counted, self._named, wait)).items():
            yield _global((key, pickle.dumps(some)))
        self._counted = []

    def _count(self) -> None:
        if not self._come:
            return
        begin = time.monotonic()
        arrived = distinct(unpack(data for packed in self._come.values() for data in packed))
        self._come, self._bytes = {}, 0
        for part in by_meters(arrived):
            before = self._histories.grow(part)
            after = distinct(pl.concat([before, part]))
            counted = change(before, after)
            records = int(part["copies"].sum())
            _require_balance(counted, records)
            self._counted.append(counted)
            self._named.update(after["source"].unique().to_list())
            self._events.inc(records)
        self._milliseconds.update(int((time.monotonic() - begin) * 1000))


def _require_balance(counted: Counted, records: int) -> None:
    """Raises BalanceBroken unless a fold accounts for every record that it was given; the job is then tried again."""
    accounted = int(counted.intake["records"].sum())
    if accounted != records:
        raise BalanceBroken(
            f"A fold of {records:,} records accounts for {accounted:,}; this is a fault of the program, and nothing of "
            "the fold was written."
        )


class KeepTotals(beam.DoFn):
    """Shares to absolute totals in state, and these to the store: one transaction a bundle."""

    def __init__(self, settings: s.StreamSettings) -> None:
        self._settings = settings
        self._written = Metrics.counter("stream", "cells written")
        self._milliseconds = Metrics.distribution("stream", "write milliseconds")
        self._turned_away: dict[str, list[QuarantineRow]] = {}
        # Totals that are to be written, and those of which only what was turned away is.
        self._held: dict[str, Totals] = {}
        self._wanted: dict[str, Totals] = {}
        self._sink: Sink

    def setup(self) -> None:
        """One sink a worker."""
        self._sink = Sink.of(self._settings)

    def start_bundle(self) -> None:
        """Nothing is to be written at first."""
        self._turned_away, self._held, self._wanted = {}, {}, {}

    def process(
        self,
        element: tuple[int, bytes],
        segments: Any = SEGMENTS_OF,
        token: Any = TOKEN_OF,
        armed: Any = ARMED_OF,
        timer: Any = WRITE_TIMER,
    ) -> None:
        """Adds shares; they are written with this bundle, or by the timer where no one waits for them."""
        key, data = element
        state, shares = State(segments, token), pickle.loads(data)  # noqa: S301 - our own step made it
        kept_totals = self._totals(key, state, armed)
        for source, share in shares.items():
            totals = _added(kept_totals.value, source, share)
            if share.quarantined:
                self._turned_away.setdefault(source, []).extend(share.quarantined)
                self._held[source] = totals
            if not share.wait:
                self._wanted[source] = totals
        wait = max(share.wait for share in shares.values())
        if wait and not kept_totals.waits:
            kept_totals.waits = Waiting(wait)
            armed.write(True)
            timer.set(next_multiple(min(wait, WRITE_SECONDS)))
        if any(share.quarantined for share in shares.values()):
            data = pickle.dumps({source: replace(share, quarantined=()) for source, share in shares.items()})
        append(kept_totals, state, [data], lambda: [_packed(kept_totals.value)])

    @on_timer(WRITE_DUE)
    def due(self, key: int = KEY, segments: Any = SEGMENTS_OF, token: Any = TOKEN_OF, armed: Any = ARMED_OF) -> None:
        """What has waited is to be written with this bundle."""
        state = State(segments, token)
        kept_totals = self._totals(key, state, armed)
        self._wanted.update((source, one) for source, one in kept_totals.value.items() if one.may_be_stale)
        armed.clear()
        kept_totals.waits = Waiting()
        changed(kept_totals, state)

    def _totals(self, key: int, state: State, armed: Any) -> Kept[dict[str, Totals]]:
        found = kept((self._settings.run_id, "totals", key), state, _loaded)
        if found.waits is None:
            found.waits = Waiting(WRITE_SECONDS if armed.read() else 0.0)
        return found

    def finish_bundle(self) -> None:
        """Writes what is wanted."""
        totals = {**self._held, **self._wanted}
        if not totals:
            return
        begin = time.monotonic()
        # Rows that were turned away are nowhere else; totals can wait, but for the first of a worker.
        wanted = {source for source, one in totals.items() if source in self._wanted or one.fence is None}
        due = [one.due(totals=source in wanted) for source, one in totals.items()]
        portions = portions_of(due, self._turned_away)
        fences = self._sink.write(list(totals.values()), portions)
        for source, one in totals.items():
            one.fence = fences[source]
            if source in wanted:
                self._sink.note(one)
                one.forget_changes()
        self._written.inc(sum(portion.cells.height for portion in portions))
        self._milliseconds.update(int((time.monotonic() - begin) * 1000))


def _loaded(packed: Iterable[bytes]) -> dict[str, Totals]:
    totals: dict[str, Totals] = {}
    for data in packed:
        for source, share in pickle.loads(data).items():  # noqa: S301 - our own step made it
            _added(totals, source, share)
    return totals


def _added(totals: dict[str, Totals], source: str, share: Share) -> Totals:
    one = totals.setdefault(source, Totals(source))
    one.add(share)
    return one


def _packed(totals: dict[str, Totals]) -> bytes:
    return pickle.dumps({source: one.as_share() for source, one in totals.items()})
