"""Cells packed into numbers: no code reads as another, and a free text stays as it is if a store can hold it."""

import numpy as np
import polars as pl
import pytest

from pipelines.history.state import PARTS, laid_out
from pipelines.quarterly.cellkeys import LONGEST_TEXT, keys_of, named_cells, storable
from pipelines.quarterly.measures import MEASURES
from schemas.codes import OPERATING_MODES, PAYMENT_MODES
from tests.builders import ODD_AUTHORITIES, A, B, installed
from tests.pipelines.columnar import counted


def test_a_text_that_fits_stays_as_it_is() -> None:
    texts = pl.Series(["", "E09000007", "é" * (LONGEST_TEXT // 2)])
    assert storable(texts).equals(texts)


def test_a_text_that_is_too_long_or_has_a_nul_is_named_by_its_digest() -> None:
    texts = pl.Series(["E09000007", "x" * (LONGEST_TEXT + 1), "E0\0", "E1\0"])
    found = storable(texts).to_list()
    assert found[0] == "E09000007"
    assert all(text.startswith("sha256:") and len(text) == 71 for text in found[1:])
    assert len(set(found)) == 4


@pytest.mark.parametrize("odd", [*ODD_AUTHORITIES, "x" * 1_000_000])
def test_what_is_no_local_authoritys_code_counts_under_none(odd: str) -> None:
    meters = [installed(A, local_authority_code=odd), installed(B, local_authority_code=None)]
    cells = named_cells(counted(meters).cells).filter(pl.col("measure") == "meters_local")
    assert cells.select("region_code", "value").rows() == [("", 2)]


def test_two_such_texts_are_one_authority_and_two_installations() -> None:
    twice = [installed(local_authority_code="=1+1"), installed(local_authority_code="=2+2")]
    cells = named_cells(counted(twice).cells)
    assert cells.filter(pl.col("measure") == "meters_local")["value"].to_list() == [1]
    assert cells.filter(pl.col("measure") == "removals")["detail"].to_list() == ["EXCHANGED"]
    assert "inconsistent" not in cells["measure"]


@pytest.mark.parametrize("name", PARTS)
def test_every_word_of_a_dimension_comes_back_and_a_code_beyond_raises(name: str) -> None:
    part = PARTS[name]
    codes = np.arange(-1, len(part.words))
    assert (part.get(part.put(codes)) == codes).all()
    assert not (part.put(codes) & ~part.mask).any()
    for beyond in (len(part.words), -2):
        with pytest.raises(OverflowError):
            part.put([0, beyond])


def test_a_fourth_operating_mode_is_not_read_as_a_payment_mode() -> None:
    longer = laid_out(0, {"operating_mode": (*OPERATING_MODES, "ASLEEP"), "payment_mode": PAYMENT_MODES}, {})
    mode, payment = longer["operating_mode"], longer["payment_mode"]
    for code in range(len(mode.words)):
        keys = mode.put([code])
        assert (mode.get(keys), payment.get(keys)) == (code, -1)


def test_lists_that_no_key_can_hold_raise() -> None:
    many = tuple(map(str, range(2**16)))
    assert laid_out(0, {"a": many[1:], "b": many[1:], "c": many[1:]}, {})["c"].bits == 16
    with pytest.raises(OverflowError, match="68 bits"):
        laid_out(0, dict.fromkeys("abcd", many), {})


@pytest.mark.parametrize("measure", MEASURES)
def test_a_detail_that_a_measure_does_not_have_raises(measure: str) -> None:
    quarters, meters = np.array([2024 * 4]), np.array([1])
    last = len(MEASURES[measure].details) - 1
    assert len(keys_of(measure, quarters, meters, last)) == 1
    with pytest.raises(OverflowError, match=measure):
        keys_of(measure, quarters, meters, last + 1)


def test_a_quarter_beyond_the_calendar_raises() -> None:
    meters = np.array([1])
    assert len(keys_of("meters", np.array([9999 * 4 + 3]), meters)) == 1
    with pytest.raises(OverflowError):
        keys_of("meters", np.array([2**16 - 1]), meters)
