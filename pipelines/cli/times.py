"""Reads times given on the command line."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = re.compile(r"[0-9]{4}-?(W[0-9]{2}-?[0-9]?|[0-9]{2}-?[0-9]{2})")
WEEK: Final = re.compile(r"[0-9]{4}-?W[0-9]{2}")


class NoTime(ValueError):
    """The text is not a date or time; the message is one sentence."""


def as_at_ms(text: str | None) -> int | None:
    """Returns the milliseconds since 1970 of a date (its end in London) or a time (in London if it names no zone).

    Raises NoTime for any other text, and for a time outside the years 1 to 9998.
    """
    if text is None:
        return None
    from pipelines.events.calendar import is_in_calendar

    try:
        instant = _instant_ms(text)
    except (ValueError, OverflowError) as error:
        raise NoTime(
            f"--as-at wants a date such as 2026-06-30 or a time such as 2026-06-30T12:00Z, not {text!r}."
        ) from error
    if not is_in_calendar(instant):
        raise NoTime(f"--as-at wants a date or time in the years 1 to 9998, not {text!r}.")
    return instant


def _instant_ms(text: str) -> int:
    from pipelines.events.calendar import day_end_ms, instant_ms

    if DAY.fullmatch(text):
        return day_end_ms(day_of(text))
    return instant_ms(datetime.fromisoformat(text))


def day_of(text: str) -> date:
    """Parses a date in a form of ISO 8601: 2026-06-30, 20260630 or 2026-W27-2. Raises ValueError."""
    # Python would read a week as its Monday.
    if WEEK.fullmatch(text):
        raise ValueError(f"{text!r} names a week and no day")
    return date.fromisoformat(text)


def moment_of(milliseconds: int | None) -> datetime | None:
    """Returns the UTC time of milliseconds since 1970, or None for None."""
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)
