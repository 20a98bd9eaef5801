"""Dates and quarters of instants in Great Britain: the only module that uses `Europe/London`.

23:30Z on 30 June is 1 July in London, so in the third quarter. Quarters are the numbers of `schemas/quarters.py`.
"""

import functools
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from schemas.quarters import first_day, quarter_of_year

_LONDON: Final = ZoneInfo("Europe/London")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
# The first and last years that Python's dates can hold.
FIRST_YEAR: Final = 1
LAST_YEAR: Final = 9999
FIRST_MS: Final = (datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) // _MS
LAST_MS: Final = (datetime(9998, 12, 31, tzinfo=UTC) - _EPOCH) // _MS

Quarters = npt.NDArray[np.int64]
Milliseconds = npt.NDArray[np.int64]


def instant_ms(moment: datetime) -> int:
    """Returns a time as whole milliseconds since 1970 UTC; a time without a zone is taken as London time."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=_LONDON)) - _EPOCH) // _MS


def is_in_calendar(milliseconds: int) -> bool:
    """Whether an instant has a date and a quarter: it lies between FIRST_MS and LAST_MS."""
    return FIRST_MS <= milliseconds <= LAST_MS


def local_midnight_ms(day: date) -> int:
    """Returns the instant, in milliseconds since 1970 UTC, at which a London date begins."""
    return instant_ms(datetime.combine(day, time()))


@functools.cache
def _starts(first_year: int, last_year: int) -> Milliseconds:
    """Returns the instants at which the quarters of these years begin, in order."""
    numbers = range(quarter_of_year(first_year, 1), quarter_of_year(last_year + 1, 1))
    return np.array([local_midnight_ms(first_day(number)) for number in numbers], dtype=np.int64)


def _year(milliseconds: int) -> int:
    return (_EPOCH + int(milliseconds) * _MS).year


def quarters_of(milliseconds: Milliseconds) -> Quarters:
    """Returns the quarter of each instant by its London date. Instants must lie between FIRST_MS and LAST_MS."""
    if not len(milliseconds):
        return np.empty(0, dtype=np.int64)
    # One year more on each side: the London date may lie in another year than the UTC date.
    first = max(_year(milliseconds.min()) - 1, FIRST_YEAR)
    starts = _starts(first, min(_year(milliseconds.max()) + 1, LAST_YEAR))
    return quarter_of_year(first, 1) + np.searchsorted(starts, milliseconds, side="right") - 1


def day_end_ms(day: date) -> int:
    """Returns the last millisecond of a London date."""
    return local_midnight_ms(day + timedelta(days=1)) - 1
