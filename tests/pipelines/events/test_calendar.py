"""Quarters by the date in London, against the slow way of asking for every date."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cli.times import NoTime, as_at_ms, day_of, moment_of
from pipelines.events.calendar import (
    FIRST_MS,
    LAST_MS,
    day_end_ms,
    local_midnight_ms,
    quarters_of,
)
from schemas.quarters import quarter_text

LONDON = ZoneInfo("Europe/London")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def milliseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // MS


def slowly(instant: int) -> str:
    local = (EPOCH + instant * MS).astimezone(LONDON)
    return f"{local.year:04d}Q{(local.month + 2) // 3}"


def quarter(instant: int) -> str:
    return quarter_text(int(quarters_of(np.array([instant]))[0]))


def edges() -> st.SearchStrategy[int]:
    """Instants within two hours of the first day of a month in UTC: where quarters begin, and where they do not."""
    starts = st.builds(lambda year, month: (datetime(year, month, 1, tzinfo=UTC) - EPOCH) // MS, years, months)
    return st.builds(int.__add__, starts, st.integers(-7_200_000, 7_200_000))


years, months = st.integers(1968, 2040), st.integers(1, 12)


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2026-03-31T22:59:59.999Z", "2026Q1"),
        ("2026-03-31T23:00Z", "2026Q2"),
        ("2026-06-30T22:59:59.999Z", "2026Q2"),
        ("2026-06-30T23:00Z", "2026Q3"),
        ("2026-06-30T23:30Z", "2026Q3"),
        ("2026-09-30T23:00Z", "2026Q4"),
        ("2026-12-31T23:59:59.999Z", "2026Q4"),
        ("2027-01-01T00:00Z", "2027Q1"),
        ("2024-02-29T23:59:59.999Z", "2024Q1"),
        ("2024-03-31T00:59:59.999Z", "2024Q1"),
        ("2024-03-31T01:00Z", "2024Q1"),
        ("2024-10-27T00:59:59.999Z", "2024Q4"),
        ("2024-10-27T01:00Z", "2024Q4"),
        ("1969-12-31T22:59:59.999Z", "1969Q4"),
        ("1969-12-31T23:00Z", "1970Q1"),
    ],
)
def test_an_instant_lies_in_the_quarter_of_its_date_in_london(instant: str, expected: str) -> None:
    assert quarter(milliseconds(instant)) == expected


@given(st.lists(edges() | st.integers(milliseconds("1968-01-01T00:00Z"), milliseconds("2041-01-01T00:00Z"))))
def test_quarters_of_many_instants_are_those_of_each(instants: list[int]) -> None:
    found = [quarter_text(int(number)) for number in quarters_of(np.array(instants, dtype=np.int64))]
    assert found == [slowly(instant) for instant in instants]


@given(st.integers(FIRST_MS, LAST_MS))
def test_every_instant_of_the_calendar_has_its_quarter(instant: int) -> None:
    assert quarter(instant) == slowly(instant)


@pytest.mark.parametrize("instant", [FIRST_MS, LAST_MS])
def test_the_ends_of_the_calendar_have_their_quarters(instant: int) -> None:
    assert quarter(instant) == slowly(instant)


@given(st.dates(date(1972, 1, 1), date(2040, 12, 31)))
def test_a_day_ends_where_the_next_begins(day: date) -> None:
    assert day_end_ms(day) + 1 == local_midnight_ms(day + timedelta(days=1))
    assert (EPOCH + day_end_ms(day) * MS).astimezone(LONDON).date() == day
    hours = (day_end_ms(day) + 1 - local_midnight_ms(day)) / 3_600_000
    assert hours in {23, 24, 25}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-30", "2026-06-30T22:59:59.999Z"),
        ("2026-12-31", "2026-12-31T23:59:59.999Z"),
        ("2024-02-29", "2024-02-29T23:59:59.999Z"),
        ("20260630", "2026-06-30T22:59:59.999Z"),
        ("2026-W27-2", "2026-06-30T22:59:59.999Z"),
        ("2026W272", "2026-06-30T22:59:59.999Z"),
        ("20260630T12", "2026-06-30T11:00Z"),
        ("2026-W27-2T12:00Z", "2026-06-30T12:00Z"),
        ("9998-12-30", "9998-12-30T23:59:59.999Z"),
        ("2026-06-30T12:00Z", "2026-06-30T12:00Z"),
        ("2026-06-30T12:00", "2026-06-30T11:00Z"),
        ("2026-01-30T12:00", "2026-01-30T12:00Z"),
        ("2026-06-30T12:00:00.250+02:00", "2026-06-30T10:00:00.250Z"),
    ],
)
def test_as_at_a_date_is_its_end_in_london_and_a_time_is_itself(text: str, expected: str) -> None:
    found = as_at_ms(text)
    assert found == milliseconds(expected)
    assert moment_of(found) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "soon",
        "",
        "2026-6-1",
        "2026-06-30T25:00",
        "30/06/2026",
        "9999-12-31",
        "2026-W27",
        "2026W27",
        "2026",
    ],
)
def test_what_is_no_time_is_told_in_one_sentence(text: str) -> None:
    with pytest.raises(NoTime, match=r"^--as-at wants a date such as 2026-06-30 or a time such as"):
        as_at_ms(text)


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59-01:00", "9999-12-31T23:59", "0001-01-01T00:00+14:00", "9998-12-31", "0001-01-01T00:00Z"]
)
def test_a_time_without_a_quarter_is_told_in_one_sentence(text: str) -> None:
    with pytest.raises(NoTime, match=r"^--as-at wants a date or time in the years 1 to 9998, not '.*'\.$"):
        as_at_ms(text)


@given(st.datetimes(timezones=st.timezones()) | st.datetimes())
def test_any_time_is_itself_or_told(moment: datetime) -> None:
    try:
        found = as_at_ms(moment.isoformat())
    except NoTime:
        assert moment.year in {1, 9998, 9999}
    else:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=LONDON)
        assert moment_of(found) == aware.astimezone(UTC) - timedelta(microseconds=aware.microsecond % 1000)


@pytest.mark.parametrize("text", ["2026-W27", "2026W27", "20260631", "soon"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        day_of(text)
