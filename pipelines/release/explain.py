"""Where a public figure comes from: its definition, the exact cells under it, the records behind them, and versions.

The answer is for whoever may read the ledger: it has exact counts, and never an identifier of a meter point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.release.atoms import DIMENSIONS, STOCKS
from pipelines.release.catalogue import TABLES
from pipelines.release.changes import Released
from pipelines.release.figures import ATOMS, ENGLAND, LARGE, MEASURES, TIDY, FigureMeasure
from pipelines.release.suppliers import SMALL, group_of, membership_of
from schemas.geography import regions
from schemas.policies import published_measures
from schemas.quarters import quarter_number, year_of

_CELL_COLUMNS: Final = {"supplier": "group", "region": "region_code"}
_DELAYS_THAT_ARE_LATE: Final = ("D29-91", "D92+")
MOST_LISTED: Final = 20


class NotOneFigure(Exception):
    """The words name no figure, or several; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One public count: its tidy columns, value and marker."""

    place: dict[str, str]
    value: int
    marker: str


def figure_of(released: Released, table: str, words: Sequence[str]) -> Figure:
    """The one figure of a table that words name: `column=value`, or a value of any column. Raises NotOneFigure."""
    own = released.figures.filter(pl.col("table") == table)
    if own.is_empty():
        names = ", ".join(sorted(released.figures["table"].unique()))
        raise NotOneFigure(f"Release {released.name} has no table {table}; it has {names}.")
    for word in words:
        own = own.filter(_named_by(word))
    if own.height == 1:
        row = own.row(0, named=True)
        return Figure({name: row[name] for name in TIDY}, row["value"], row["marker"])
    if own.is_empty():
        raise NotOneFigure(f"No figure of table {table} in release {released.name} has all of: {' '.join(words)}.")
    listed = [_line(row) for row in own.head(MOST_LISTED).iter_rows(named=True)]
    more = f"\n… and {own.height - MOST_LISTED:,} more" if own.height > MOST_LISTED else ""
    raise NotOneFigure("\n".join([f"{own.height:,} figures have that; say more:", *listed]) + more)


def _named_by(word: str) -> pl.Expr:
    column, equals, value = word.partition("=")
    if equals and column in TIDY:
        return pl.col(column) == value
    return pl.any_horizontal(pl.col(name) == word for name in TIDY if name != "table")


def _line(row: dict[str, Any]) -> str:
    return " ".join(f"{name}={row[name]}" for name in TIDY if row[name] and name != "table")


def explained(released: Released, figure: Figure) -> list[str]:
    """The explanation of a figure, line by line."""
    place, facts = figure.place, released.facts
    measure = MEASURES.get(place["measure"]) or FigureMeasure(place["measure"], place["measure"], "A published cell.")
    cells = cells_under(released, place, measure)
    base, exact = facts["certificate"]["policy"]["base"], cells["value"].sum()
    versions = ", ".join(f"{name} {facts[f'{name}_version']}" for name in ("rule", "schema", "geography", "code"))
    return [
        f"Figure: {figure.value:,} {figure.marker}".rstrip() + f", release {released.name}",
        f"Where: table {place['table']}, {_line(place)}",
        f"Definition: {_definition(place['table'])} {measure.meaning}",
        f"Protected: a sum of atoms, each a multiple of {base}; exactly {exact:,} (restricted)",
        f"Cells under it: {cells.height:,}, of the measure {measure.of}",
        *_sources_of(cells),
        *_records_of(released, place),
        f"Read: {_inputs(facts)}",
        f"Versions: {versions}",
        f"Policy: disclosure {facts['disclosure_policy']}, key {facts['disclosure_key_id']}",
    ]


def _definition(name: str) -> str:
    if name == ATOMS:
        return "The finest cells that are published."
    return next(f"{one.title}. {one.definition}" for one in TABLES if one.name == name)


def cells_under(released: Released, place: dict[str, str], measure: FigureMeasure) -> pl.DataFrame:
    """The exact cells that a figure adds up, before small suppliers' timing and protection.

    The columns are those of `ledger_cells` without the run, and `group`.
    """
    only = [pl.col(name) == value for name, value in published_measures()[measure.of].only]
    own = released.cells.filter(pl.col("measure") == measure.of).with_columns(
        group=pl.col("source_id").replace(group_of())
    )
    quarter = place["quarter"]
    if measure.of in STOCKS:
        in_time = pl.col("quarter") <= quarter
    elif measure.name.endswith("_in_year"):
        in_time = pl.col("quarter").is_between(pl.lit(f"{quarter[:4]}Q1"), pl.lit(quarter))
    else:
        in_time = pl.col("quarter") == quarter
    named = [_is_in(released, name, place) for name in DIMENSIONS if place[name]]
    return own.filter(in_time, measure.which, *only, *named)


def _is_in(released: Released, name: str, place: dict[str, str]) -> pl.Expr:
    value = place[name]
    column = pl.col(_CELL_COLUMNS.get(name, name))
    if value == ENGLAND:
        return column.is_in([code for code, one in regions().items() if one.country_code == ENGLAND])
    if name == "supplier" and value in (SMALL, LARGE):
        year = year_of(quarter_number(place["quarter"]))
        named = column.is_in(list(membership_of(released.facts["membership"]).years[year]))
        return named if value == LARGE else ~named
    return column == value


def _sources_of(cells: pl.DataFrame) -> list[str]:
    groups = cells.group_by("source_id").agg(pl.col("value").sum()).sort("value", descending=True)
    return [f"  {source or 'no source'}: {value:,}" for source, value in groups.iter_rows()]


def _records_of(released: Released, place: dict[str, str]) -> list[str]:
    """What each owner behind the figure sent, and how late its events of the quarter were."""
    wanted = {group_of().get(one, one): one for one in group_of()}
    supplier = place["supplier"]
    lines = ["Records behind it, by owner (the whole run):"]
    for owner, counts in sorted(released.facts["intake"].items()):
        group = group_of().get(owner) or owner
        if supplier in wanted and group != supplier:
            continue
        told = ", ".join(f"{status} {number:,}" for status, number in sorted(counts.items()) if number)
        lines.append(f"  {owner}: {told}; late in the quarter {_late(released, owner, place['quarter']):,}")
    return lines


def _late(released: Released, owner: str, quarter: str) -> int:
    late = released.cells.filter(
        pl.col("measure") == "reporting_delay",
        pl.col("source_id") == owner,
        pl.col("quarter") == quarter,
        pl.col("detail").is_in(_DELAYS_THAT_ARE_LATE),
    )
    return int(late["value"].sum())


def _inputs(facts: Any) -> str:
    inputs = facts["inputs"]
    if "kafka" in inputs:
        ends = (
            f"{topic} {place}: 0 to {end}" for topic, parts in inputs["kafka"].items() for place, end in parts.items()
        )
        return "the log, " + "; ".join(ends)
    return f"{inputs.get('files', 0):,} files, SHA-256 {inputs.get('sha256', 'not kept')}"
