"""Regions (ONS GSS codes), GSP groups and the electricity distributors that serve them."""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

GREAT_BRITAIN = "K03000001"
# The form of a local authority's ONS code; it has to match the whole text. No authority has a code of another form.
LOCAL_AUTHORITY_FORM = "[EWS][0-9]{8}"
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Region:
    """One of the eleven ITL1 regions of Great Britain."""

    region_code: str
    itl1_code: str
    name: str
    country_code: str


@dataclass(frozen=True, slots=True)
class GspGroup:
    """A grid supply point group, its distributor (first two MPAN digits) and its estimated split over regions.

    The shares are estimates (about five points either way) and sum to one.
    """

    gsp_group: str
    name: str
    distributor_id: int
    region_shares: dict[str, float]


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def regions() -> dict[str, Region]:
    """Returns the eleven regions by GSS code."""
    return {row["region_code"]: Region(**row) for row in _rows("regions.csv")}


def region_codes() -> tuple[str, ...]:
    """Returns the eleven GSS codes, in the file's order."""
    return tuple(regions())


def _shares(text: str) -> dict[str, float]:
    pairs = (part.split(":") for part in text.split(";"))
    return {code: float(percent) / 100 for code, percent in pairs}


@functools.cache
def gsp_groups() -> dict[str, GspGroup]:
    """Returns the fourteen GSP groups by letter code."""
    return {
        row["gsp_group"]: GspGroup(
            row["gsp_group"], row["name"], int(row["distributor_id"]), _shares(row["region_split_estimate_pct"])
        )
        for row in _rows("gsp_groups.csv")
    }


def distributor_regions() -> dict[int, tuple[str, ...]]:
    """Returns the regions that each distributor (10 to 23) serves; independent networks (24 and up) have no region."""
    return {group.distributor_id: tuple(group.region_shares) for group in gsp_groups().values()}
