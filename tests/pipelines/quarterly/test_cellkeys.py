"""Free texts in cells: as they were sent, unless no store could hold them in a key."""

import polars as pl
import pytest

from pipelines.quarterly.cellkeys import LONGEST_TEXT, named_cells, storable
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
