"""Annual installation targets: base and coverage at 31 December, target, progress, shortfall and pace.

The formula is dated policy (`policies/targets.toml`); what is not verified there says so in every row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import polars as pl

from pipelines.release.figures import ATOMS
from schemas.policies import Tolerance, policy, tolerances
from schemas.quarters import QUARTERS_A_YEAR, numbers_of, place_in_year, quarter_of_year

_KEY: Final = ("supplier", "fuel", "sector")
_QUALIFYING_TYPES: Final = ("SMETS1", "SMETS2", "ADVANCED")


@dataclass(frozen=True, slots=True)
class Target:
    """A target and how far it was met, in meters; `progress_percent` is null where there is no target.

    `expected` is what the pace so far comes to by the end of the year.
    """

    base: int
    coverage_percent: float
    target: int
    done: int
    progress_percent: float | None
    shortfall: int
    expected: int


def target_number(base: int, qualifying: int, years_left: int, tolerance_percent: float) -> int:
    """max(0, round(base x ((1 - coverage) / years left - tolerance))), halves upwards; 0 for an empty base."""
    if base == 0:
        return 0
    missing = Decimal(base - qualifying) / Decimal(years_left)
    wanted = missing - Decimal(base) * Decimal(str(tolerance_percent)) / 100
    return max(0, int(wanted.quantize(Decimal(1), ROUND_HALF_UP)))


def target_of(base: int, qualifying: int, done: int, tolerance: Tolerance, quarters: int = QUARTERS_A_YEAR) -> Target:
    """The target of a year from its base, with what was done in a number of its quarters (1 to 4)."""
    target = target_number(base, qualifying, tolerance.years_left, tolerance.percent)
    coverage = round(100 * qualifying / base, 1) if base else 0.0
    progress = round(100 * done / target, 1) if target else None
    expected = done * QUARTERS_A_YEAR // quarters
    return Target(base, coverage, target, done, progress, max(0, target - done), expected)


def targets_frame(figures: pl.DataFrame, last_quarter: int) -> pl.DataFrame:
    """The targets of each year, supplier, fuel and sector that has a base, from published atoms.

    Of a year that has no tolerance, because there was no target or none is known, there is no row.
    """
    atoms = figures.filter(pl.col("table") == ATOMS).with_columns(number=numbers_of(pl.col("quarter")))
    rows = [row for tolerance in tolerances().values() for row in _rows(atoms, tolerance, last_quarter)]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("year", "supplier", "fuel", "sector")


def _rows(atoms: pl.DataFrame, tolerance: Tolerance, last_quarter: int) -> Iterator[tuple[object, ...]]:
    first = quarter_of_year(tolerance.year, 1)
    if first > last_quarter:
        return
    until = min(last_quarter, quarter_of_year(tolerance.year, QUARTERS_A_YEAR))
    sector = atoms.filter(pl.col("sector") == tolerance.sector)
    bases = sector.filter(pl.col("measure") == "meters", pl.col("number") == first - 1)
    qualifying = pl.col("meter_type").is_in(_QUALIFYING_TYPES)
    base = bases.group_by(_KEY).agg(base=pl.col("value").sum(), qualifying=pl.col("value").filter(qualifying).sum())
    fitted = sector.filter(
        pl.col("measure") == "installations",
        pl.col("number").is_between(first, until),
        qualifying,
        pl.col("detail").is_in(policy("targets")["qualifying"][0]["reasons"]),
    )
    done = fitted.group_by(_KEY).agg(done=pl.col("value").sum())
    for row in base.join(done, on=_KEY, how="left").with_columns(pl.col("done").fill_null(0)).iter_rows(named=True):
        found = target_of(row["base"], row["qualifying"], row["done"], tolerance, place_in_year(until))
        words = (str(tolerance.year), *(row[name] for name in _KEY), regime_of(tolerance.year), tolerance.years_left)
        numbers = (found.base, found.coverage_percent, found.target, found.done)
        outcome = (found.progress_percent, found.shortfall, found.expected)
        yield (*words, tolerance.percent, *numbers, *outcome, tolerance.basis, "yes" if tolerance.verified else "no")


_SCHEMA: Final = {
    "year": pl.String,
    "supplier": pl.String,
    "fuel": pl.String,
    "sector": pl.String,
    "regime": pl.String,
    "years_left": pl.Int64,
    "tolerance_percent": pl.Float64,
    "base": pl.Int64,
    "coverage_percent": pl.Float64,
    "target": pl.Int64,
    "done": pl.Int64,
    "progress_percent": pl.Float64,
    "shortfall": pl.Int64,
    "expected_by_year_end": pl.Int64,
    "basis_of_tolerance": pl.String,
    "verified": pl.String,
}


def regime_of(year: int) -> str:
    """The name of the regime in force at the end of a year."""
    named = [one["name"] for one in policy("targets")["regime"] if one["from"].year <= year]
    return str(named[-1]) if named else ""
