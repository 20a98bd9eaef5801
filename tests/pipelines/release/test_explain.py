"""A published figure is explained from what its release has kept."""

import json

import polars as pl
import pytest

from pipelines.release.changes import Released
from pipelines.release.explain import NotOneFigure, cells_under, explained, figure_of
from pipelines.release.figures import ATOMS, MEASURES
from tests.pipelines.release.made import LAST, Office


@pytest.fixture
def released(office: Office) -> Released:
    name = office.release().name
    (record,) = office.store.vintages()
    figures, cells = office.store.vintage_figures(name), office.store.vintage_cells(name)
    return Released(name, record.quarter, figures, cells, json.loads(record.facts))


def test_the_cells_under_a_figure_come_close_to_it(released: Released) -> None:
    plain = released.figures.filter(
        pl.col("table").is_in(["1", "3", "8", "9", "6a"]), ~pl.col("marker").str.contains("e", literal=True)
    ).sample(60, seed=1)
    for row in plain.iter_rows(named=True):
        under = cells_under(released, row, MEASURES[row["measure"]])
        atoms = released.figures.filter(pl.col("table") == ATOMS).height
        # No atom is further than four from its count, and small suppliers' counts move by 15 per cent.
        assert abs(under["value"].sum() - row["value"]) <= min(4 * under.height, atoms) + 0.15 * row["value"]


def test_an_explanation_says_what_a_statistician_asks(released: Released) -> None:
    lines = explained(released, figure_of(released, "9", ["BGAS", "E12000007", "measure=smart_meters"]))
    text = "\n".join(lines)
    exact = released.cells.filter(
        pl.col("measure") == "meters",
        pl.col("source_id") == "BGAS",
        pl.col("region_code") == "E12000007",
        pl.col("meter_type") == "SMETS2",
    )["value"].sum()
    assert f"exactly {exact:,} (restricted)" in text
    assert "SMETS meters in either mode." in text
    assert "BGAS: received 100; late in the quarter 0" in text
    assert "Versions: rule rules-1, schema schemas-1" in text


@pytest.mark.parametrize(
    ("table", "words", "said"),
    [
        ("99", ["BGAS"], "has no table 99"),
        ("9", ["NPWR"], "No figure of table 9"),
        ("9", ["BGAS"], "figures have that; say more:"),
    ],
)
def test_words_that_do_not_name_one_figure_are_answered(
    released: Released, table: str, words: list[str], said: str
) -> None:
    with pytest.raises(NotOneFigure, match=said):
        figure_of(released, table, words)
    assert released.quarter == LAST
