"""When statistics are released: dates, the next release, the announcement before it, and working days of a quarter."""

import functools
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final

import holidays

from schemas.policies import in_force, the_one_in_force
from schemas.quarters import first_day, place_in_year

_THURSDAY: Final = 3
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class ReleaseDay:
    """When a quarter's statistics are released (local time in Great Britain) and when that is announced.

    `verified` says whether the rule was read in a source.
    """

    quarter: int
    day: date
    at: time
    announced_on: date
    verified: bool

    @property
    def text(self) -> str:
        """The moment in words: 26 November 2026, 09:30."""
        return f"{self.day.day} {self.day:%B %Y}, {self.at:%H:%M}"


@functools.cache
def _bank_holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("GB", subdiv="ENG", years=year))


def is_working_day(day: date) -> bool:
    """Whether a day is no Saturday, Sunday or bank holiday in England."""
    return day.weekday() < _SATURDAY and day not in _bank_holidays(day.year)


def working_days(quarter: int) -> int:
    """How many working days a quarter has."""
    first, after = first_day(quarter), first_day(quarter + 1)
    return sum(is_working_day(first + timedelta(days=number)) for number in range((after - first).days))


def release_day(quarter: int) -> ReleaseDay:
    """When the statistics of a quarter are released: on the last Thursday of a month that is a working day."""
    last = first_day(quarter + 1) - timedelta(days=1)
    rules = [one for one in in_force("calendar", "release", last) if one["quarter_of_year"] == place_in_year(quarter)]
    rule, when = rules[0], the_one_in_force("calendar", "time", last)
    months = last.year * 12 + last.month - 1 + rule["months_after"]
    year, month = divmod(months, 12)
    days = (date(year, month + 1, number) for number in range(monthrange(year, month + 1)[1], 0, -1))
    day = next(one for one in days if one.weekday() == _THURSDAY and is_working_day(one))
    announced_on = day - timedelta(days=when["days_pre_announced"])
    return ReleaseDay(quarter, day, time(when["hour"], when["minute"]), announced_on, rule["verified"])
