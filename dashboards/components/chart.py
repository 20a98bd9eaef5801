"""A chart in a page: its title as a heading, its alt text, and the figure."""

import plotly.graph_objects as go
from dash import dcc, html

CONFIG = {"displayModeBar": False, "responsive": True, "scrollZoom": False, "doubleClick": False}


def chart(name: str, figure: go.Figure, alt: str) -> html.Figure:
    """The figure as one image with an alt text; the heading comes from the figure's own title."""
    height = f"{figure.layout.height}px"
    graph = dcc.Graph(id=name, figure=figure, config=CONFIG, responsive=True, style={"height": height})
    image = html.Div(graph, className="chart", role="img", **{"aria-label": alt})
    return html.Figure([html.H2(figure.layout.meta["title"]), image])
