"""The histories of all meters that a worker has, in its memory: found by meter, grown by what arrives.

Three layers, each searched for the touched meters only: the snapshot that the stream went on from (immutable, on
disk), `base` (sorted by meter) and `recent` (what came since the base was sorted). Rows of equal content may lie in
several layers; they are made one when they are read. All shards lie together, since a search costs about the same for
one meter as for hundreds.
"""

import threading
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.fold import empty_history, meters_of
from pipelines.history.copies import distinct
from pipelines.shards import shard_of
from pipelines.snapshot import Meters, occurs

# Looking through so many unsorted rows costs about as much as one search in the sorted ones.
RECENT_ROWS: Final = 4_000


class Baseline(Protocol):
    """What histories begin with: the rows of some meters, read when they are wanted."""

    def rows_of(self, meters: Meters) -> pl.DataFrame:
        """History rows whose `meter_a` is one of the sorted, distinct numbers."""
        ...


@dataclass(slots=True)
class Histories:
    """The histories of the meters of some shards, by meter. Steps that run side by side may share one."""

    shards: int
    baseline: Baseline | None = None
    _base: pl.DataFrame = field(default_factory=empty_history)
    _base_meters: Meters = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    _recent: pl.DataFrame = field(default_factory=empty_history)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def grow(self, events: pl.DataFrame) -> pl.DataFrame:
        """Adds rows; gives the whole histories of their meters as they were before, equal content in one row."""
        meters = np.unique(events["meter_a"].to_numpy())
        with self._alone:
            layers = [
                self._base[_places(self._base_meters, meters)],
                self._recent.filter(pl.Series(occurs(self._recent["meter_a"].to_numpy(), meters))),
            ]
            self._add(events)
        if self.baseline is not None:
            layers.append(self.baseline.rows_of(meters))
        found = distinct(pl.concat(layers))
        return found.join(meters_of(events), on=["meter_a", "meter_b"], how="semi") if found.height else found

    def replace(self, shard: int, rows: pl.DataFrame) -> None:
        """These rows, and no others since the baseline, are the history of a shard."""
        with self._alone:
            if _of_shard(self._base, shard, self.shards).any():
                self._sort(self._base.filter(~_of_shard(self._base, shard, self.shards)))
            self._recent = self._recent.filter(~_of_shard(self._recent, shard, self.shards))
            self._add(rows)

    def since_baseline(self, shard: int) -> pl.DataFrame:
        """All rows of a shard that came since the baseline, equal content in one row."""
        with self._alone:
            layers = [rows.filter(_of_shard(rows, shard, self.shards)) for rows in (self._base, self._recent)]
        return distinct(pl.concat(layers))

    def _add(self, rows: pl.DataFrame) -> None:
        # In one piece: a frame of a hundred pieces of fifty columns is slow to ask anything.
        self._recent = pl.concat([self._recent, rows], rechunk=True)
        if self._recent.height > max(RECENT_ROWS, self._base.height // 4):
            self._sort(distinct(pl.concat([self._base, self._recent])))
            self._recent = empty_history()

    def _sort(self, rows: pl.DataFrame) -> None:
        self._base = rows.sort("meter_a")
        self._base_meters = self._base["meter_a"].to_numpy()


def _of_shard(rows: pl.DataFrame, shard: int, shards: int) -> pl.Series:
    return shard_of(rows, shards) == shard


def _places(ordered: Meters, wanted: Meters) -> npt.NDArray[np.int64]:
    """Positions of all wanted numbers in an ordered array, each as often as it occurs."""
    first = np.searchsorted(ordered, wanted, side="left")
    counts = np.searchsorted(ordered, wanted, side="right") - first
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts) + within
