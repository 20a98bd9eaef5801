"""Styles every chart: one font, few lines, colours that differ in lightness and never carry the meaning alone."""

import plotly.graph_objects as go

from dashboards.words import quarter_words

DARK_BLUE = "#12436D"
TURQUOISE = "#28A197"
DARK_PINK = "#801650"
GREY = "#CDD1D4"
WHITE = "#FFFFFF"
INK = "#0B0C0C"
RULE = "#D8DBDC"
TEXT_SIZE = 14
ROW_HEIGHT = 30
FRAME_HEIGHT = 110
MOST_TICKS = 7


def styled(figure: go.Figure, title: str, height: int = 400) -> go.Figure:
    """Sets the site's style on the figure and returns it; the figure keeps its title, which the page shows."""
    figure.update_layout(
        meta={"title": title},
        template="none",
        height=height,
        font={"family": "Arial, sans-serif", "size": TEXT_SIZE, "color": INK},
        margin={"l": 8, "r": 16, "t": 8, "b": 8},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        hovermode="x unified",
        hoverlabel={"font": {"family": "Arial, sans-serif", "size": TEXT_SIZE}},
        separators=".,",
        bargap=0.15,
    )
    figure.update_xaxes(automargin=True, showgrid=False, zeroline=False, linecolor=INK, fixedrange=True)
    figure.update_yaxes(automargin=True, gridcolor=RULE, zeroline=False, fixedrange=True, ticklabelstandoff=6)
    return figure


def quarter_axis(figure: go.Figure, quarters: list[str]) -> go.Figure:
    """Sets the x axis to quarters, labelled at the first of a year, with only as many labels as fit on a phone."""
    starts = [quarter for quarter in quarters if quarter.endswith("Q1")] or quarters[:1]
    step = -(-len(starts) // MOST_TICKS)
    shown = [quarter_words(quarter) for quarter in starts[::step]]
    years = [words.split()[1] if len(starts) > 1 else words for words in shown]
    figure.update_xaxes(type="category", tickmode="array", tickvals=shown, ticktext=years, tickangle=0, ticks="outside")
    return figure
