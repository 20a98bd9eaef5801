"""Texts in CSV files: what a spreadsheet would run as a formula has an apostrophe before it, and no other text has."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.spreadsheets import FORMULA, harmless

STARTS = ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("before", ["", "'", "''"])
def test_what_begins_like_a_formula_has_one_apostrophe_more(start: str, before: str) -> None:
    assert harmless(f"{before}{start}1+1") == f"'{before}{start}1+1"


@pytest.mark.parametrize("text", ["", "BGAS", "BGAS/x.avro row 1", "'quoted'", "1-2", " =1", "a=1"])
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@given(st.text(st.sampled_from("'=+-@\t\rab"), max_size=6))
def test_a_text_can_be_told_again_and_is_never_a_formula(text: str) -> None:
    written = harmless(text)
    assert not written.startswith(STARTS)
    assert (written[1:] if re.match(f"'(?={FORMULA[1:]})", written) else written) == text
