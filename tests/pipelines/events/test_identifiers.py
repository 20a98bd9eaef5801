"""Ids as numbers, against the slow way: one id at a time in plain Python."""

import re
import uuid

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.events import identifiers
from pipelines.keys import key_from_text
from pipelines.validation.pseudonym import digests
from tests.builders import mpan, mprn

MPANS = st.text("0123456789", min_size=13, max_size=13)
MPRNS = st.text("0123456789", min_size=6, max_size=10)
ODD = st.text("0123456789abcdefABCDEF-\n é", max_size=40)
KEY, OTHER_KEY = key_from_text("one"), key_from_text("another")


def slow_mpan(text: str) -> bool:
    weights = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
    return sum(weight * int(digit) for weight, digit in zip(weights, text, strict=False)) % 11 % 10 == int(text[12])


def slow_mprn(text: str) -> bool:
    body, check = text[:-2], int(text[-2:])
    return sum((len(body) - place) * int(digit) for place, digit in enumerate(body)) % 11 == check


def slow_uuid(text: str | None) -> tuple[int, int] | None:
    if text is None or not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        return None
    value = uuid.UUID(text).int
    return value >> 64, value & (1 << 64) - 1


@given(st.lists(MPANS | st.integers(0, 10**10 - 1).map(lambda number: mpan(number).id)))
def test_check_digits_of_mpans_are_those_worked_out_slowly(points: list[str]) -> None:
    found = identifiers.mpan_check_digit_ok(pl.Series(points, dtype=pl.String))
    assert found.tolist() == [slow_mpan(point) for point in points]


@given(st.lists(MPRNS | st.integers(0, 10**8 - 1).map(lambda number: mprn(number).id)))
def test_check_digits_of_mprns_are_those_worked_out_slowly(points: list[str]) -> None:
    found = identifiers.mprn_check_digits_ok(pl.Series(points, dtype=pl.String))
    assert found.tolist() == [slow_mprn(point) for point in points]


@pytest.mark.parametrize(
    ("point", "is_right"), [("2000000000008", False), ("1012345678901", False), (mpan(5).id, True)]
)
def test_some_mpans(point: str, is_right: bool) -> None:
    assert identifiers.mpan_check_digit_ok(pl.Series([point])).tolist() == [is_right] == [slow_mpan(point)]


@given(st.lists(st.tuples(MPANS | MPRNS | ODD, st.booleans())))
def test_the_form_of_meter_points_is_that_of_their_fuel(points: list[tuple[str, bool]]) -> None:
    texts = pl.Series([text for text, _ in points], dtype=pl.String)
    electricity = pl.Series([is_power for _, is_power in points], dtype=pl.Boolean)
    assert identifiers.meter_point_format_ok(texts, electricity).to_list() == [
        re.fullmatch("[0-9]{13}" if is_power else "[0-9]{6,10}", text) is not None for text, is_power in points
    ]


@given(st.lists(st.none() | ODD | st.uuids().map(str) | st.uuids().map(lambda one: str(one).upper())))
def test_uuids_are_cut_in_halves_and_put_together_again(texts: list[str | None]) -> None:
    high, low = identifiers.uuid_halves(pl.Series(texts, dtype=pl.String))
    expected = [slow_uuid(text) for text in texts]
    assert list(zip(high, low, strict=True)) == [found or (None, None) for found in expected]
    again = [text if found else None for text, found in zip(texts, expected, strict=True)]
    assert identifiers.uuid_texts(high, low).to_list() == again


@given(st.lists(st.uuids().map(str), min_size=2))
def test_halves_sort_as_the_uuids_do(texts: list[str]) -> None:
    high, low = identifiers.uuid_halves(pl.Series(texts))
    frame = pl.DataFrame({"high": high, "low": low, "text": texts})
    assert frame.sort("high", "low")["text"].to_list() == sorted(texts)


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["", "1", "11", "111", "1200000000001"]) | MPRNS)))
def test_digests_are_equal_if_fuel_and_meter_point_are(points: list[tuple[int, str]]) -> None:
    halves = digests(
        pl.Series([fuel for fuel, _ in points], dtype=pl.Int32),
        pl.Series([id_ for _, id_ in points], dtype=pl.String),
        KEY,
    )
    found = list(zip(*halves, strict=True))
    assert len(set(found)) == len(set(points))
    assert len(set(zip(points, found, strict=True))) == len(set(points))


def test_another_key_gives_other_digests_and_the_same_key_the_same() -> None:
    fuels, points = pl.Series([0, 1], dtype=pl.Int32), pl.Series([mpan(1).id, mprn(1234).id])
    one, again, other = (pl.DataFrame(digests(fuels, points, key)) for key in (KEY, key_from_text(" one\n"), OTHER_KEY))
    assert one.equals(again)
    assert not set(one.rows()) & set(other.rows())


def test_a_key_shows_its_id_and_not_itself() -> None:
    assert repr(KEY) == f"Key({KEY.key_id})"
    assert KEY.secret.hex() not in repr(KEY)
    assert KEY.key_id != OTHER_KEY.key_id
