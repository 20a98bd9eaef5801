"""Shows a chart in a page: its title as a heading, its alt text, and the figure."""

import plotly.graph_objects as go
from dash import dcc, html

from dashboards.components.aria import aria

CONFIG: dcc.Graph.Config = {"displayModeBar": False, "responsive": True, "scrollZoom": False, "doubleClick": False}


def chart(name: str, figure: go.Figure, alt: str) -> html.Figure:
    """Returns the figure as one image with an alt text, below a heading from the figure's own title."""
    layout = figure.to_plotly_json()["layout"]
    size = {"height": f"{layout['height']}px"}
    graph = dcc.Graph(id=name, figure=figure, config=CONFIG, responsive=True, style=size)
    image = html.Div(graph, className="chart", role="img", **aria("label", alt))
    return html.Figure([html.H2(layout["meta"]["title"]), image])
