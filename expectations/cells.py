"""Checks on the cells of a quarter before it is released.

Stock is compared with the quarter before and with flows, declared meters with counted ones, the DCC with suppliers,
modes with their history, and the release with the one before. The rules are in `suites/cells.json`; a `reject` stops a
release, a `warning` needs an explanation. This module only computes the columns that the rules name.
"""

from typing import TYPE_CHECKING

import polars as pl

from expectations.run import CELLS, ROW
from schemas.reasons import reasons

if TYPE_CHECKING:
    from expectations.run import Checker

CELL_KEY = ("quarter", "source_id", "fuel")
CELL_COUNTS = (
    "running_stock",
    "stock_before",
    "lowest_cell",
    "declared_meters",
    "mode_disagreements",
    "smart",
    "traditional",
    "smart_before",
    "traditional_before",
    "unexplained",
    "revised_from",
)
# How far the share of traditional mode usually moves in a quarter, in percentage points (Float64).
CELL_SPREAD = "traditional_spread"
# A smaller move is never a jump, however steady the share was.
_LEAST_MOVE = 2.0
_LEAST_SPREAD = 0.5
CELL_FINDINGS = (*CELL_KEY, "reason_code", "severity", "sentence")


def _percent(part: str, whole: str) -> pl.Expr:
    # The whole is at least one meter, so that a comparison with nothing is a large percentage, not an undefined one.
    return pl.col(part) * 100.0 / pl.col(whole).clip(lower_bound=1)


def cell_facts(cells: pl.DataFrame) -> pl.DataFrame:
    """Returns the facts that the suite judges, one row a cell.

    Meters are absolute differences, percentages are relative to the number compared with.
    """
    counts = cells.with_row_index(ROW).with_columns(
        change_meters=(pl.col("running_stock") - pl.col("stock_before")).abs(),
        declared_gap_meters=(pl.col("declared_meters") - pl.col("running_stock")).abs(),
    )
    counts = counts.with_columns(
        unexplained_meters=pl.col("unexplained").abs(),
        revision_meters=(pl.col("running_stock") - pl.col("revised_from")).abs(),
    )
    return counts.with_columns(
        change_percent=_percent("change_meters", "stock_before"),
        declared_gap_percent=_percent("declared_gap_meters", "running_stock"),
        mode_disagreement_percent=_percent("mode_disagreements", "running_stock"),
        unexplained_percent=_percent("unexplained_meters", "running_stock"),
        revision_percent=_percent("revision_meters", "revised_from"),
        traditional_jump=_jump(),
    )


def _jump() -> pl.Expr:
    """Returns the move of the share of traditional mode in spreads: null without a history, 0 for a small move."""
    move = (_percent("traditional", "smart") - _percent("traditional_before", "smart_before")).abs()
    spread = pl.col(CELL_SPREAD).clip(lower_bound=_LEAST_SPREAD)
    return pl.when(move < _LEAST_MOVE).then(0.0).otherwise(move / spread)


def check_cells(checker: "Checker", cells: pl.DataFrame) -> pl.DataFrame:
    """Returns a sorted row for each failed cell and rule: quarter, source_id, fuel, reason_code, severity, sentence.

    `cells` has one row for each quarter, source and fuel with CELL_KEY (String), CELL_COUNTS (Int64) and CELL_SPREAD.
    The counts are the stock at the quarter's end, a quarter before and of its lowest cell; the declared meters; those
    whose inferred mode differs; smart meters and those in traditional mode, now and before; the change that flows do
    not explain; and the stock in the release before. A null count is not judged.
    """
    facts = cell_facts(cells)
    told = {code: reason.sentence for code, reason in reasons().items()}
    found = checker.check(CELLS, facts).join(facts.select(ROW, *CELL_KEY), on=ROW, how="left")
    sentence = pl.col("reason_code").replace_strict(told, return_dtype=pl.String)
    return found.with_columns(sentence=sentence).select(*CELL_FINDINGS).sort(*CELL_KEY, "reason_code")
