"""Surrounds every page with a skip link, header, navigation, the notice about the data and footer."""

from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from dashboards.components.aria import aria

SERVICE_NAME = "Smart meter rollout statistics"
NOT_GOVERNMENT = "This is not a government service."


@dataclass(frozen=True, slots=True)
class Link:
    """A link in the navigation."""

    words: str
    href: str
    current: bool


def _navigation(links: list[Link]) -> html.Nav:
    items = [
        html.Li(html.A(link.words, href=link.href, **(aria("current", "page") if link.current else {})))
        for link in links
    ]
    return html.Nav(html.Ul(items), className="width", **aria("label", "Pages"))


def _footer(notice: str, release_words: str) -> html.Footer:
    lines = [line for line in (notice and f"{notice}.", NOT_GOVERNMENT, release_words) if line]
    return html.Footer(html.Div([html.P(line) for line in lines], className="width"))


def page_frame(main: list[Component], links: list[Link], notice: str, release_words: str) -> html.Div:
    """Returns a whole page: the content between header and footer, with the notice above the content."""
    strong = [html.Strong(notice), ". "] if notice else []
    banner = html.Div(html.P([*strong, NOT_GOVERNMENT], className="width"), className="banner")
    name = html.A(SERVICE_NAME, href="/", className="service-name")
    header = html.Header([html.Div(name, className="width"), _navigation(links)])
    return html.Div(
        [
            html.A("Skip to main content", href="#main", className="skip-link"),
            header,
            html.Section(banner, **aria("label", "About this data")),
            html.Main(main, id="main", className="width", tabIndex="-1"),
            _footer(notice, release_words),
        ],
        className="page",
    )
