"""The history of one shard's meters as a worker keeps it in memory: found by meter, grown by what arrives.

Three layers, each searched for the touched meters only: the snapshot that the stream went on from (immutable, on
disk), `base` (sorted by meter) and `recent` (what came since the base was sorted). Rows of equal content may lie in
several layers; they are made one when they are read.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.fold import empty_history, meters_of
from pipelines.history.copies import distinct

Meters = npt.NDArray[np.uint64]

# Looking through so many unsorted rows costs about as much as one search in the sorted ones.
RECENT_ROWS: Final = 4_000


class Baseline(Protocol):
    """What a shard's history begins with: the rows of some meters, read when they are wanted."""

    def rows_of(self, meters: Meters) -> pl.DataFrame:
        """History rows whose `meter_a` is one of the sorted, distinct numbers."""
        ...


@dataclass(slots=True)
class ShardHistory:
    """The history of one shard, by meter."""

    baseline: Baseline | None = None
    _base: pl.DataFrame = field(default_factory=empty_history)
    _base_meters: Meters = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    _recent: pl.DataFrame = field(default_factory=empty_history)

    @property
    def since_baseline(self) -> pl.DataFrame:
        """All rows that came since the baseline, equal content in one row."""
        return distinct(pl.concat([self._base, self._recent]))

    def touched_by(self, events: pl.DataFrame) -> pl.DataFrame:
        """The whole history of every meter that occurs in events, equal content in one row."""
        meters = np.unique(events["meter_a"].to_numpy())
        layers = [self._base[_places(self._base_meters, meters)], self._recent.filter(_occurs(self._recent, meters))]
        if self.baseline is not None:
            layers.append(self.baseline.rows_of(meters))
        found = distinct(pl.concat(layers))
        return found.join(meters_of(events), on=["meter_a", "meter_b"], how="semi")

    def add(self, rows: pl.DataFrame) -> None:
        """History rows are part of the history from now on."""
        self._recent = pl.concat([self._recent, rows])
        if self._recent.height > max(RECENT_ROWS, self._base.height // 4):
            self._base = self.since_baseline.sort("meter_a")
            self._base_meters = self._base["meter_a"].to_numpy()
            self._recent = empty_history()


def _occurs(rows: pl.DataFrame, meters: Meters) -> pl.Series:
    return pl.Series(np.isin(rows["meter_a"].to_numpy(), meters))


def _places(ordered: Meters, wanted: Meters) -> npt.NDArray[np.int64]:
    """Positions of all wanted numbers in an ordered array, each as often as it occurs."""
    first = np.searchsorted(ordered, wanted, side="left")
    counts = np.searchsorted(ordered, wanted, side="right") - first
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts) + within
