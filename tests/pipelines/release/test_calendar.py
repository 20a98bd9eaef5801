"""Release days and working days, held to those that were published."""

from datetime import date

import pytest

from pipelines.release.calendar import is_working_day, release_day, working_days
from schemas.quarters import quarter_number


@pytest.mark.parametrize(
    ("quarter", "day"),
    [
        ("2018Q3", date(2018, 11, 29)),
        ("2019Q3", date(2019, 11, 28)),
        ("2021Q1", date(2021, 5, 27)),
        ("2021Q2", date(2021, 8, 26)),
        ("2024Q1", date(2024, 5, 30)),
        ("2024Q2", date(2024, 8, 29)),
    ],
)
def test_release_days_are_those_of_the_official_series(quarter: str, day: date) -> None:
    found = release_day(quarter_number(quarter))
    assert (found.day, found.verified) == (day, True)
    assert found.text.endswith(", 09:30")
    assert (day - found.announced_on).days == 28


def test_the_day_of_a_fourth_quarter_is_marked_as_not_verified() -> None:
    found = release_day(quarter_number("2024Q4"))
    assert (found.day, found.verified) == (date(2025, 3, 27), False)


@pytest.mark.parametrize(("quarter", "days"), [("2023Q1", 64), ("2023Q2", 60)])
def test_working_days_are_those_of_the_official_series(quarter: str, days: int) -> None:
    assert working_days(quarter_number(quarter)) == days


def test_a_bank_holiday_is_no_working_day() -> None:
    assert not is_working_day(date(2023, 5, 8))
    assert is_working_day(date(2023, 5, 9))
