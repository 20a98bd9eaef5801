"""Shows meters in place by operating mode, quarter by quarter."""

import polars as pl
from dash import html

from dashboards import queries, sentences
from dashboards.components.chart import chart
from dashboards.components.table import table_with_notes
from dashboards.figures.over_time import MODES, Series, stacked_stock
from dashboards.filters import Filters
from dashboards.pages.page import TIME_FILTERS, Content, Page
from dashboards.store import Release
from dashboards.tables import Column, Table


def _series(filters: Filters) -> tuple[Series, ...]:
    match filters.meter_type:
        case None:
            return MODES
        case "ADVANCED":
            return MODES[2:3]
        case "NON_SMART":
            return MODES[3:]
        case _:
            return MODES[:2]


def _table(frame: pl.DataFrame, filters: Filters) -> Table:
    series = _series(filters)
    columns = [Column("quarter", "End of quarter", "quarter")]
    columns += [Column(one.key, one.name) for one in series]
    columns += [Column("meters", "All of these meters")] if series[1:] else []
    if filters.meter_type is None:
        columns.append(Column("smart_and_advanced", "Share smart or advanced", "share", "meters"))
    if "smart_mode" in {one.key for one in series}:
        columns.append(Column("smart_mode", "Share of smart meters in smart mode", "share", "smart"))
    caption = f"Meters in place at the end of each quarter by operating mode: {sentences.meters_of(filters)}"
    return Table("stock", caption, tuple(columns), frame.reverse())


def _answer(row: dict[str, int | None], quarter: str, filters: Filters) -> str:
    if filters.meter_type is None:
        return f"{sentences.coverage_answer(row, quarter, filters)} {sentences.mode_answer(row)}"
    stock = sentences.stock_answer(row, quarter, filters)
    return f"{stock} {sentences.mode_answer(row)}" if row["smart"] else stock


def tables(release: Release, filters: Filters) -> tuple[Table, ...]:
    """Returns the page's table."""
    return (_table(queries.stock_by_quarter(release, filters), filters),)


def layout(release: Release, filters: Filters) -> Content:
    """Returns the page's content."""
    frame = queries.stock_by_quarter(release, filters)
    row = queries.in_quarter(frame, release.last_quarter)
    figure = stacked_stock(frame, _series(filters), "Meters in place at the end of each quarter")
    alt = f"Stacked area chart. {sentences.ends(frame, _series(filters))}"
    return Content(
        [html.P(_answer(row, release.last_quarter, filters), className="answer")],
        [chart("stock-chart", figure, alt), table_with_notes(_table(frame, filters), filters.as_query)],
    )


PAGE = Page(
    "/stock",
    "Stock by mode",
    "Meters in place by operating mode",
    (*TIME_FILTERS, "meter_type"),
    layout,
    tables,
    "A smart meter is in smart mode when its supplier can operate it remotely, and in traditional mode when it has to "
    "be read by hand.",
)
