"""Draws charts over quarters, by pure functions of a frame."""

from dataclasses import dataclass

import plotly.graph_objects as go
import polars as pl

from dashboards.figures.style import DARK_BLUE, DARK_PINK, GREY, INK, TURQUOISE, WHITE, quarter_axis, styled
from dashboards.words import quarter_words


@dataclass(frozen=True, slots=True)
class Series:
    """A series of a chart: the frame's column, its name, and a colour and a pattern that each distinguish it."""

    key: str
    name: str
    colour: str
    pattern: str = ""


MODES = (
    Series("smart_mode", "Smart, in smart mode", DARK_BLUE),
    Series("traditional", "Smart, in traditional mode", TURQUOISE, "/"),
    Series("advanced", "Advanced", DARK_PINK, "."),
    Series("non_smart", "Not smart", GREY),
)
TYPES = (
    Series("smets1", "SMETS1", TURQUOISE, "/"),
    Series("smets2", "SMETS2", DARK_BLUE),
    Series("advanced", "Advanced", DARK_PINK, "."),
    Series("non_smart", "Not smart", GREY),
)


def _pattern(series: Series) -> dict[str, object]:
    # White strokes on the series' colour, so that the pattern is visible when printed in grey.
    return {"shape": series.pattern, "fgcolor": WHITE, "bgcolor": series.colour, "size": 7, "solidity": 0.25}


def stacked_stock(frame: pl.DataFrame, series: tuple[Series, ...], title: str) -> go.Figure:
    """Draws the meters in place at the end of each quarter as stacked areas."""
    quarters = frame["quarter"].to_list()
    figure = go.Figure()
    for one in series:
        figure.add_scatter(
            x=[quarter_words(quarter) for quarter in quarters],
            y=frame[one.key].to_list(),
            name=one.name,
            mode="lines",
            stackgroup="meters",
            line={"color": INK, "width": 0.5},
            fillcolor=one.colour,
            fillpattern=_pattern(one) if one.pattern else None,
            hovertemplate="%{y:,}",
        )
    figure = quarter_axis(styled(figure, title), quarters)
    return figure.update_yaxes(tickformat=",", rangemode="tozero")


def stacked_installations(frame: pl.DataFrame, series: tuple[Series, ...], title: str) -> go.Figure:
    """Draws the meters fitted in each quarter as stacked bars."""
    quarters = frame["quarter"].to_list()
    figure = go.Figure()
    for one in series:
        figure.add_bar(
            x=[quarter_words(quarter) for quarter in quarters],
            y=frame[one.key].to_list(),
            name=one.name,
            marker={"color": one.colour, "pattern": _pattern(one) if one.pattern else None},
            hovertemplate="%{y:,}",
        )
    figure.update_layout(barmode="stack")
    figure = quarter_axis(styled(figure, title), quarters)
    return figure.update_yaxes(tickformat=",", rangemode="tozero")


def coverage_lines(frame: pl.DataFrame, fuels: tuple[str, ...], title: str) -> go.Figure:
    """Draws the share of meters that are smart or advanced, in percent: one line for each fuel, with a legend."""
    looks = {"ELECTRICITY": ("Electricity", DARK_BLUE, "solid"), "GAS": ("Gas", DARK_PINK, "dash")}
    quarters = frame["quarter"].to_list()
    figure = go.Figure()
    for fuel in fuels:
        name, colour, dash = looks[fuel]
        part, whole = frame[f"{fuel.lower()}_smart_and_advanced"], frame[f"{fuel.lower()}_meters"]
        figure.add_scatter(
            x=[quarter_words(quarter) for quarter in quarters],
            y=[100 * p / w if w else None for p, w in zip(part, whole, strict=True)],
            name=name,
            mode="lines",
            line={"color": colour, "dash": dash, "width": 3},
            hovertemplate="%{y:.1f}%",
        )
    figure = quarter_axis(styled(figure, title, 340), quarters)
    figure.update_layout(showlegend=True)
    return figure.update_yaxes(ticksuffix="%", range=[0, 100], dtick=20)
