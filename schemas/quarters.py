"""Calendar quarters as numbers and as text; the only module that does arithmetic on them.

A quarter is one number, four times the year plus 0 to 3, so that quarters can be compared and counted; it is written
as 2026Q3. `pipelines/events/calendar.py` finds the quarter of an instant.
"""

import re
from datetime import date
from typing import Final

import polars as pl

QUARTERS_A_YEAR: Final = 4
_MONTHS: Final = 12 // QUARTERS_A_YEAR
_TEXT: Final = re.compile(r"([0-9]{4})Q([1-4])", re.ASCII)


def quarter_of_year(year: int, place: int) -> int:
    """Returns the first (1) to fourth (4) quarter of a year."""
    return year * QUARTERS_A_YEAR + place - 1


def year_of(quarter: int) -> int:
    """Returns the year of a quarter."""
    return quarter // QUARTERS_A_YEAR


def place_in_year(quarter: int) -> int:
    """Returns the place of a quarter in its year, 1 to 4."""
    return quarter % QUARTERS_A_YEAR + 1


def quarter_of_day(day: date) -> int:
    """Returns the quarter of a date."""
    return quarter_of_year(day.year, (day.month - 1) // _MONTHS + 1)


def first_day(quarter: int) -> date:
    """Returns the first date of a quarter."""
    return date(year_of(quarter), (place_in_year(quarter) - 1) * _MONTHS + 1, 1)


def quarter_text(quarter: int) -> str:
    """Returns the text of a quarter, such as 2026Q3."""
    return f"{year_of(quarter):04d}Q{place_in_year(quarter)}"


def quarter_number(text: str) -> int:
    """Returns the quarter of a text such as 2026Q3. Raises ValueError for a text of another form."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quarter such as 2026Q3.")
    return quarter_of_year(int(match[1]), int(match[2]))


def quarters_earlier(text: str, quarters: int) -> str:
    """Returns the text of the quarter that is a number of quarters before another."""
    return quarter_text(quarter_number(text) - quarters)


def quarters_between(first: str, last: str) -> tuple[str, ...]:
    """Returns the texts of all quarters from the first to the last, both included."""
    return tuple(map(quarter_text, range(quarter_number(first), quarter_number(last) + 1)))


def numbers_of(texts: pl.Expr) -> pl.Expr:
    """Returns the numbers (Int32) of a column of texts, all of the form 2026Q3."""
    return texts.str.head(4).cast(pl.Int32) * QUARTERS_A_YEAR + texts.str.tail(1).cast(pl.Int32) - 1


def texts_of(numbers: pl.Expr) -> pl.Expr:
    """Returns the texts of a column of quarters as numbers, for years of four digits."""
    return pl.format("{}Q{}", numbers // QUARTERS_A_YEAR, numbers % QUARTERS_A_YEAR + 1)
