"""Quarters as numbers, as text, as dates and in columns."""

import re
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.quarters import (
    first_day,
    numbers_of,
    place_in_year,
    quarter_number,
    quarter_of_day,
    quarter_of_year,
    quarter_text,
    quarters_between,
    quarters_earlier,
    texts_of,
    year_of,
)

ROOT = Path(__file__).parents[2]
quarters = st.integers(quarter_of_year(1, 1), quarter_of_year(9999, 4))
# Arithmetic on a year's quarters, and a zone's name: each stands in one module.
ARITHMETIC = re.compile(r"\.year \* 4|// 4\b.*Q|20\d\d \* 4|month - 1\) // 3")
ZONE = re.compile(r"ZoneInfo\(")
PACKAGES = ("schemas", "expectations", "pipelines", "dashboards", "infra")


@given(quarters)
def test_a_quarter_is_written_and_read_back(number: int) -> None:
    assert quarter_number(quarter_text(number)) == number
    assert quarter_of_year(year_of(number), place_in_year(number)) == number


@pytest.mark.parametrize("text", ["2026Q5", "2026Q0", "2026q1", "26Q1", "2026Q1\n", "", "\u0662\u0660\u0662\u0666Q1"])
def test_a_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quarter such as 2026Q3"):
        quarter_number(text)


@given(st.dates(date(1, 1, 1), date(9999, 9, 30)))
def test_a_day_lies_between_the_first_days_of_its_quarter_and_the_next(day: date) -> None:
    number = quarter_of_day(day)
    assert first_day(number) <= day < first_day(number + 1)
    assert (first_day(number).day, first_day(number).month) in {(1, 1), (1, 4), (1, 7), (1, 10)}


@pytest.mark.parametrize(
    ("day", "text"), [("2026-06-30", "2026Q2"), ("2026-07-01", "2026Q3"), ("2026-12-31", "2026Q4")]
)
def test_a_day_has_the_quarter_that_people_name(day: str, text: str) -> None:
    assert quarter_text(quarter_of_day(date.fromisoformat(day))) == text
    later = quarter_of_day(date.fromisoformat(day) + timedelta(days=1))
    assert later - quarter_number(text) == (1 if day.endswith(("30", "31")) else 0)


def test_quarters_between_two_have_no_gap() -> None:
    assert quarters_between("2025Q3", "2026Q2") == ("2025Q3", "2025Q4", "2026Q1", "2026Q2")


@pytest.mark.parametrize(("steps", "quarter"), [(1, "2026Q2"), (3, "2025Q4"), (4, "2025Q3")])
def test_earlier_quarters_cross_the_year(steps: int, quarter: str) -> None:
    assert quarters_earlier("2026Q3", steps) == quarter


@given(st.lists(st.integers(quarter_of_year(1000, 1), quarter_of_year(9999, 4))))
def test_columns_of_quarters_are_those_of_each(numbers: list[int]) -> None:
    frame = pl.DataFrame({"number": pl.Series(numbers, dtype=pl.Int32)})
    texts = frame.select(texts_of(pl.col("number")).alias("text"))
    assert texts["text"].to_list() == list(map(quarter_text, numbers))
    assert texts.select(numbers_of(pl.col("text")))["text"].to_list() == numbers


@pytest.mark.parametrize(
    ("pattern", "place"), [(ARITHMETIC, "schemas/quarters.py"), (ZONE, "pipelines/events/calendar.py")]
)
def test_it_is_done_in_one_module(pattern: re.Pattern[str], place: str) -> None:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in paths if pattern.search(path.read_text(encoding="utf-8"))}
    assert found <= {place}
    assert pattern is ARITHMETIC or found == {place}
