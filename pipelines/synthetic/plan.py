"""What to generate: how many meters, from which seed, until when and how dirty."""

from dataclasses import dataclass
from datetime import date
from typing import Final

# Gas and electricity meters in Great Britain at the end of 2024, the year that a plan's size refers to.
GB_METERS: Final = 57_900_000
FIRST_DAY: Final = date(2012, 1, 1)
LAST_DAY: Final = date(2030, 12, 31)


@dataclass(frozen=True, slots=True)
class Plan:
    """The size, seed, last day and dirt of a synthetic Britain.

    `meters` is the number of meters in Great Britain at the end of 2024, whatever `until` is: 57,900 is a scale of
    1:1,000. `until` is the last local day on which anything happens or is reported. `dirt` is 0 (clean) to 1.
    Raises ValueError, in one sentence, where a value makes no sense.
    """

    meters: int
    seed: int
    until: date
    dirt: float

    def __post_init__(self) -> None:
        if self.meters < 1:
            raise ValueError("The number of meters must be at least 1.")
        if self.seed < 0:
            raise ValueError("The seed must not be negative.")
        if not FIRST_DAY <= self.until <= LAST_DAY:
            raise ValueError(f"The last day must lie between {FIRST_DAY} and {LAST_DAY}.")
        if not 0 <= self.dirt <= 1:
            raise ValueError("The dirt must lie between 0 and 1.")

    @property
    def scale(self) -> float:
        """Generated meters for each meter of Great Britain."""
        return self.meters / GB_METERS


# Measured for a clean Britain until 2026: events that do not grow with the meters (the DCC's measures), and those
# that each meter brings.
_EVENTS_EACH: Final = 12.0


def meters_for(events: int) -> int:
    """The number of meters whose rollout until 2026 comes to about so many events."""
    return max(1, round(events / _EVENTS_EACH))
