"""Makes the first page: the headline figures with the answer in words, and how they developed."""

import polars as pl
from dash import html

from dashboards import queries, sentences
from dashboards.components.chart import chart
from dashboards.components.headlines import Headline, headlines
from dashboards.components.table import table_with_notes
from dashboards.figures.over_time import coverage_lines
from dashboards.filters import Filters
from dashboards.markers import bracketed, codes_of
from dashboards.pages.page import TIME_FILTERS, Content, Page
from dashboards.store import Release
from dashboards.tables import Column, Table, total_of
from dashboards.words import FUEL_WORDS, SECTOR_WORDS, count, decimal, quarter_words, share, tenths
from schemas.codes import FUELS
from schemas.quarters import quarters_earlier

HEADLINE_COLUMNS = (
    Column("smart_and_advanced", "Smart and advanced meters"),
    Column("meters", "All meters"),
    Column("smart_and_advanced", "Share smart or advanced", "share", "meters"),
)
MODE_COLUMNS = (
    Column("smart_mode", "Smart meters in smart mode"),
    Column("smart_mode", "Share of smart meters in smart mode", "share", "smart"),
)


def _fuels(filters: Filters) -> tuple[str, ...]:
    return (filters.fuel,) if filters.fuel else FUELS


def _moved(frame: pl.DataFrame, row: dict[str, int | None], quarter: str) -> str:
    year = quarters_earlier(quarter, 4)
    before = queries.in_quarter(frame, year)
    if not before.get("meters") or not row.get("meters"):
        return "There is no figure of a year before to compare with."
    now, then = (tenths(r["smart_and_advanced"] or 0, r["meters"] or 1) for r in (row, before))
    if now == then:
        return f"The same share as at the end of {quarter_words(year)}."
    direction = "Up" if now > then else "Down"
    return f"{direction} {decimal(abs(now - then))} percentage points on the end of {quarter_words(year)}."


def _stock_headlines(frame: pl.DataFrame, quarter: str) -> list[Headline]:
    row = queries.in_quarter(frame, quarter)
    smart, meters = row["smart_and_advanced"] or 0, row["meters"] or 0
    mode, all_smart, traditional = row["smart_mode"] or 0, row["smart"] or 0, row["traditional"] or 0
    marks = bracketed(codes_of(row["markers"] or 0))
    of_all = f"Of {count(meters)} meters in place at the end of {quarter_words(quarter)}."
    in_mode = f"{count(mode)} of {count(all_smart)} smart meters; {count(traditional)} were in traditional mode."
    return [
        Headline("Smart and advanced meters", count(smart), marks, of_all),
        Headline("Share of all meters", share(smart, meters), marks, _moved(frame, row, quarter)),
        Headline("Smart meters in smart mode", share(mode, all_smart), marks, in_mode),
    ]


def _installed_headline(frame: pl.DataFrame, quarter: str) -> Headline:
    row = queries.in_quarter(frame, quarter)
    before, year = sentences.comparisons(frame, quarter)
    words = f"{before[0].upper()}{before[1:]}; {year}."
    fitted = count(row["installations"] or 0)
    return Headline(f"Installed in {quarter_words(quarter)}", fitted, bracketed(codes_of(row["markers"] or 0)), words)


def _history(release: Release, filters: Filters) -> tuple[pl.DataFrame, Table]:
    frame = queries.coverage_by_fuel(release, filters)
    by_fuel = [
        Column(
            f"{fuel.lower()}_smart_and_advanced",
            f"Share, {FUEL_WORDS[fuel].lower()}",
            "share",
            f"{fuel.lower()}_meters",
        )
        for fuel in _fuels(filters)
    ]
    columns = (Column("quarter", "End of quarter", "quarter"), *HEADLINE_COLUMNS, *(by_fuel if by_fuel[1:] else ()))
    caption = f"Smart and advanced meters by quarter: {sentences.meters_of(filters)}"
    return frame, Table("home", caption, columns, frame.reverse())


def _breakdown(release: Release, filters: Filters) -> Table:
    frame = queries.stock(release, filters, ["fuel", "sector"]).sort("fuel", "sector")
    group = (
        pl.col("fuel").replace_strict(FUEL_WORDS)
        + ", "
        + pl.col("sector").replace_strict(SECTOR_WORDS).str.to_lowercase()
    )
    frame = frame.with_columns(group.alias("group"))
    quarter = quarter_words(filters.quarter or release.last_quarter)
    caption = f"Meters by fuel and sector at the end of {quarter}: {sentences.meters_of(filters)}"
    columns = (Column("group", "Fuel and sector", "label"), *HEADLINE_COLUMNS, *MODE_COLUMNS)
    return Table("home-by-fuel-and-sector", caption, columns, frame, total_of(frame, "group", "All of these"))


def tables(release: Release, filters: Filters) -> tuple[Table, ...]:
    """Returns the page's tables, in the page's order."""
    return _breakdown(release, filters), _history(release, filters)[1]


def layout(release: Release, filters: Filters) -> Content:
    """Returns the page's content."""
    quarter = filters.quarter or release.last_quarter
    stock = queries.stock_by_quarter(release, filters)
    fitted = queries.installations_by_quarter(release, filters)
    row = queries.in_quarter(stock, quarter)
    frame, history = _history(release, filters)
    figure = coverage_lines(frame, _fuels(filters), "Share of meters that are smart or advanced")
    alt = f"Line chart. {sentences.coverage_ends(frame, _fuels(filters))}"
    said = f"{sentences.coverage_answer(row, quarter, filters)} {sentences.mode_answer(row)}"
    figures = headlines([*_stock_headlines(stock, quarter), _installed_headline(fitted, quarter)])
    return Content(
        [html.P(said, className="answer"), figures],
        [
            html.H2("By fuel and sector"),
            table_with_notes(_breakdown(release, filters), filters.as_query),
            chart("home-chart", figure, alt),
            table_with_notes(history, filters.as_query),
        ],
    )


PAGE = Page("/", "Home", "Smart meters in Great Britain", (*TIME_FILTERS, "quarter"), layout, tables)
