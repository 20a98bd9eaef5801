"""Checks on the cells of a quarter: stock against the quarter before, declared against counted, DCC against supplier.

The rules are in `suites/cells.json`. Here the counts are only put into the columns that the rules name.
"""

from typing import TYPE_CHECKING

import polars as pl

from expectations.run import CELLS, ROW
from schemas.reasons import reasons

if TYPE_CHECKING:
    from expectations.run import Checker

CELL_KEY = ("quarter", "source_id", "fuel")
CELL_COUNTS = ("running_stock", "stock_before", "declared_meters", "mode_disagreements")
CELL_FINDINGS = (*CELL_KEY, "reason_code", "severity", "sentence")


def _percent(part: str, whole: str) -> pl.Expr:
    # Of at least one meter, so that much against nothing is a large per cent and not an undefined one.
    return pl.col(part) * 100.0 / pl.col(whole).clip(lower_bound=1)


def cell_facts(cells: pl.DataFrame) -> pl.DataFrame:
    """What the suite judges, one row a cell: meters are absolute numbers, per cents relate to what is compared with."""
    counts = cells.with_row_index(ROW).with_columns(
        change_meters=(pl.col("running_stock") - pl.col("stock_before")).abs(),
        declared_gap_meters=(pl.col("declared_meters") - pl.col("running_stock")).abs(),
    )
    return counts.with_columns(
        change_percent=_percent("change_meters", "stock_before"),
        declared_gap_percent=_percent("declared_gap_meters", "running_stock"),
        mode_disagreement_percent=_percent("mode_disagreements", "running_stock"),
    )


def check_cells(checker: "Checker", cells: pl.DataFrame) -> pl.DataFrame:
    """One row for each cell and rule that failed: quarter, source_id, fuel, reason_code, severity, sentence; sorted.

    `cells` has one row a cell with CELL_KEY (String) and CELL_COUNTS (Int64): the stock at the quarter's end and a
    quarter before, the meters declared, the meters whose inferred mode differs. A null count is not judged.
    """
    facts = cell_facts(cells)
    told = {code: reason.sentence for code, reason in reasons().items()}
    found = checker.check(CELLS, facts).join(facts.select(ROW, *CELL_KEY), on=ROW, how="left")
    sentence = pl.col("reason_code").replace_strict(told, return_dtype=pl.String)
    return found.with_columns(sentence=sentence).select(*CELL_FINDINGS).sort(*CELL_KEY, "reason_code")
