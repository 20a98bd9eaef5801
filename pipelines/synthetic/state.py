"""The state of the synthetic Britain: meters as arrays, one place for each meter point, and the world around them."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipelines.events.calendar import local_midnight_ms
from pipelines.synthetic.events import Recorder
from pipelines.synthetic.places import Places
from pipelines.synthetic.targets import Targets
from schemas.codes import METER_TYPES, OPERATING_MODES, PAYMENT_MODES
from schemas.quarters import first_day, quarter_text
from schemas.sources import source_ids

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

SMETS1, SMETS2, ADVANCED, NON_SMART = (METER_TYPES.index(t) for t in ("SMETS1", "SMETS2", "ADVANCED", "NON_SMART"))
SMART, TRADITIONAL, NOT_APPLICABLE = (
    OPERATING_MODES.index(mode) for mode in ("SMART", "TRADITIONAL", "NOT_APPLICABLE")
)
CREDIT, PREPAYMENT = (PAYMENT_MODES.index(mode) for mode in ("CREDIT", "PREPAYMENT"))
SOURCES: Final = source_ids()
DCC: Final = SOURCES.index("SDCC")
DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
# Weekdays have equal weight; a Saturday has about a third of it and a Sunday a tenth.
_DAY_WEIGHTS: Final = (10, 10, 10, 10, 10, 3, 1)


@dataclass(slots=True)
class Meters:
    """Arrays with one place for each meter point that ever exists. `busy` marks meters fitted in the current quarter.

    `fitting` counts the meters fitted at the point, `area` is NONE if the local authority is not reported.
    """

    segment: Array
    region: Array
    area: Array
    supplier: Array
    kind: Array
    mode: Array
    payment: Array
    fitting: Array
    new_in: Array
    migrated: Mask
    present: Mask
    busy: Mask

    @classmethod
    def of(cls, segment: Array, region: Array, area: Array) -> "Meters":
        """Makes meter points without meters."""
        count = len(segment)
        narrow, wide, no = (np.zeros(count, dtype=kind) for kind in (np.int8, np.int16, np.bool_))
        codes = (narrow, narrow.copy(), narrow.copy(), narrow.copy(), wide, wide.copy())
        return cls(
            segment, region, area, *codes, migrated=no.astype(bool), present=no.astype(bool), busy=no.astype(bool)
        )

    @property
    def smets(self) -> Mask:
        """Whether each place has a smart meter."""
        return self.present & (self.kind <= SMETS2)

    def here(self, segment: int) -> Mask:
        """Returns which meters of a segment are in place."""
        return self.present & (self.segment == segment)


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter's number, the instants at which its local days begin, and its days repeated by their weight of work."""

    number: int
    days_ms: Ints
    working: Ints

    @property
    def start_ms(self) -> int:
        """The first instant of the quarter."""
        return int(self.days_ms[0])

    @property
    def end_ms(self) -> int:
        """The last second of the quarter."""
        return int(self.days_ms[-1]) - 1000

    @property
    def text(self) -> str:
        """The quarter as text, such as 2026Q3."""
        return quarter_text(self.number)


def quarter_days(number: int) -> Quarter:
    """Returns a quarter with its days; `days_ms` holds one more, the first of the next quarter."""
    first, after = (np.datetime64(first_day(each)) for each in (number, number + 1))
    days = np.arange(first, after + np.timedelta64(1, "D")).astype(object)
    weights = [_DAY_WEIGHTS[day.weekday()] for day in days[:-1]]
    midnights = np.array([local_midnight_ms(day) for day in days], dtype=np.int64)
    return Quarter(number, midnights, np.repeat(np.arange(len(days) - 1), weights))


@dataclass(slots=True)
class World:
    """The whole state of the simulation: random numbers, targets, places, meters and the recorded events.

    `removals_due` is the fraction of a meter that is still to be removed.
    """

    scale: float
    rng: np.random.Generator
    targets: Targets
    places: Places
    meters: Meters
    recorder: Recorder
    removals_due: float = 0.0

    def target(self, name: str, quarter: int) -> int:
        """Returns the target of a series for the whole of Britain, in generated meters."""
        return round(self.targets.at(name, quarter) * self.scale * 1e6)

    def segment_target(self, name: str, segment: int, quarter: int) -> int:
        """Returns the target of a series for a segment, in generated meters."""
        return round(self.targets.segment(name, segment, quarter) * self.scale * 1e6)


def working_times(rng: np.random.Generator, quarter: Quarter, count: int) -> Ints:
    """Returns random instants in a quarter's working hours, 8:00 to 18:00 of its days."""
    days = quarter.working[rng.integers(0, len(quarter.working), count)]
    return quarter.days_ms[days] + 8 * HOUR_MS + rng.integers(0, 10 * HOUR_MS, count)


def supplier_delay(rng: np.random.Generator, count: int) -> Ints:
    """Returns suppliers' reporting delays in milliseconds: half within ten hours, one in a hundred over two weeks."""
    delay = 10 * HOUR_MS * np.exp(1.6 * rng.standard_normal(count))
    return np.clip(delay, 1000, 80 * DAY_MS).astype(np.int64)


def dcc_delay(rng: np.random.Generator, count: int) -> Ints:
    """Returns the DCC's reporting delays in milliseconds: seconds to minutes."""
    return np.clip(30_000 * np.exp(rng.standard_normal(count)), 1000, DAY_MS).astype(np.int64)
