import polars as pl
import pytest

from expectations.cells import CELL_COUNTS, CELL_KEY, CELL_SPREAD, check_cells
from expectations.run import Checker
from schemas.reasons import sentence

# Stock, stock a quarter before, declared, mode disagreements; and the reason that such a cell gets.
CASES: list[tuple[tuple[int, int | None, int | None, int | None], str | None]] = [
    ((100_000, 99_000, 100_100, 100), None),
    ((100_000, None, None, None), None),
    ((-1, None, None, None), "RUNNING_STOCK_NEGATIVE"),
    ((0, None, None, None), None),
    ((125_000, 100_000, None, None), None),
    ((125_001, 100_000, None, None), "STOCK_CHANGE_LARGE"),
    ((74_999, 100_000, None, None), "STOCK_CHANGE_LARGE"),
    ((1_000, 0, None, None), None),
    ((1_001, 0, None, None), "STOCK_CHANGE_LARGE"),
    ((100, None, 150, None), None),
    ((100, None, 151, None), "DECLARED_DIFFERS"),
    ((100_000, None, 100_500, None), None),
    ((100_000, None, 99_499, None), "DECLARED_DIFFERS"),
    ((0, None, 51, None), "DECLARED_DIFFERS"),
    ((100, None, None, 50), None),
    ((1_000, None, None, 51), "DCC_MODE_DIFFERS"),
    ((1_020, None, None, 51), None),
]


NAMES = ("running_stock", "stock_before", "declared_meters", "mode_disagreements")


def named(fuel: str, **counts: float | None) -> pl.DataFrame:
    """A row of facts; counts that are not named are not judged."""
    key = dict(zip(CELL_KEY, ("2026Q3", "BGAS", fuel), strict=True))
    schema: dict[str, type[pl.DataType]] = {
        **dict.fromkeys(CELL_KEY, pl.String),
        **dict.fromkeys(CELL_COUNTS, pl.Int64),
        CELL_SPREAD: pl.Float64,
    }
    return pl.DataFrame([key | counts], schema=schema)


def cell(fuel: str, counts: tuple[int | None, ...]) -> pl.DataFrame:
    return named(fuel, **dict(zip(NAMES, counts, strict=True)))


@pytest.mark.parametrize(("counts", "reason"), CASES)
def test_a_cell_gets_the_reason_that_holds(
    checker: Checker, counts: tuple[int | None, ...], reason: str | None
) -> None:
    found = check_cells(checker, pl.concat([cell("ELECTRICITY", CASES[0][0]), cell("GAS", counts)]))
    assert found.drop("severity").rows() == ([("2026Q3", "BGAS", "GAS", reason, sentence(reason))] if reason else [])


def test_a_stock_below_nothing_is_the_one_that_rejects(checker: Checker) -> None:
    found = check_cells(checker, pl.concat([cell("GAS", counts) for counts, _ in CASES]))
    rejecting = found.filter(pl.col("severity") == "reject")
    assert rejecting["reason_code"].to_list() == ["RUNNING_STOCK_NEGATIVE"]


def test_no_cells_give_no_findings(checker: Checker) -> None:
    assert check_cells(checker, cell("GAS", CASES[0][0]).clear()).is_empty()


MODES: list[tuple[dict[str, float], str | None]] = [
    ({"lowest_cell": -1}, "RUNNING_STOCK_NEGATIVE"),
    ({"lowest_cell": 0}, None),
    ({"unexplained": -51, "running_stock": 10_000}, "FLOW_GAP"),
    ({"unexplained": 51, "running_stock": 10_200}, None),
    ({"unexplained": 50, "running_stock": 100}, None),
    # From 8 to 2 per cent, where half a point is usual.
    (
        _share := {
            "smart": 1_000,
            "traditional": 20,
            "smart_before": 1_000,
            "traditional_before": 80,
            CELL_SPREAD: 0.5,
        },
        "TRADITIONAL_JUMP",
    ),
    (_share | {CELL_SPREAD: 1.2}, None),
    # The least spread is half a point, however steady the share was.
    (_share | {CELL_SPREAD: 0.0}, "TRADITIONAL_JUMP"),
    (_share | {"traditional": 61, CELL_SPREAD: 0.0}, None),
    ({"smart": 100, "traditional": 2, "smart_before": 100, "traditional_before": 80, CELL_SPREAD: 0.5}, None),
    ({"running_stock": 1_000, "revised_from": 1_051}, "REVISION_LARGE"),
    ({"running_stock": 1_000, "revised_from": 1_050}, None),
    ({"running_stock": 10_000, "revised_from": 10_100}, None),
]


@pytest.mark.parametrize(("counts", "reason"), MODES)
def test_modes_flows_and_revisions_get_the_reason_that_holds(
    checker: Checker, counts: dict[str, float], reason: str | None
) -> None:
    assert check_cells(checker, named("GAS", **counts))["reason_code"].to_list() == ([reason] if reason else [])
