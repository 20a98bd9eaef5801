"""Tables in the shape that people read: words for codes, shares beside counts, markers in a column of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from pipelines.release.figures import ENGLAND, LARGE, PLACE, SIZE, STANDS_IN, TIDY, Table
from pipelines.release.suppliers import SMALL, group_name, group_of
from schemas.geography import GREAT_BRITAIN, regions
from schemas.quarters import quarter_text, year_of

Kind = Literal["text", "count", "share", "marker"]
MARKER: Final = "Marker"
NOT_AVAILABLE: Final = "[x]"
_HEADINGS: Final = {
    "supplier": "Supplier",
    "region": "Area",
    PLACE: "Country or region",
    SIZE: "Suppliers",
    "fuel": "Fuel",
    "sector": "Sector",
    "meter_type": "Meter type",
    "operating_mode": "Operating mode",
    "payment_mode": "Payment mode",
    "detail": "Detail",
}
_CODED: Final = ("supplier", "region", PLACE)
_SIZES: Final = {LARGE: "Large suppliers", SMALL: "Small suppliers", "": "All suppliers"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as it is read: its columns by kind, and a frame with one column each.

    Counts are integers and shares per cents with one decimal, null where they are not available. The last column has
    the markers of the row's figures.
    """

    table: Table
    columns: tuple[tuple[str, Kind], ...]
    frame: pl.DataFrame

    def names(self, kind: Kind) -> list[str]:
        """The headings of the columns of a kind."""
        return [name for name, own in self.columns if own == kind]


def shape_of(table: Table, figures: pl.DataFrame) -> Shape:
    """The table's shape from public figures (TIDY, `value`, `marker`).

    The counts are those of `figures`, so a shape says the same in every file and on every page.
    """
    own = figures.filter(pl.col("table") == table.name)
    key = ["quarter", *(STANDS_IN.get(name, name) for name in table.rows)]
    wide: pl.DataFrame | None = None
    for place, count in enumerate(table.counts):
        column = _column_of(own, table, place).select(*key, pl.col("value").alias(count.label), marker=pl.col("marker"))
        column = column.rename({"marker": f"marker {place}"})
        wide = column if wide is None else wide.join(column, on=key, how="full", coalesce=True)
    if wide is None:
        raise ValueError(f"Table {table.name} has no column of counts.")
    return _worded(table, wide.sort(key), key)


def _column_of(own: pl.DataFrame, table: Table, place: int) -> pl.DataFrame:
    """The figures of one count of a table: those with its measure and its fixed dimensions."""
    count = table.counts[place]
    free = {STANDS_IN.get(name, name) for name in table.rows}
    everyone = LARGE if table.population == "large" else ""
    fixed = {name: "" for name in TIDY[3:] if name not in free} | {"supplier": everyone} | dict(count.only)
    conditions = [pl.col(name) == value for name, value in fixed.items() if name not in free]
    return own.filter(pl.col("measure") == count.measure, *conditions)


def _worded(table: Table, wide: pl.DataFrame, key: Sequence[str]) -> Shape:
    columns: list[tuple[str, Kind]] = [("Year" if table.period in ("year", "december") else "Quarter", "text")]
    made = [_period(table).alias(columns[0][0])]
    for name, column in zip(table.rows, key[1:], strict=True):
        if name in _CODED:
            columns.append((f"{_HEADINGS[name]} code", "text"))
            made.append(pl.col(column).alias(columns[-1][0]))
        columns.append((_HEADINGS[name], "text"))
        made.append(_word(name, pl.col(column)).alias(_HEADINGS[name]))
    for count in table.counts:
        columns.append((count.label, "count"))
        made.append(pl.col(count.label))
    for share in table.shares:
        columns.append((share.label, "share"))
        made.append(percent(_sum(share.of), _sum(share.within)).alias(share.label))
    columns.append((MARKER, "marker"))
    made.append(_markers(wide).alias(MARKER))
    return Shape(table, tuple(columns), wide.select(made))


def _period(table: Table) -> pl.Expr:
    return pl.col("quarter").str.head(4) if table.period in ("year", "december") else pl.col("quarter")


def _sum(labels: Sequence[str]) -> pl.Expr:
    return pl.sum_horizontal(labels)


def percent(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A share in per cent to one decimal, halves away from zero; null where the whole is 0."""
    tenths = (part * 2_000 + whole) // (whole * 2)
    return pl.when(whole > 0).then((tenths / 10).round(1))


def _markers(wide: pl.DataFrame) -> pl.Expr:
    """Each marker that any figure of the row has, once, in alphabetical order."""
    columns = [name for name in wide.columns if name.startswith("marker ")]
    every = pl.concat_list([pl.col(name).fill_null("").str.split(" ") for name in columns])
    return every.list.unique().list.sort().list.join(" ").str.strip_chars()


def _word(name: str, codes: pl.Expr) -> pl.Expr:
    if name == "supplier":
        return codes.replace(_supplier_names())
    if name in ("region", PLACE):
        return codes.replace(_area_names())
    if name == SIZE:
        return codes.replace(_SIZES)
    if name == "detail":
        return codes
    return codes.str.replace_all("_", " ").str.to_lowercase().str.replace("^smets", "SMETS")


def _supplier_names() -> Mapping[str, str]:
    return {group: group_name(group) for group in (*group_of().values(), SMALL)}


def _area_names() -> Mapping[str, str]:
    named = {code: one.name for code, one in regions().items()}
    return named | {ENGLAND: "England", GREAT_BRITAIN: "Great Britain", "": "Not reported"}


def title_of_period(last_quarter: int) -> str:
    """A quarter in words for titles: July to September 2026."""
    months = ("January to March", "April to June", "July to September", "October to December")
    return f"{months[int(quarter_text(last_quarter)[-1]) - 1]} {year_of(last_quarter)}"
