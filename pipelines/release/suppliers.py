"""Who stands in public figures: suppliers by group, large ones by name, small ones together as SMALL.

A group is named by the id of its first source in `sources.csv`. Which groups are named in a year is settled when the
year is first published, since a partition that moves makes new atoms over the same meters.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import polars as pl

from schemas.policies import the_one_in_force
from schemas.quarters import year_of
from schemas.sources import SMALL, sources

DCC: Final = "DCC"


@functools.cache
def group_of() -> dict[str, str]:
    """The id that a source's figures are published under: that of the first source of its group."""
    first: dict[str, str] = {}
    return {one.source_id: first.setdefault(one.group, one.source_id) for one in sources().values()}


def group_name(group: str) -> str:
    """The name of a group, or of the small suppliers together."""
    return "Small suppliers" if group == SMALL else sources()[group].group


def named_in(year: int) -> tuple[str, ...]:
    """The groups that policy and `sources.csv` name in a year, in the file's order; the DCC always.

    A large supplier that has ended stays named: meters that were not handed over are still its own.
    """
    wanted = the_one_in_force("suppliers", "named", date(year, 12, 31))["size_class"]
    named = [one for one in sources().values() if one.kind == DCC or one.size_class == wanted]
    return tuple(
        dict.fromkeys(group_of()[one.source_id] for one in named if one.kind == DCC or one.active_from.year <= year)
    )


@dataclass(frozen=True, slots=True)
class Membership:
    """Which groups are named in each year; years that were published before keep what they had then."""

    years: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def until(self, last_quarter: int, first_quarter: int) -> "Membership":
        """The same with every year of some quarters settled."""
        wanted = range(year_of(first_quarter), year_of(last_quarter) + 1)
        return Membership({year: self.years.get(year) or named_in(year) for year in wanted})

    def frame(self) -> pl.DataFrame:
        """Columns `year` (Int32), `group` and `supplier` (the group itself), one row for each named group and year."""
        rows = [(year, group, group) for year, groups in self.years.items() for group in groups]
        return pl.DataFrame(rows, schema={"year": pl.Int32, "group": pl.String, "supplier": pl.String}, orient="row")

    def json(self) -> dict[str, list[str]]:
        """The membership as a JSON value."""
        return {str(year): list(groups) for year, groups in sorted(self.years.items())}


def membership_of(value: Mapping[str, Iterable[str]]) -> Membership:
    """The membership that a JSON value holds."""
    return Membership({int(year): tuple(groups) for year, groups in value.items()})


def last_report_of_small(quarter: int) -> int:
    """The newest quarter up to a quarter for which small suppliers have reported, by dated policy."""
    place = the_one_in_force("suppliers", "timing", date(year_of(quarter), 12, 31))["last_quarter_of_report"]
    return next(one for one in range(quarter, quarter - 4, -1) if one % 4 + 1 == place)
