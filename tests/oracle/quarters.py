"""Rule 5: calendar quarters by the local date in Great Britain."""

import functools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@functools.lru_cache(maxsize=1_000_000)
def quarter_of(instant: int) -> str:
    """Rule 5: the quarter of the local date; 23:30Z on 30 June is 1 July, so Q3."""
    local = (EPOCH + timedelta(milliseconds=instant)).astimezone(LONDON)
    return f"{local.year:04d}Q{(local.month + 2) // 3}"


def milliseconds_of_day(day: date, *, end: bool) -> int:
    """The instant at which a day in London begins or, with `end`, at which it is over."""
    midnight = datetime.combine(day + timedelta(days=1 if end else 0), time(), tzinfo=LONDON)
    return (midnight - EPOCH) // timedelta(milliseconds=1)


def end_of_day(day: date) -> datetime:
    """The last millisecond of a day in London: what `--as-at` means by a bare date."""
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=LONDON)
    return midnight.astimezone(UTC) - timedelta(milliseconds=1)
