"""Compares suppliers, and regions, in one quarter: two pages with the same layout."""

from dataclasses import dataclass

import polars as pl
from dash import html

from dashboards import queries, sentences
from dashboards.components.chart import chart
from dashboards.components.table import table_with_notes
from dashboards.figures.shares import share_dots
from dashboards.filters import Filters
from dashboards.pages.page import Content, Page
from dashboards.store import Release
from dashboards.tables import Column, Table, total_of
from dashboards.words import quarter_words, region_words, source_words


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a page compares: its file name, the stored column, and the words for one row and for all rows."""

    name: str
    column: str
    word: str
    all_words: str


SUPPLIERS = Comparison("suppliers", "source_id", "supplier", "All suppliers")
REGIONS = Comparison("regions", "region_code", "region", "All regions")


def _frame(comparison: Comparison, release: Release, filters: Filters) -> pl.DataFrame:
    frame = queries.compared_by(release, filters, comparison.column)
    words = source_words if comparison is SUPPLIERS else region_words
    labels = [words(code) for code in frame[comparison.column]]
    return frame.with_columns(pl.Series("label", labels, dtype=pl.String))


def _table(comparison: Comparison, frame: pl.DataFrame, quarter: str, filters: Filters) -> Table:
    words = quarter_words(quarter)
    columns = (
        Column("label", comparison.word.capitalize(), "label"),
        Column("smart_and_advanced", "Smart and advanced meters"),
        Column("meters", "All meters"),
        Column("smart_and_advanced", "Share smart or advanced", "share", "meters"),
        Column("smart_mode", "Share of smart meters in smart mode", "share", "smart"),
        Column("installations", f"Installed in {words}"),
    )
    caption = f"Meters by {comparison.word} at the end of {words}: {sentences.meters_of(filters)}"
    return Table(comparison.name, caption, columns, frame, total_of(frame, "label", comparison.all_words))


def _tables(comparison: Comparison, release: Release, filters: Filters) -> tuple[Table, ...]:
    quarter = filters.quarter or release.last_quarter
    return (_table(comparison, _frame(comparison, release, filters), quarter, filters),)


def _layout(comparison: Comparison, release: Release, filters: Filters) -> Content:
    frame = _frame(comparison, release, filters)
    quarter = filters.quarter or release.last_quarter
    total = total_of(frame, "label", "").row(0, named=True)
    title = f"Shares by {comparison.word} at the end of {quarter_words(quarter)}"
    figure = share_dots(frame, "label", title)
    said = sentences.best_and_least(frame, "label")
    table = table_with_notes(_table(comparison, frame, quarter, filters), filters.as_query)
    return Content(
        [html.P(f"{sentences.coverage_answer(total, quarter, filters)} {said}", className="answer")],
        [chart(f"{comparison.name}-chart", figure, f"Dot chart. {said}"), table],
    )


def supplier_layout(release: Release, filters: Filters) -> Content:
    """Returns the content of the suppliers' page."""
    return _layout(SUPPLIERS, release, filters)


def supplier_tables(release: Release, filters: Filters) -> tuple[Table, ...]:
    """Returns the suppliers' table."""
    return _tables(SUPPLIERS, release, filters)


def region_layout(release: Release, filters: Filters) -> Content:
    """Returns the content of the regions' page."""
    return _layout(REGIONS, release, filters)


def region_tables(release: Release, filters: Filters) -> tuple[Table, ...]:
    """Returns the regions' table."""
    return _tables(REGIONS, release, filters)


SUPPLIER_PAGE = Page(
    "/suppliers",
    "By supplier",
    "Smart meters by supplier",
    ("fuel", "sector", "region", "quarter"),
    supplier_layout,
    supplier_tables,
    "A meter counts for the supplier that serves it at the end of the quarter; an installation for the supplier that "
    "fitted it.",
)
REGION_PAGE = Page(
    "/regions",
    "By region",
    "Smart meters by region",
    ("fuel", "sector", "supplier", "quarter"),
    region_layout,
    region_tables,
)
