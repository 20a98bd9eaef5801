"""Defines a page."""

from collections.abc import Callable
from dataclasses import dataclass

from dash.development.base_component import Component

from dashboards.filters import Filters
from dashboards.store import Release
from dashboards.tables import Table

TIME_FILTERS = ("fuel", "sector", "supplier", "region")


@dataclass(frozen=True, slots=True)
class Content:
    """A page's content: the answer in words, shown above the filters, and the charts and tables below them."""

    answer: list[Component]
    figures: list[Component]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its path, name in the navigation, heading, filters, content and tables.

    `layout` and `tables` are pure functions of a release and the filters; the tables are also the CSV files.
    """

    path: str
    name: str
    heading: str
    filters: tuple[str, ...]
    layout: Callable[[Release, Filters], Content]
    tables: Callable[[Release, Filters], tuple[Table, ...]]
    lead: str = ""
