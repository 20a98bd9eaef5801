"""Charts by their spec, and the alt text and the table that must say the same."""

import re
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go
import pytest
from dash.development.base_component import Component

from dashboards import pages, queries
from dashboards.figures.over_time import MODES, TYPES, coverage_lines, stacked_installations, stacked_stock
from dashboards.figures.shares import share_dots
from dashboards.filters import Filters
from dashboards.pages.page import Page
from dashboards.store import Release
from dashboards.words import count, quarter_words


def spec(figure: go.Figure) -> dict[str, Any]:
    return figure.to_plotly_json()


def test_the_stock_is_stacked_by_mode_over_every_quarter(release: Release) -> None:
    frame = queries.stock_by_quarter(release, Filters())
    drawn = spec(stacked_stock(frame, MODES, "Meters"))
    assert drawn["layout"]["meta"] == {"title": "Meters"}
    assert [one["name"] for one in drawn["data"]] == [series.name for series in MODES]
    assert {one["stackgroup"] for one in drawn["data"]} == {"meters"}
    assert list(drawn["data"][0]["x"]) == [quarter_words(quarter) for quarter in release.quarters]
    tops = [sum(values) for values in zip(*(one["y"] for one in drawn["data"]), strict=True)]
    assert tops == frame["meters"].to_list()


def test_installations_are_stacked_bars_by_type(release: Release) -> None:
    frame = queries.installations_by_quarter(release, Filters(basis="ALL"))
    drawn = spec(stacked_installations(frame, TYPES, "Fitted"))
    assert [(one["type"], one["name"]) for one in drawn["data"]] == [("bar", series.name) for series in TYPES]
    assert drawn["layout"]["barmode"] == "stack"
    tops = [sum(values) for values in zip(*(one["y"] for one in drawn["data"]), strict=True)]
    assert tops == frame["installations"].to_list()


def test_a_fuel_is_told_by_its_dashes_not_by_its_colour_alone(release: Release) -> None:
    frame = queries.coverage_by_fuel(release, Filters())
    drawn = spec(coverage_lines(frame, ("ELECTRICITY", "GAS"), "Share"))
    assert [(one["name"], one["line"]["dash"]) for one in drawn["data"]] == [("Electricity", "solid"), ("Gas", "dash")]


@pytest.mark.parametrize("series", [MODES, TYPES])
def test_neighbours_in_a_stack_differ_in_more_than_their_colour(series: tuple[Any, ...]) -> None:
    assert all(one.pattern != other.pattern for one, other in pairwise(series))


def test_the_two_shares_of_a_row_have_their_own_shapes(release: Release) -> None:
    frame = queries.compared_by(release, Filters(), "source_id")
    drawn = spec(share_dots(frame, "source_id", "Shares"))
    assert [one["marker"]["symbol"] for one in drawn["data"]] == ["circle", "diamond-open"]
    assert list(drawn["data"][0]["y"]) == frame["source_id"].to_list()


def images(components: list[Component]) -> list[Component]:
    return [part for one in components for part in one._traverse() if getattr(part, "role", None) == "img"]


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("filters", [Filters(), Filters(fuel="GAS")])
def test_every_figure_of_the_alt_text_stands_in_the_table(release: Release, page: Page, filters: Filters) -> None:
    image = images(page.layout(release, filters).figures)[0]
    alt = image.to_plotly_json()["props"]["aria-label"]
    shown = {cell.text for table in page.tables(release, filters) for row in table.rows for cell in row}
    said = re.findall(r"(?<![Q\d])\d[\d,]*(?:\.\d%)?", re.sub(r"Q\d \d{4}|SMETS\d", "", alt))
    assert len(said) >= 2
    assert set(said) <= shown


def test_the_alt_text_of_the_stock_names_each_series_with_both_ends(release: Release) -> None:
    frame = queries.stock_by_quarter(release, Filters())
    stock = next(page for page in pages.PAGES if page.path == "/stock")
    alt = images(stock.layout(release, Filters()).figures)[0].to_plotly_json()["props"]["aria-label"]
    first, last = frame["smart_mode"][0], frame["smart_mode"][-1]
    assert f"Smart, in smart mode from {count(first)} to {count(last)}" in alt
