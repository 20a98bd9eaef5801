"""The tools of dirt: a record's events as columns that may be spoiled, and the faults with their rates.

The number of events that a fault hits is the rate times the dirt times the number of events, and at least one if there
are enough events; only which ones is random.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.synthetic.state import DAY_MS, SOURCES, Ints
from schemas.codes import RECORDS

Array = npt.NDArray[Any]

UNKNOWN_SOURCE: Final = len(SOURCES)
# With fewer events of a record than this, a fault whose number rounds to 0 does not occur.
_ENOUGH: Final = 20
# The delivery of an event: the regular files, late ones, or a file sent again.
REGULAR, LATE, AGAIN = range(3)


@dataclass(frozen=True, slots=True)
class Soil:
    """What spoiling needs: random numbers, the amount of dirt, the last instant and bad values.

    `wrong_points` holds, by fuel, places of meter points with wrong check digits; `malformed_points` places of numbers
    of the wrong form.
    """

    rng: np.random.Generator
    dirt: float
    last_ms: int
    wrong_points: tuple[Ints, Ints]
    malformed_points: Ints
    unknown_region: int
    malformed_quarter: int

    def rows(self, count: int, rate: float) -> Ints:
        """Returns the places of those of `count` events that a fault of a rate hits, each at most once."""
        hit = round(rate * self.dirt * count)
        if count >= _ENOUGH:
            hit = max(1, hit)
        return self.rng.choice(count, hit, replace=False) if hit else np.empty(0, dtype=np.int64)

    def later(self, count: int, least: float, most: float) -> Ints:
        """Returns `count` random spans between two numbers of days, in milliseconds."""
        return (self.rng.uniform(least, most, count) * DAY_MS).astype(np.int64)

    def new_ids(self, columns: "Columns") -> None:
        """Gives every event a new id."""
        for name in ("event_a", "event_b"):
            columns[name] = self.rng.integers(0, 2**64, columns.height, dtype=np.uint64)


@dataclass(slots=True)
class Columns:
    """A record's events as arrays that may be written to."""

    record: str
    arrays: dict[str, Array]

    @classmethod
    def of(cls, record: str, frame: pl.DataFrame) -> "Columns":
        """Makes columns from a copy of a frame."""
        return cls(record, {name: frame[name].to_numpy().copy() for name in frame.columns})

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def __setitem__(self, name: str, values: Array) -> None:
        self.arrays[name] = values

    @property
    def height(self) -> int:
        """The number of events."""
        return len(self.arrays["event_a"])

    def take(self, rows: Ints) -> "Columns":
        """Returns a copy of some events."""
        return Columns(self.record, {name: array[rows] for name, array in self.arrays.items()})

    def frame(self) -> pl.DataFrame:
        """Returns the events as a frame."""
        return pl.DataFrame(self.arrays)


def together(parts: Iterable[Columns]) -> Columns:
    """Joins events of one record. Raises IndexError if there are no parts."""
    listed = list(parts)
    names = listed[0].arrays
    joined = {n: np.concatenate([p[n] for p in listed]).astype(names[n].dtype, copy=False) for n in names}
    return Columns(listed[0].record, joined)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in some events of some records. `rate` is the share hit at full dirt.

    `spoil` changes rows of the given events, or returns events to be sent in addition.
    """

    rate: float
    spoil: Callable[[Soil, Columns, Ints], Columns | None]
    records: tuple[str, ...] = RECORDS
    except_for: tuple[str, ...] = ()

    def concerns(self, record: str) -> bool:
        """Whether the fault can hit a record."""
        return record in self.records and record not in self.except_for
