"""Shows meters fitted, quarter by quarter."""

import polars as pl
from dash import html

from dashboards import queries, sentences
from dashboards.components.chart import chart
from dashboards.components.table import table_with_notes
from dashboards.figures.over_time import TYPES, Series, stacked_installations
from dashboards.filters import COMPARABLE, EVERY, Filters
from dashboards.pages.page import TIME_FILTERS, Content, Page
from dashboards.store import Release
from dashboards.tables import Column, Table


def _series(filters: Filters) -> tuple[Series, ...]:
    if filters.meter_type:
        return tuple(one for one in TYPES if one.key == filters.meter_type.lower())
    return TYPES if filters.basis == EVERY else TYPES[:3]


def _table(frame: pl.DataFrame, filters: Filters) -> Table:
    series, basis = _series(filters), filters.basis or COMPARABLE
    columns = [Column("quarter", "Quarter", "quarter")]
    columns += [Column(one.key, one.name) for one in series]
    columns += [Column("installations", "All of these")] if series[1:] else []
    columns.append(Column("installations", "Change on the quarter before", "change", "before"))
    columns.append(Column("installations", "Change on a year before", "change", "year_before"))
    columns += [Column("replacements", "Not counted: smart for smart")] if basis == COMPARABLE else []
    caption = f"Meters fitted in each quarter: {sentences.fitted_of(filters)}"
    return Table("installations", caption, tuple(columns), frame.reverse())


def tables(release: Release, filters: Filters) -> tuple[Table, ...]:
    """Returns the page's table."""
    return (_table(queries.installations_by_quarter(release, filters), filters),)


def layout(release: Release, filters: Filters) -> Content:
    """Returns the page's content."""
    frame = queries.installations_by_quarter(release, filters)
    figure = stacked_installations(frame, _series(filters), "Meters fitted in each quarter")
    alt = f"Stacked bar chart. {sentences.ends(frame, _series(filters))}"
    return Content(
        [html.P(sentences.installations_answer(frame, release.last_quarter, filters), className="answer")],
        [chart("installations-chart", figure, alt), table_with_notes(_table(frame, filters), filters.as_query)],
    )


PAGE = Page(
    "/installations",
    "Installations",
    "Installations by quarter",
    (*TIME_FILTERS, "meter_type", "basis"),
    layout,
    tables,
    "Official statistics do not count a smart meter that replaces a smart meter, nor a meter that is not smart. "
    "This page starts from the same count and can show the others.",
)
