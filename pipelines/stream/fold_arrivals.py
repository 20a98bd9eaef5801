"""The step that counts: turns events by shard into shares of what they change. Its pure half is `pipelines/fold.py`.

`waiting.py` says how long events wait in state to be counted together.
"""

import pickle
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import apache_beam as beam
import polars as pl
from apache_beam.metrics import Metrics
from apache_beam.transforms.userstate import on_timer
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.events.conservation import BalanceBroken
from pipelines.fold import Counted, added, fold
from pipelines.history.copies import distinct
from pipelines.stream import settings as s
from pipelines.stream.dealing import shard_of_key
from pipelines.stream.history import Histories, by_meters
from pipelines.stream.kept import Kept, State, append, changed, kept
from pipelines.stream.packing import in_segments, joined, unpack
from pipelines.stream.states import (
    ARRIVED_OF,
    FOLD_DUE,
    FOLD_TIMER,
    KEY,
    SEGMENTS_OF,
    TOKEN_OF,
    in_global_window,
)
from pipelines.stream.totals import dealt, shares_of_fold
from pipelines.stream.waiting import BRISK_SECONDS, LONGEST, Waiting

# The most packed events to unpack at once: an event takes some 30 bytes packed and 300 unpacked.
MOST_BYTES: Final = 12_000_000
SWITCH_SECONDS: Final = 0.0005


class FoldArrivals(beam.DoFn):
    """Turns events by shard into shares of what they change. Counts once a bundle, whatever the number of shards."""

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
        """Opens the histories that all steps of a worker share."""
        # Each answer of Flink passes through two threads, and a third, busy one would delay both by 5 ms.
        sys.setswitchinterval(SWITCH_SECONDS)
        self._histories = s.histories_of(self._settings)

    def start_bundle(self) -> None:
        """Clears what the previous bundle held."""
        self._come, self._bytes, self._wait, self._counted, self._named = {}, 0, LONGEST, [], set()

    def process(
        self,
        element: tuple[int, tuple[float, bytes]],
        segments: Any = SEGMENTS_OF,
        token: Any = TOKEN_OF,
        arrived: Any = ARRIVED_OF,
        timer: Any = FOLD_TIMER,
    ) -> None:
        """Adds live events to the history at once; keeps others in state until the timer fires."""
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
        """Adds the waiting events to the history, or sets the timer again while more may still arrive."""
        shard, state = shard_of_key(key, self._settings.shards), State(segments, token)
        history = self._history(shard, state, arrived)
        if history.waits and not history.waits.is_over():
            timer.set(history.waits.next_look())
        else:
            self._take(shard, history, state, arrived, [])

    def _history(self, shard: int, state: State, arrived: Any) -> Kept[Histories]:
        history = kept((self._settings.run_id, "fold", shard), state, lambda found: self._loaded(shard, found))
        # Every read of a state waits for Flink's answer. While the token is unchanged, `waits` is known without a read.
        if history.waits is None:
            history.waits = Waiting.of(LONGEST) if any(True for _ in arrived.read()) else Waiting()
        return history

    def _take(self, shard: int, history: Kept[Histories], state: State, arrived: Any, packed: list[bytes]) -> None:
        """Writes the arrived events to the state; they join the histories when the bundle is counted."""
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
        """Yields the shares of all that the bundle's events change."""
        self._count()
        if not self._counted:
            return
        counted = self._counted[0] if len(self._counted) == 1 else added(self._counted)
        wait = self._wait if self._wait > BRISK_SECONDS else 0.0
        for key, some in dealt(shares_of_fold(counted, self._named, wait)).items():
            yield in_global_window((key, pickle.dumps(some)))
        self._counted = []

    def _count(self) -> None:
        if not self._come:
            return
        begin = time.monotonic()
        arrived = distinct(unpack(data for packed in self._come.values() for data in packed))
        self._come, self._bytes = {}, 0
        for part in by_meters(arrived):
            folded = fold(self._histories.grow(part), part)
            records = int(part["copies"].sum())
            _require_balance(folded.deltas, records)
            self._counted.append(folded.deltas)
            self._named.update(folded.history["source"].unique().to_list())
            self._events.inc(records)
        self._milliseconds.update(int((time.monotonic() - begin) * 1000))


def _require_balance(counted: Counted, records: int) -> None:
    """Raises BalanceBroken unless a fold accounts for every record that it was given; Flink then retries the job."""
    accounted = int(counted.intake["records"].sum())
    if accounted != records:
        raise BalanceBroken(
            f"A fold of {records:,} records accounts for {accounted:,}; this is a fault of the program, and nothing of "
            "the fold was written."
        )
