"""Free texts in cells: as they were sent, unless no store could hold them in a key."""

import polars as pl

from pipelines.quarterly.cellkeys import LONGEST_TEXT, named_cells, storable
from tests.builders import installed, mpan
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


def test_meters_of_such_a_local_authority_are_counted_together() -> None:
    odd = "x" * 5_000
    meters = [installed(mpan(number), local_authority_code=odd) for number in (1, 2)]
    cells = named_cells(counted(meters).cells).filter(pl.col("measure") == "meters_local")
    assert cells["value"].to_list() == [2]
    assert cells["region_code"][0].startswith("sha256:")
