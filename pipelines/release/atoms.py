"""Atoms: the finest cells that are published, exact, and as they are protected.

An atom is a measure and the dimensions that `policies/disclosure.toml` keeps of it. Its quarter and the release are no
part of its identity, so that it is rounded with the same offset for ever (docs/releases.md).
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.release.suppliers import SMALL, Membership, group_of, last_report_of_small
from schemas.policies import PublishedMeasure, published_measures
from schemas.quarters import numbers_of, quarter_number, texts_of

# The official series begins here; what was in place before is the stock of this quarter.
FIRST_QUARTER: Final = quarter_number("2012Q4")
DIMENSIONS: Final = (
    "supplier",
    "region",
    "fuel",
    "sector",
    "meter_type",
    "operating_mode",
    "payment_mode",
    "detail",
)
IDENTITY: Final = ("measure", *DIMENSIONS)
# Measures whose cells are changes: what is published of them is their running sum.
STOCKS: Final = ("meters", "meters_local", "mode_disagreements")
_QUARTERS_A_YEAR: Final = 4
COLUMNS: Final = (*IDENTITY, "quarter", "contributor")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a release covers: its last quarter, and which suppliers it names."""

    last_quarter: int
    membership: Membership

    @property
    def small_until(self) -> int:
        """The newest quarter that holds figures of small suppliers."""
        return last_report_of_small(self.last_quarter)


def exact_atoms(cells: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """The exact value of every atom, quarter and contributor that is not 0.

    `cells` has the columns of `ledger_cells` without the run. The result has IDENTITY, `quarter` (Int32), `contributor`
    (the group whose meters or events they are), `value` (Int64), and `estimated`: whether a small supplier's value is
    that of its last report. Stocks have a row for each quarter at whose end they are not 0; they may be negative.
    """
    known = cells.filter(pl.col("measure").is_in(list(published_measures()))).with_columns(
        contributor=pl.col("source_id").replace(group_of()), number=numbers_of(pl.col("quarter"))
    )
    parts = [_atoms_of(known, measure, scope) for measure in published_measures().values()]
    return pl.concat(parts).sort(COLUMNS)


def _atoms_of(cells: pl.DataFrame, measure: PublishedMeasure, scope: Scope) -> pl.DataFrame:
    only = [pl.col(name) == value for name, value in measure.only]
    own = cells.filter(pl.col("measure") == measure.name, pl.col("number") <= scope.last_quarter, *only)
    kept = [name if name in measure.keeps else "" for name in DIMENSIONS[1:]]
    stored = {"region": "region_code"}
    dimensions = [
        (pl.col(stored.get(name, name)) if kept_name else pl.lit("")).alias(name)
        for name, kept_name in zip(DIMENSIONS[1:], kept, strict=True)
    ]
    values = own.select("measure", *dimensions, pl.col("number").alias("quarter"), "contributor", "value")
    if measure.name in STOCKS:
        values = _running(values, scope.last_quarter)
    else:
        values = values.filter(pl.col("quarter") >= FIRST_QUARTER)
    values = values.filter((pl.col("quarter") % _QUARTERS_A_YEAR + 1).is_in(list(measure.quarters_of_year)))
    return _by_supplier(values, measure, scope)


def _running(changes: pl.DataFrame, last_quarter: int) -> pl.DataFrame:
    """The sum of all changes up to each quarter from FIRST_QUARTER, wherever it is not 0."""
    key = [name for name in changes.columns if name not in ("quarter", "value")]
    by_quarter = changes.with_columns(pl.col("quarter").clip(lower_bound=FIRST_QUARTER))
    summed = by_quarter.group_by(*key, "quarter").agg(pl.col("value").sum()).sort(*key, "quarter")
    until = pl.col("quarter").shift(-1).over(key).fill_null(last_quarter + 1)
    spells = summed.with_columns(pl.col("value").cum_sum().over(key), until=until).filter(pl.col("value") != 0)
    quarters = spells.with_columns(pl.int_ranges("quarter", "until", dtype=pl.Int32).alias("quarter"))
    return quarters.explode("quarter").select(changes.columns)


def _by_supplier(values: pl.DataFrame, measure: PublishedMeasure, scope: Scope) -> pl.DataFrame:
    """Values by atom, quarter and contributor: each in its own name, in SMALL, or in nobody's."""
    key = [*IDENTITY, "quarter", "contributor"]
    if measure.name in STOCKS and "supplier" not in measure.keeps:
        values = values.with_columns(supplier=pl.lit(""))
    else:
        named = scope.membership.frame().rename({"group": "contributor"})
        with_year = values.with_columns(year=(pl.col("quarter") // _QUARTERS_A_YEAR).cast(pl.Int32))
        joined = with_year.join(named, on=["year", "contributor"], how="left")
        values = _as_small_suppliers_report(joined, measure, scope)
        if "supplier" not in measure.keeps:
            values = values.with_columns(supplier=pl.lit(""))
    if "estimated" not in values.columns:
        values = values.with_columns(estimated=pl.lit(value=False))
    grouped = values.group_by(key).agg(pl.col("value").sum(), pl.col("estimated").any())
    return grouped.filter(pl.col("value") != 0).with_columns(pl.col("quarter").cast(pl.Int32))


def _as_small_suppliers_report(values: pl.DataFrame, measure: PublishedMeasure, scope: Scope) -> pl.DataFrame:
    """Small suppliers' values up to their last report; from there on their stock as it was then."""
    small = pl.col("supplier").is_null()
    reported = values.filter(~small | (pl.col("quarter") <= scope.small_until))
    reported = reported.with_columns(pl.col("supplier").fill_null(SMALL), estimated=pl.lit(value=False))
    if measure.name not in STOCKS:
        return reported
    last = reported.filter(pl.col("supplier") == SMALL, pl.col("quarter") == scope.small_until)
    later = pl.int_range(scope.small_until + 1, scope.last_quarter + 1, dtype=pl.Int32).alias("later")
    carried = last.join(pl.select(later), how="cross").with_columns(
        pl.col("later").cast(last.schema["quarter"]).alias("quarter"), estimated=pl.lit(value=True)
    )
    return pl.concat([reported, carried.select(reported.columns)])


def quarters_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its quarters as they are written."""
    return frame.with_columns(texts_of(pl.col("quarter")).alias("quarter"))
