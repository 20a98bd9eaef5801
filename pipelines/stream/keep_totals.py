"""The step that writes: adds shares to totals and writes these to the store. Its pure half is `totals.py`."""

import pickle
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.userstate import on_timer

from pipelines.stream import settings as s
from pipelines.stream.kept import Kept, State, append, changed, kept
from pipelines.stream.sink import Sink
from pipelines.stream.states import ARMED_OF, KEY, SEGMENTS_OF, TOKEN_OF, WRITE_DUE, WRITE_TIMER
from pipelines.stream.totals import QuarantineRow, Share, Totals, portions_of
from pipelines.stream.waiting import WRITE_SECONDS, Waiting, next_multiple


class KeepTotals(beam.DoFn):
    """Adds shares to absolute totals in state and writes these to the store, in one transaction a bundle."""

    def __init__(self, settings: s.StreamSettings) -> None:
        self._settings = settings
        self._written = Metrics.counter("stream", "cells written")
        self._milliseconds = Metrics.distribution("stream", "write milliseconds")
        self._turned_away: dict[str, list[QuarantineRow]] = {}
        # `_wanted` are the totals to be written; of those in `_held`, only the rows turned away need to be.
        self._held: dict[str, Totals] = {}
        self._wanted: dict[str, Totals] = {}
        self._sink: Sink

    def setup(self) -> None:
        """Opens the worker's sink."""
        self._sink = Sink.of(self._settings)

    def start_bundle(self) -> None:
        """Clears what the previous bundle was to write."""
        self._turned_away, self._held, self._wanted = {}, {}, {}

    def process(
        self,
        element: tuple[int, bytes],
        segments: Any = SEGMENTS_OF,
        token: Any = TOKEN_OF,
        armed: Any = ARMED_OF,
        timer: Any = WRITE_TIMER,
    ) -> None:
        """Adds shares; those that need not wait are written with this bundle, others when the timer fires."""
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
        """Marks the totals that have waited to be written with this bundle."""
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
        """Writes the totals and the rejected rows that this bundle marked."""
        totals = {**self._held, **self._wanted}
        if not totals:
            return
        begin = time.monotonic()
        # Rows turned away are kept nowhere else, so they are written now; totals can wait, except a worker's first.
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
