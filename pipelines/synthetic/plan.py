"""What to generate: how many meters, from which seed, until when and how dirty."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

# Gas and electricity meters in Great Britain at the end of 2024, the year that a plan's size refers to.
GB_METERS: Final = 57_900_000
FIRST_DAY: Final = date(2012, 1, 1)
LAST_DAY: Final = date(2030, 12, 31)


# The meters of Great Britain at the end of 2024.
MOST_METERS = GB_METERS


class PlanError(ValueError):
    """A plan has an impossible value; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size, seed, last day and dirt of a synthetic Britain.

    `meters` is the number of meters in Great Britain at the end of 2024, whatever `until` is: 57,900 is a scale of
    1:1,000. `until` is the last local day on which anything happens or is reported. `dirt` is 0 (clean) to 1.
    Raises PlanError for an impossible value.
    """

    meters: int
    seed: int
    until: date
    dirt: float

    def __post_init__(self) -> None:
        if self.meters < 1:
            raise PlanError("The number of meters must be at least 1.")
        if self.meters > MOST_METERS:
            raise PlanError(f"The number of meters must be at most {MOST_METERS:,}, which is Britain at its own size.")
        if self.seed < 0:
            raise PlanError("The seed must not be negative.")
        if not FIRST_DAY <= self.until <= LAST_DAY:
            raise PlanError(f"The last day must lie between {FIRST_DAY} and {LAST_DAY}.")
        if not 0 <= self.dirt <= 1:
            raise PlanError("The dirt must lie between 0 and 1.")

    @property
    def scale(self) -> float:
        """The number of generated meters for each meter of Great Britain."""
        return self.meters / GB_METERS


# Numbers of meters, and of the events of a clean Britain of that size until the middle of 2026 (measured). Declared
# meters are limited by the number of cells, so up to a few hundred thousand meters events grow a little more slowly.
_SIZES: Final = (0, 3_000, 20_000, 57_900, 300_000)
_EVENTS: Final = (0, 70_350, 272_000, 673_400, 3_177_000)


def meters_for(events: int) -> int:
    """Returns how many meters have about `events` events (within 1 %) in a clean rollout until the middle of 2026."""
    if events > _EVENTS[-1]:
        slope = (_SIZES[-1] - _SIZES[-2]) / (_EVENTS[-1] - _EVENTS[-2])
        return round(_SIZES[-1] + (events - _EVENTS[-1]) * slope)
    return max(1, round(float(np.interp(events, _EVENTS, _SIZES))))
