"""Queries a release for the pages, by pure functions of the release's frames and the filters.

Every frame has in `markers` the markers of all figures that went into a row, one bit for each code.
"""

import polars as pl

from dashboards.filters import COMPARABLE, EVERY, Filters
from dashboards.store import Release
from schemas.codes import METER_TYPES
from schemas.quarters import quarters_earlier

KINDS = {"SMART_MODE": "smart_mode", "TRADITIONAL": "traditional", "ADVANCED": "advanced", "NON_SMART": "non_smart"}
TYPES = {meter_type: meter_type.lower() for meter_type in METER_TYPES}
_COLUMNS = {"fuel": "fuel", "sector": "sector", "supplier": "source_id", "region": "region_code"}


def _narrowed(frame: pl.DataFrame, filters: Filters) -> pl.DataFrame:
    columns = _COLUMNS | {"meter_type": "meter_type"}
    wanted = [pl.col(column) == value for name, column in columns.items() if (value := getattr(filters, name))]
    return frame.filter(*wanted) if wanted else frame


def _sums(value: str, by: str, names: dict[str, str]) -> list[pl.Expr]:
    return [pl.col(value).filter(pl.col(by) == code).sum().alias(name) for code, name in names.items()]


def _spread(frame: pl.DataFrame, group: list[str], by: str, value: str) -> pl.DataFrame:
    """Returns one row for each group, with groups as text, one column for each value of `by`, and the row's markers."""
    names = KINDS if by == "kind" else TYPES
    small = frame.group_by([*group, by]).agg(pl.col(value).sum(), pl.col("markers").bitwise_or())
    small = small.with_columns(pl.col([*group, by]).cast(pl.String))
    return small.group_by(group).agg(*_sums(value, by, names), pl.col("markers").bitwise_or())


def _with_headlines(frame: pl.DataFrame) -> pl.DataFrame:
    smart = pl.col("smart_mode") + pl.col("traditional")
    frame = frame.with_columns(smart.alias("smart"), (smart + pl.col("advanced")).alias("smart_and_advanced"))
    return frame.with_columns((pl.col("smart_and_advanced") + pl.col("non_smart")).alias("meters"))


def stock(release: Release, filters: Filters, group: list[str]) -> pl.DataFrame:
    """Returns the meters in place, one row for each group that has any.

    Columns: the group; smart_mode, traditional, advanced, non_smart; smart (both modes), smart_and_advanced,
    meters (all); markers. Without "quarter" in the group, counts the filters' quarter or else the newest.
    """
    frame = release.stock
    if "quarter" not in group:
        frame = frame.filter(pl.col("quarter") == (filters.quarter or release.last_quarter))
    return _with_headlines(_spread(_narrowed(frame, filters), group, "kind", "meters"))


def _on_every_quarter(frame: pl.DataFrame, release: Release) -> pl.DataFrame:
    axis = pl.DataFrame({"quarter": list(release.quarters)}, schema={"quarter": pl.String})
    return axis.join(frame, on="quarter", how="left").fill_null(0).sort("quarter")


def stock_by_quarter(release: Release, filters: Filters) -> pl.DataFrame:
    """Returns `stock` for every quarter of the release, oldest first; 0 where there is no meter."""
    return _on_every_quarter(stock(release, filters, ["quarter"]), release)


def _counted(basis: str) -> pl.Expr:
    reason = pl.col("install_reason")
    if basis == EVERY:
        return pl.lit(value=True)
    if basis != COMPARABLE:
        return reason == basis
    return (reason != "SMART_FOR_SMART") & (reason != "NON_SMART_REPLACEMENT") & (pl.col("meter_type") != "NON_SMART")


def installations(release: Release, filters: Filters, group: list[str]) -> pl.DataFrame:
    """Returns the meters fitted on the filters' basis, one row for each group that has any, or any replacements.

    Columns: the group; smets1, smets2, advanced, non_smart; installations (their sum); replacements (smart meters
    that replaced smart meters, whatever the basis); markers. Without "quarter" in the group, counts the filters'
    quarter or else the newest.
    """
    frame = release.installations
    if "quarter" not in group:
        frame = frame.filter(pl.col("quarter") == (filters.quarter or release.last_quarter))
    frame = _narrowed(frame, filters)
    rows = _spread(frame.filter(_counted(filters.basis or COMPARABLE)), group, "meter_type", "installations")
    rows = rows.with_columns(pl.sum_horizontal(TYPES.values()).alias("installations"))
    again = frame.filter(pl.col("install_reason") == "SMART_FOR_SMART").group_by(group)
    replacements = again.agg(pl.col("installations").sum().alias("replacements"))
    replacements = replacements.with_columns(pl.col(group).cast(pl.String))
    return rows.join(replacements, on=group, how="full", coalesce=True).fill_null(0)


def installations_by_quarter(release: Release, filters: Filters) -> pl.DataFrame:
    """Returns `installations` for every quarter, oldest first, with the count a quarter `before` and a `year_before`.

    Both are null where the release does not reach back so far.
    """
    frame = _on_every_quarter(installations(release, filters, ["quarter"]), release)
    total = pl.col("installations")
    return frame.with_columns(total.shift(1).alias("before"), total.shift(4).alias("year_before"))


def compared_by(release: Release, filters: Filters, column: str) -> pl.DataFrame:
    """Returns stock and installations of one quarter by supplier (`source_id`) or region (`region_code`).

    Columns: those of `stock`, and installations. The highest share of smart and advanced meters comes first.
    """
    fitted = installations(release, filters, [column]).select(column, "installations", pl.col("markers").alias("more"))
    frame = stock(release, filters, [column]).join(fitted, on=column, how="full", coalesce=True).fill_null(0)
    coverage = pl.col("smart_and_advanced") / pl.col("meters")
    frame = frame.with_columns((pl.col("markers") | pl.col("more")).alias("markers")).drop("more")
    return frame.sort(coverage, pl.col("meters"), pl.col(column), descending=[True, True, False], nulls_last=True)


def coverage_by_fuel(release: Release, filters: Filters) -> pl.DataFrame:
    """Returns smart and advanced meters and all meters, in total and by fuel, for every quarter up to the chosen one.

    Columns: quarter, smart_and_advanced, meters, then electricity_smart_and_advanced and so on; markers.
    """
    fuels = stock(release, filters, ["quarter", "fuel"])
    sums = pl.col("smart_and_advanced", "meters").sum(), pl.col("markers").bitwise_or()
    frame = _on_every_quarter(fuels.group_by("quarter").agg(*sums), release)
    for fuel in ("ELECTRICITY", "GAS"):
        one = fuels.filter(pl.col("fuel") == fuel)
        columns = [pl.col(name).alias(f"{fuel.lower()}_{name}") for name in ("smart_and_advanced", "meters")]
        frame = frame.join(one.select("quarter", *columns), on="quarter", how="left")
    last = filters.quarter or release.last_quarter
    return frame.fill_null(0).filter(pl.col("quarter") <= last).sort("quarter")


def in_quarter(frame: pl.DataFrame, quarter: str) -> dict[str, int | None]:
    """Returns the row of one quarter; empty if there is none."""
    rows = frame.filter(pl.col("quarter") == quarter).to_dicts()
    return rows[0] if rows else {}


def earlier(frame: pl.DataFrame, quarter: str, steps: int, column: str) -> int | None:
    """Returns a figure from `steps` quarters before, or None if the release does not reach back so far."""
    return in_quarter(frame, quarters_earlier(quarter, steps)).get(column)
