"""Draws charts that compare suppliers or regions in one quarter, by pure functions of a frame."""

import plotly.graph_objects as go
import polars as pl

from dashboards.figures.style import DARK_BLUE, DARK_PINK, FRAME_HEIGHT, ROW_HEIGHT, RULE, styled


def _percent(frame: pl.DataFrame, part: str, whole: str) -> list[float | None]:
    return [100 * p / w if w else None for p, w in zip(frame[part], frame[whole], strict=True)]


def share_dots(frame: pl.DataFrame, label: str, title: str) -> go.Figure:
    """Draws two dots for each row: the shares of meters smart or advanced, and of smart meters in smart mode."""
    rows = frame[label].to_list()
    figure = go.Figure()
    for part, whole, name, colour, symbol in (
        ("smart_and_advanced", "meters", "Smart or advanced", DARK_BLUE, "circle"),
        ("smart_mode", "smart", "Smart meters in smart mode", DARK_PINK, "diamond-open"),
    ):
        marker = {"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2.5, "color": colour}}
        shares = _percent(frame, part, whole)
        figure.add_scatter(x=shares, y=rows, name=name, mode="markers", marker=marker, hovertemplate="%{x:.1f}%")
    figure = styled(figure, title, FRAME_HEIGHT + ROW_HEIGHT * max(len(rows), 1))
    figure.update_layout(hovermode="y unified")
    figure.update_xaxes(range=[0, 102], ticksuffix="%", dtick=25, showgrid=True, gridcolor=RULE)
    return figure.update_yaxes(type="category", autorange="reversed", gridcolor=RULE, ticks="")
