"""Dates and quarters of instants in Great Britain: the one place that knows `Europe/London`.

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
# The calendar's first and last years whose quarters have a beginning and an end in it.
FIRST_YEAR: Final = 1
LAST_YEAR: Final = 9999
FIRST_MS: Final = (datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) // _MS
LAST_MS: Final = (datetime(9998, 12, 31, tzinfo=UTC) - _EPOCH) // _MS

Quarters = npt.NDArray[np.int64]
Milliseconds = npt.NDArray[np.int64]


def instant_ms(moment: datetime) -> int:
    """The whole milliseconds since 1970 UTC of a time; one that names no zone is a time in London."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=_LONDON)) - _EPOCH) // _MS


def is_in_calendar(milliseconds: int) -> bool:
    """Whether an instant has a date and a quarter: it lies between FIRST_MS and LAST_MS."""
    return FIRST_MS <= milliseconds <= LAST_MS


def local_midnight_ms(day: date) -> int:
    """The instant, in milliseconds since 1970 UTC, at which a local date begins."""
    return instant_ms(datetime.combine(day, time()))


@functools.cache
def _starts(first_year: int, last_year: int) -> Milliseconds:
    """The instants at which the quarters of these years begin, in order."""
    numbers = range(quarter_of_year(first_year, 1), quarter_of_year(last_year + 1, 1))
    return np.array([local_midnight_ms(first_day(number)) for number in numbers], dtype=np.int64)


def _year(milliseconds: int) -> int:
    return (_EPOCH + int(milliseconds) * _MS).year


def quarters_of(milliseconds: Milliseconds) -> Quarters:
    """The quarter in whose local dates each instant lies. Instants must lie between FIRST_MS and LAST_MS."""
    if not len(milliseconds):
        return np.empty(0, dtype=np.int64)
    # A year before the first, since an instant on 31 December in UTC is never in a later local year.
    first = max(_year(milliseconds.min()) - 1, FIRST_YEAR)
    starts = _starts(first, min(_year(milliseconds.max()) + 1, LAST_YEAR))
    return quarter_of_year(first, 1) + np.searchsorted(starts, milliseconds, side="right") - 1


def day_end_ms(day: date) -> int:
    """The last millisecond of a local date."""
    return local_midnight_ms(day + timedelta(days=1)) - 1
