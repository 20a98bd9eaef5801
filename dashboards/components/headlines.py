"""Shows headline figures: a name, a large figure with its markers, and a sentence."""

from dataclasses import dataclass

from dash import html


@dataclass(frozen=True, slots=True)
class Headline:
    """One headline figure and the sentence below it."""

    name: str
    figure: str
    markers: str
    sentence: str


def _headline(headline: Headline) -> html.Div:
    marker = [html.Span(f" {headline.markers}", className="marker")] if headline.markers else []
    figure = html.Dd([headline.figure, *marker], className="figure")
    return html.Div([html.Dt(headline.name), figure, html.Dd(headline.sentence)], className="headline")


def headlines(figures: list[Headline]) -> html.Dl:
    """Returns the headline figures side by side."""
    return html.Dl([_headline(figure) for figure in figures], className="headlines")
