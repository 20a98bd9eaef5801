"""Markers beside figures."""

import polars as pl
import pytest

from dashboards.markers import MEANINGS, bracketed, codes_of, marker_bits
from schemas.codes import MARKERS


@pytest.mark.parametrize(
    ("stored", "codes"), [("p", ("p",)), ("", ()), (None, ()), ("p;r", ("p", "r")), ("[r] [low]", ("r", "low"))]
)
def test_stored_markers_are_read_in_any_spelling(stored: str | None, codes: tuple[str, ...]) -> None:
    frame = pl.DataFrame({"marker": [stored]}, schema={"marker": pl.String}).select(marker_bits())
    assert codes_of(frame.item()) == codes


def test_a_sum_carries_the_markers_of_all_its_figures() -> None:
    frame = pl.DataFrame({"marker": ["r", "p", "p"]}).select(marker_bits().bitwise_or())
    assert bracketed(codes_of(frame.item())) == "[p] [r]"


def test_every_marker_of_the_code_list_is_explained() -> None:
    assert set(MEANINGS) == set(MARKERS)
