"""Makes every page, with the frame around its content."""

import functools
from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from dashboards.components.filter_form import filter_form
from dashboards.components.frame import SERVICE_NAME, Link, page_frame
from dashboards.errors import StoreUnreadable
from dashboards.filters import NAMES, Filters, Parsed, form_fields, parse
from dashboards.pages import compared, home, installations, problem, stock
from dashboards.pages.page import Page
from dashboards.pages.problem import Problem
from dashboards.store import PublishedStore, Release

PAGES = (home.PAGE, stock.PAGE, installations.PAGE, compared.SUPPLIER_PAGE, compared.REGION_PAGE)
BY_PATH = {page.path: page for page in PAGES}
DEFINITIONS = (
    ("Smart meter", "a SMETS1 or SMETS2 meter, in smart or in traditional mode."),
    ("Smart mode", "the supplier can operate the meter remotely; in traditional mode it has to be read by hand."),
    ("Advanced meter", "a meter in business premises that stores readings and can be read from afar."),
    ("Share smart or advanced", "smart and advanced meters out of all meters. Electricity and gas meters count apart."),
    (
        "Installed",
        "smart and advanced meters fitted in the quarter; smart meters that replaced smart meters do not count again.",
    ),
    ("Quarter", "a calendar quarter by the local date in Great Britain; stock is counted at its end."),
)


@dataclass(frozen=True, slots=True)
class View:
    """A page as sent: its title, the response's status and its components."""

    title: str
    status: int
    body: html.Div


def _links(path: str, filters: Filters) -> list[Link]:
    """Returns a link to each page, with those of the current filters that it offers too."""
    links = []
    for page in PAGES:
        query = filters.only(name for name in NAMES if name in page.filters).as_query
        links.append(Link(page.name, page.path + (f"?{query}" if query else ""), page.path == path))
    return links


def _notices(notices: tuple[str, ...]) -> list[Component]:
    if not notices:
        return []
    heading = html.P(html.Strong("Not every filter in the address could be used"))
    return [html.Div([heading, html.Ul([html.Li(notice) for notice in notices])], className="notice")]


def _definitions() -> html.Section:
    items = [html.Div([html.Dt(word), html.Dd(meaning)]) for word, meaning in DEFINITIONS]
    return html.Section([html.H2("What the words mean"), html.Dl(items)], className="definitions")


def _published(release: Release) -> str:
    day = release.published_at
    return f"{release.title}, published {day.day} {day:%B %Y}. Release: {release.key.vintage}."


def _content(page: Page, release: Release, parsed: Parsed) -> list[Component]:
    offered = tuple(field for field in form_fields(release) if field.name in page.filters)
    lead = [html.P(page.lead, className="lead")] if page.lead else []
    content = page.layout(release, parsed.filters)
    return [
        html.H1(page.heading),
        *_notices(parsed.notices),
        *content.answer,
        *lead,
        filter_form(page.path, offered, parsed.filters),
        *content.figures,
        _definitions(),
    ]


def _problem_view(found: Problem, notice: str = "") -> View:
    body = page_frame(problem.layout(found), _links("", Filters()), notice, "")
    return View(f"{found.heading} – {SERVICE_NAME}", found.status, body)


def view(store: PublishedStore, path: str, search: str) -> View:
    """Returns the page at a path with a query string, or a page that says why there is nothing to show."""
    try:
        release = store.release()
    except StoreUnreadable:
        return _problem_view(problem.STORE_UNREADABLE)
    if release is None:
        return _problem_view(problem.NOTHING_PUBLISHED)
    page = BY_PATH.get(path)
    if page is None:
        return _problem_view(problem.NO_SUCH_PAGE, release.data_notice)
    return _view(release, page, search.lstrip("?"))


# Cached since Dash asks for the page that the server has just sent; a release does not change.
@functools.lru_cache(maxsize=64)
def _view(release: Release, page: Page, search: str) -> View:
    parsed = parse(search, page.filters, release)
    links = _links(page.path, parsed.filters)
    body = page_frame(_content(page, release, parsed), links, release.data_notice, _published(release))
    return View(f"{page.heading} – {SERVICE_NAME}", problem.OK, body)
