"""What is checked before a release: the counts of each quarter, supplier and fuel that the suite of cells judges.

The suite itself is Great Expectations' (`expectations/suites/cells.json`); a release is handed a function that runs it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.release.suppliers import group_of
from schemas.quarters import numbers_of, quarter_number, texts_of

STOP: Final = "reject"
KEY: Final = ("quarter", "source_id", "fuel")
# How many quarters of its own history a supplier's share is held against.
_HISTORY: Final = 12
# The row of all suppliers together, for rules about flows that only balance nationally.
EVERYONE: Final = ""
Check = Callable[[pl.DataFrame], pl.DataFrame]


class ReleaseStopped(Exception):
    """The cells may not be released; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The outcome of the checks: rows judged, rules, what was found, and why it was released all the same."""

    judged: int
    rules: int
    findings: pl.DataFrame
    because: str

    def json(self) -> dict[str, Any]:
        """The outcome as a JSON value; suppliers' exact counts are not part of it."""
        rows = self.findings.drop("severity").rename({"source_id": "supplier"}).to_dicts()
        return {"cells": self.judged, "checks": self.judged * self.rules, "findings": rows, "because": self.because}


def quality_of(facts: pl.DataFrame, check: Check, rules: int, because: str) -> Quality:
    """Judges the facts. Raises ReleaseStopped for a finding that stops a release or lacks the reason it wants."""
    findings = check(facts)
    stopping = findings.filter(pl.col("severity") == STOP)
    if stopping.height:
        raise ReleaseStopped(f"The release is stopped: {_told(stopping)}")
    if findings.height and not because:
        raise ReleaseStopped(
            f"{_told(findings)} Look at it; if it is right, release with --because and the reason, which is published."
        )
    return Quality(facts.height, rules, findings, because)


def _told(findings: pl.DataFrame) -> str:
    first = findings.row(0, named=True)
    who = group_label(first["source_id"])
    more = f" And {findings.height - 1:,} findings more." if findings.height > 1 else ""
    return f"{first['reason_code']} at {who}, {first['fuel'].lower()}, {first['quarter']}. {first['sentence']}{more}"


def group_label(group: str) -> str:
    """How a finding names a supplier."""
    return group or "all suppliers"


def quality_facts(cells: pl.DataFrame, last_quarter: str, before: pl.DataFrame | None = None) -> pl.DataFrame:
    """The counts that are judged: of the last quarter, and of earlier ones what the release before said of them.

    `cells` has the columns of `ledger_cells` without the run; `before` are those of the release before, if any.
    """
    number = quarter_number(last_quarter)
    own = cells.filter(numbers_of(pl.col("quarter")) <= number).with_columns(
        source_id=pl.col("source_id").replace(group_of()), number=numbers_of(pl.col("quarter"))
    )
    series = _series(own, number)
    facts = series.filter(pl.col("number") == number)
    facts = facts.join(_declared(own, number), on=["source_id", "fuel"], how="left")
    facts = facts.join(_disagreements(own), on=["source_id", "fuel"], how="left")
    facts = facts.join(_lowest(own), on=["source_id", "fuel"], how="left")
    everyone = _flows(own, number)
    parts = [facts, everyone]
    if before is not None:
        parts.append(_revisions(series, before, number))
    judged = pl.concat([part.select(_fitted(part)) for part in parts])
    return judged.with_columns(texts_of(pl.col("number")).alias("quarter")).drop("number").sort(KEY)


_COUNTS: Final = (
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


def _fitted(part: pl.DataFrame) -> list[pl.Expr | str]:
    counts = [(pl.col(name) if name in part.columns else pl.lit(None)).cast(pl.Int64).alias(name) for name in _COUNTS]
    spread = pl.col("traditional_spread") if "traditional_spread" in part.columns else pl.lit(None, pl.Float64)
    return [pl.col("number").cast(pl.Int32), "source_id", "fuel", *counts, spread.alias("traditional_spread")]


def _series(cells: pl.DataFrame, last: int) -> pl.DataFrame:
    """Stock, smart meters and traditional mode of each supplier and fuel in every quarter from its first on."""
    smart = pl.col("meter_type").is_in(["SMETS1", "SMETS2"])
    traditional = smart & (pl.col("operating_mode") == "TRADITIONAL")
    value = pl.col("value")
    changes = (
        cells.filter(pl.col("measure") == "meters")
        .group_by("source_id", "fuel", "number")
        .agg(
            value.sum().alias("running_stock"),
            value.filter(smart).sum().alias("smart"),
            value.filter(traditional).sum().alias("traditional"),
        )
    )
    first = changes.group_by("source_id", "fuel").agg(pl.col("number").min().alias("from"))
    quarters = first.with_columns(number=pl.int_ranges("from", last + 1, dtype=pl.Int32)).explode("number").drop("from")
    key = ["source_id", "fuel"]
    names = ["running_stock", "smart", "traditional"]
    sums = quarters.join(changes, on=[*key, "number"], how="left").sort(*key, "number")
    sums = sums.with_columns(pl.col(names).fill_null(0).cum_sum().over(key))
    share = pl.col("traditional") * 100.0 / pl.col("smart").clip(lower_bound=1)
    move = (share - share.shift(1)).abs().over(key)
    spread = pl.col("move").shift(1).rolling_median(_HISTORY, min_samples=2).over(key)
    renamed = {"running_stock": "stock_before", "smart": "smart_before", "traditional": "traditional_before"}
    before = [pl.col(name).shift(1).over(key).alias(alias) for name, alias in renamed.items()]
    return sums.with_columns(*before, move=move).with_columns(traditional_spread=spread)


def _declared(cells: pl.DataFrame, number: int) -> pl.DataFrame:
    """What suppliers declared for the quarter, where they declared anything."""
    own = cells.filter(pl.col("number") == number)
    made = own.filter(pl.col("measure") == "declarations").select("source_id", "fuel").unique()
    counts = own.filter(pl.col("measure") == "declared_meters").group_by("source_id", "fuel")
    declared = counts.agg(pl.col("value").sum().alias("declared_meters"))
    return made.join(declared, on=["source_id", "fuel"], how="left").with_columns(
        pl.col("declared_meters").fill_null(0)
    )


def _disagreements(cells: pl.DataFrame) -> pl.DataFrame:
    own = cells.filter(pl.col("measure") == "mode_disagreements").group_by("source_id", "fuel")
    return own.agg(pl.col("value").sum().alias("mode_disagreements"))


def _lowest(cells: pl.DataFrame) -> pl.DataFrame:
    """The lowest that any cell of a supplier and fuel ever stood at."""
    finest = ["source_id", "region_code", "fuel", "sector", "meter_type", "operating_mode", "payment_mode"]
    own = cells.filter(pl.col("measure") == "meters").sort("number")
    running = own.group_by(*finest, "number").agg(pl.col("value").sum()).sort("number")
    stood = running.with_columns(pl.col("value").cum_sum().over(finest))
    return stood.group_by("source_id", "fuel").agg(pl.col("value").min().alias("lowest_cell"))


def _flows(cells: pl.DataFrame, number: int) -> pl.DataFrame:
    """All suppliers together: the change of stock that installations and removals do not explain."""
    own = cells.filter(pl.col("number") == number)

    def summed(measure: str) -> pl.Expr:
        return pl.col("value").filter(pl.col("measure") == measure).sum()

    gap = summed("meters") - summed("installations") + summed("removals")
    unexplained = own.group_by("fuel").agg(gap.alias("unexplained")).filter(pl.col("fuel") != "")
    stock = (
        cells.filter(pl.col("measure") == "meters").group_by("fuel").agg(pl.col("value").sum().alias("running_stock"))
    )
    joined = unexplained.join(stock, on="fuel", how="left")
    return joined.with_columns(source_id=pl.lit(EVERYONE), number=pl.lit(number, pl.Int32))


def _revisions(series: pl.DataFrame, before: pl.DataFrame, number: int) -> pl.DataFrame:
    """Smart meters in traditional mode, and all meters, of earlier quarters beside what the release before counted.

    The two are judged as rows of their own: a supplier's stock may stand while its modes were wrong.
    """
    known = before.filter(numbers_of(pl.col("quarter")) < number).with_columns(
        source_id=pl.col("source_id").replace(group_of()), number=numbers_of(pl.col("quarter"))
    )
    if known.is_empty():
        return series.clear()
    older = _series(known, number - 1)
    key = ["source_id", "fuel", "number"]
    joined = series.join(older.select(*key, pl.col("running_stock", "traditional").name.suffix("_then")), on=key)
    parts = [
        joined.select(*key, running_stock=pl.col(name), revised_from=pl.col(f"{name}_then"))
        for name in ("running_stock", "traditional")
    ]
    changed = pl.concat(parts).filter(pl.col("running_stock") != pl.col("revised_from"))
    # One row for each quarter, supplier and fuel: that of the larger revision.
    size = (pl.col("running_stock") - pl.col("revised_from")).abs()
    return changed.sort(size, descending=True).unique(subset=key, keep="first", maintain_order=True)
