"""Times as a person gives them on the command line."""

from datetime import UTC, date, datetime, timedelta

from pipelines.quarterly.calendar import LONDON, day_end_ms

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NoTime(ValueError):
    """The text is no date or time; the message is one sentence."""


def as_at_ms(text: str | None) -> int | None:
    """Milliseconds since 1970 of a date (its end in London) or a time (in London where it names no zone)."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-06-30"):
            return day_end_ms(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise NoTime(
            f"--as-at wants a date such as 2026-06-30 or a time such as 2026-06-30T12:00Z, not {text!r}."
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=LONDON)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment_of(milliseconds: int | None) -> datetime | None:
    """The UTC time of milliseconds since 1970."""
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)
