"""Two sources held against each other, supplier by supplier; restricted, since the counts are exact.

Flows against stock, declared against counted meters, supplier modes against the DCC's records, and how late and how
wrong each supplier's data was.
"""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from pipelines.release.changes import MOVED_ON, NEW_QUARTER
from pipelines.release.suppliers import group_of
from schemas.quarters import numbers_of, texts_of

# A declared count may differ by this many meters, or by this share of the counted ones, whichever is more.
DECLARED_METERS: Final = 50
DECLARED_SHARE: Final = 0.005
_KEY: Final = ("source_id", "fuel", "sector")
_LATE: Final = ("D29-91", "D92+")


def _grouped(cells: pl.DataFrame) -> pl.DataFrame:
    return cells.with_columns(source_id=pl.col("source_id").replace(group_of()), number=numbers_of(pl.col("quarter")))


def _sums(cells: pl.DataFrame, measure: str, name: str, key: tuple[str, ...]) -> pl.DataFrame:
    own = cells.filter(pl.col("measure") == measure)
    return own.group_by(*key, "number").agg(pl.col("value").sum().alias(name))


def flow_and_stock(cells: pl.DataFrame, quarter: str) -> pl.DataFrame:
    """For each supplier, fuel and sector of a quarter: what explains the change of its stock.

    `left` is what the other columns leave unexplained: meters that other suppliers gained, less meters that came
    without an installation or a gain, such as opening positions. Over all suppliers it should be the sum of `gains`.
    """
    own = _grouped(cells)
    number = own.filter(pl.col("quarter") == quarter)["number"].max()
    stock = own.filter(pl.col("measure") == "meters")
    parts = [
        stock.filter(pl.col("quarter") < quarter).group_by(_KEY).agg(stock_before=pl.col("value").sum()),
        stock.filter(pl.col("quarter") <= quarter).group_by(_KEY).agg(stock=pl.col("value").sum()),
    ]
    for measure, name in (("installations", "installations"), ("switches", "gains"), ("removals", "removals")):
        flows = _sums(own, measure, name, _KEY).filter(pl.col("number") == number)
        parts.append(flows.drop("number"))
    joined = pl.concat(parts, how="align").fill_null(0)
    left = pl.col("stock_before") + pl.col("installations") + pl.col("gains") - pl.col("removals") - pl.col("stock")
    return joined.with_columns(quarter=pl.lit(quarter), left=left).sort(_KEY)


def declared_against_counted(cells: pl.DataFrame, quarter: str) -> pl.DataFrame:
    """For each supplier, fuel and sector that declared its meters: declared, counted, and whether they differ much."""
    own = _grouped(cells)
    made = own.filter(pl.col("measure") == "declarations", pl.col("quarter") == quarter).select(_KEY).unique()
    declared = own.filter(pl.col("measure") == "declared_meters", pl.col("quarter") == quarter)
    declared = declared.group_by(_KEY).agg(declared=pl.col("value").sum())
    counted = own.filter(pl.col("measure") == "meters", pl.col("quarter") <= quarter)
    counted = counted.group_by(_KEY).agg(counted=pl.col("value").sum())
    joined = made.join(declared, on=_KEY, how="left").join(counted, on=_KEY, how="left").fill_null(0)
    gap = pl.col("declared") - pl.col("counted")
    allowed = pl.max_horizontal(pl.lit(DECLARED_METERS), pl.col("counted") * DECLARED_SHARE)
    return joined.with_columns(gap=gap, too_large=(gap.abs() > allowed)).sort(_KEY)


def modes_against_dcc(cells: pl.DataFrame, quarter: str) -> pl.DataFrame:
    """For each supplier and region: SMETS meters at the quarter's end, and those whose mode the DCC contradicts."""
    own = _grouped(cells).filter(pl.col("quarter") <= quarter)
    key = ("source_id", "region_code")
    smart = own.filter(pl.col("measure") == "meters", pl.col("meter_type").is_in(["SMETS1", "SMETS2"]))
    smart = smart.group_by(key).agg(smart=pl.col("value").sum())
    contradicted = own.filter(pl.col("measure") == "mode_disagreements").group_by(key)
    joined = smart.join(contradicted.agg(contradicted=pl.col("value").sum()), on=key, how="left").fill_null(0)
    share = (pl.col("contradicted") * 100 / pl.col("smart")).round(1)
    return joined.filter(pl.col("smart") > 0).with_columns(contradicted_percent=share).sort(key)


def scorecard(cells: pl.DataFrame, facts: Mapping[str, Any], changes: pl.DataFrame | None = None) -> pl.DataFrame:
    """How late and how wrong each supplier's data was, one row a supplier and quarter.

    `events` stand and took effect in the quarter; `late_percent` of them came after 28 days; `inconsistent` contradict
    the history of their meter. The records by status are those of the whole run. `changed_figures` and `largest_change`
    are the supplier's public figures of the quarter that differ from the release before (see `changes_between`).
    """
    own = _grouped(cells)
    key = ("source_id", "number")
    delays = (
        own.filter(pl.col("measure") == "reporting_delay")
        .group_by(key)
        .agg(events=pl.col("value").sum(), late=pl.col("value").filter(pl.col("detail").is_in(_LATE)).sum())
    )
    wrong = own.filter(pl.col("measure") == "inconsistent").group_by(key).agg(inconsistent=pl.col("value").sum())
    card = delays.join(wrong, on=key, how="left").with_columns(pl.col("inconsistent").fill_null(0))
    card = card.with_columns(
        late_percent=(pl.col("late") * 100 / pl.col("events")).round(1), quarter=texts_of(pl.col("number"))
    )
    card = card.join(_records(facts), on="source_id", how="left")
    effect = _effect(changes) if changes is not None else pl.DataFrame(schema=_EFFECT)
    columns = ("quarter", "source_id", "events", "late_percent", "inconsistent", *_STATUSES, *list(_EFFECT)[2:])
    joined = card.join(effect, on=["quarter", "source_id"], how="left")
    return joined.with_columns(pl.col(pl.Int64).fill_null(0)).select(columns).sort("quarter", "source_id")


_STATUSES: Final = ("received", "rejected", "superseded", "duplicate", "pending")
_EFFECT: Final = {
    "quarter": pl.String,
    "source_id": pl.String,
    "changed_figures": pl.Int64,
    "largest_change": pl.Int64,
}


def _records(facts: Mapping[str, Any]) -> pl.DataFrame:
    rows: dict[str, dict[str, int]] = {}
    for owner, counts in facts["intake"].items():
        row = rows.setdefault(group_of().get(owner) or owner, dict.fromkeys(_STATUSES, 0))
        for status in _STATUSES:
            row[status] += counts.get(status, 0)
    listed = [(group, *row.values()) for group, row in rows.items()]
    return pl.DataFrame(listed, schema={"source_id": pl.String, **dict.fromkeys(_STATUSES, pl.Int64)}, orient="row")


def _effect(changes: pl.DataFrame) -> pl.DataFrame:
    size = (pl.col("new").fill_null(0) - pl.col("old").fill_null(0)).abs()
    revised = changes.filter(pl.col("supplier") != "", ~pl.col("why").is_in([NEW_QUARTER, MOVED_ON]))
    grouped = revised.rename({"supplier": "source_id"}).group_by("quarter", "source_id")
    return grouped.agg(pl.len().cast(pl.Int64).alias("changed_figures"), size.max().alias("largest_change"))


def restricted_counts(cells: pl.DataFrame, measure: str) -> pl.DataFrame:
    """The exact cells of a measure that is restricted by supplier: quarter, supplier, fuel, detail, value."""
    own = cells.filter(pl.col("measure") == measure)
    return own.select("quarter", "source_id", "fuel", "detail", "value").sort("quarter", "source_id", "fuel", "detail")
