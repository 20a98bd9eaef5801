"""The histories of all of a worker's meters, in memory: found by meter, and extended by the events that arrive.

There are layers, each searched for the touched meters only: the snapshot that the stream goes on from (immutable, on
disk), runs of rows sorted by meter, the older the larger, and `recent`, the few unsorted rows that came last. Rows of
equal content may lie in several layers; reading merges them. All shards lie together, since a search costs about the
same for one meter as for hundreds.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import polars as pl

from pipelines.history.copies import distinct, empty_history, meters_of
from pipelines.shards.snapshot import Meters, occurs, places
from pipelines.shards.spilling import shard_of

# Scanning this number of unsorted rows costs about as much as one search in the sorted ones.
RECENT_ROWS: Final = 4_000
# Each search goes through all runs; a lower limit would mean sorting more often.
MOST_RUNS: Final = 8
# Runs of at least this number of rows stay as they are: sorting millions of rows again would delay all new events.
LARGE_ROWS: Final = 250_000
# Meters counted in one go; a count takes about a kilobyte a row of their histories while it lasts.
MOST_METERS: Final = 100_000


class Baseline(Protocol):
    """The history rows from before the stream, read for some meters at a time."""

    def rows_of(self, meters: Meters) -> pl.DataFrame:
        """Returns the history rows whose `meter_a` is one of the sorted, distinct numbers."""
        ...


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows sorted by meter, and the meters."""

    rows: pl.DataFrame
    meters: Meters

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "_Run":
        ordered = rows.sort("meter_a")
        return cls(ordered, ordered["meter_a"].to_numpy())

    def of_meters(self, meters: Meters) -> pl.DataFrame:
        found = places(self.meters, meters)
        # Selecting no rows from fifty columns would cost as much as selecting one.
        return self.rows[found] if len(found) else self.rows.clear()


@dataclass(slots=True)
class Histories:
    """The histories of the meters of some shards, by meter. Steps that run side by side may share one."""

    shards: int
    baseline: Baseline | None = None
    _runs: list[_Run] = field(default_factory=list)
    _recent: pl.DataFrame = field(default_factory=empty_history)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def grow(self, events: pl.DataFrame) -> pl.DataFrame:
        """Adds rows and returns their meters' whole histories as they were before, equal content in one row."""
        meters = np.unique(events["meter_a"].to_numpy())
        with self._alone:
            layers = [
                *(run.of_meters(meters) for run in self._runs),
                self._recent.filter(pl.Series(occurs(self._recent["meter_a"].to_numpy(), meters))),
            ]
            self._add(events)
        if self.baseline is not None:
            layers.append(self.baseline.rows_of(meters))
        found = distinct(pl.concat(layers))
        return found.join(meters_of(events), on=["meter_a", "meter_b"], how="semi") if found.height else found

    def replace(self, shard: int, rows: pl.DataFrame) -> None:
        """Replaces all rows of a shard since the baseline by these."""
        with self._alone:
            others = [layer.filter(~_of_shard(layer, shard, self.shards)) for layer in self._layers()]
            if sum(layer.height for layer in others) < sum(layer.height for layer in self._layers()):
                self._runs, self._recent = [], empty_history()
                self._add(pl.concat(others))
            self._add(rows)

    def since_baseline(self, shard: int) -> pl.DataFrame:
        """Returns all rows of a shard that came since the baseline, equal content in one row."""
        with self._alone:
            layers = [layer.filter(_of_shard(layer, shard, self.shards)) for layer in self._layers()]
        return distinct(pl.concat(layers))

    def _layers(self) -> list[pl.DataFrame]:
        return [*(run.rows for run in self._runs), self._recent]

    def _add(self, rows: pl.DataFrame) -> None:
        # In one chunk: every query of a frame of a hundred chunks of fifty columns is slow.
        self._recent = pl.concat([self._recent, rows], rechunk=True)
        if self._recent.height > RECENT_ROWS:
            self._runs.append(_Run.of(self._recent))
            self._recent = empty_history()
            self._merge()

    def _merge(self) -> None:
        """If there are too many small runs, merges the younger ones, and the oldest too unless it is twice as large."""
        large = [run for run in self._runs if run.rows.height >= LARGE_ROWS]
        oldest, *younger = [run for run in self._runs if run.rows.height < LARGE_ROWS] or [_Run.of(empty_history())]
        if len(younger) >= MOST_RUNS:
            rows = pl.concat([run.rows for run in younger])
            if oldest.rows.height < 2 * rows.height:
                self._runs = [*large, _Run.of(distinct(pl.concat([oldest.rows, rows])))]
            else:
                self._runs = [*large, oldest, _Run.of(rows)]


def by_meters(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yields all events in parts of at most MOST_METERS meters; a meter's events stay in one part."""
    meters = np.unique(events["meter_a"].to_numpy())
    if len(meters) <= MOST_METERS:
        yield events
        return
    parts = np.searchsorted(meters[MOST_METERS::MOST_METERS], events["meter_a"].to_numpy(), side="right")
    for part in range(parts.max() + 1):
        yield events.filter(pl.Series(parts == part))


def _of_shard(rows: pl.DataFrame, shard: int, shards: int) -> pl.Series:
    return shard_of(rows, shards) == shard
