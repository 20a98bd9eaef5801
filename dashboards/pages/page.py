"""What a page is."""

from collections.abc import Callable
from dataclasses import dataclass

from dash.development.base_component import Component

from dashboards.filters import Filters
from dashboards.store import Release
from dashboards.tables import Table

TIME_FILTERS = ("fuel", "sector", "supplier", "region")


@dataclass(frozen=True, slots=True)
class Content:
    """What a page says: the answer in words, which stands above the filters, and the charts and tables below them."""

    answer: list[Component]
    figures: list[Component]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its path, its name in the navigation, its heading, the filters it offers, its content and its tables.

    `layout` and `tables` are pure functions of a release and the filters; the tables are also the CSV files.
    """

    path: str
    name: str
    heading: str
    filters: tuple[str, ...]
    layout: Callable[[Release, Filters], Content]
    tables: Callable[[Release, Filters], tuple[Table, ...]]
    lead: str = ""
