"""Dated policies: how figures are protected, targets, rules, performance levels and release dates.

Each file in `policies/` holds lists of entries, each with `from`, sometimes `to`, a `source` and whether it is
`verified`. A policy is changed there and never in code; unverified entries are marked so wherever they are shown.
"""

import functools
import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "policies"
NAMES: Final = ("calendar", "dcc_performance", "disclosure", "rules", "suppliers", "targets")
_HASH_DIGITS: Final = 12

type_toml = dict[str, Any]


class PolicyMissing(Exception):
    """There is not exactly one policy in force on a day; the message is one sentence."""


@functools.cache
def policy(name: str) -> type_toml:
    """Returns a file's lists of entries, by the lists' names. Raises FileNotFoundError for an unknown file name."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def policy_hash(name: str) -> str:
    """Returns a digest of a file's bytes: 12 hexadecimal digits."""
    return hashlib.sha256((FOLDER / f"{name}.toml").read_bytes()).hexdigest()[:_HASH_DIGITS]


def policy_hashes() -> dict[str, str]:
    """Returns the digest of every file by the file's name."""
    return {name: policy_hash(name) for name in NAMES}


def in_force(name: str, entries: str, day: date) -> list[type_toml]:
    """Returns the entries of a list that are in force on a day, in the file's order."""
    return [one for one in policy(name)[entries] if one["from"] <= day <= one.get("to", date.max)]


def the_one_in_force(name: str, entries: str, day: date) -> type_toml:
    """Returns the entry of a list that is in force on a day. Raises PolicyMissing unless there is exactly one."""
    found = in_force(name, entries, day)
    if len(found) != 1:
        raise PolicyMissing(
            f"{len(found)} entries of {entries} in {name}.toml are in force on {day}; there must be one."
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class DisclosurePolicy:
    """How public figures are protected. `base` is the rounding base; factors are in per cent of a supplier's count.

    `dominance_percent` and `least_contributors` say when the group of small suppliers needs the factors;
    `audited_atoms` is the size of the sample that the certificate attacks by linear programme.
    """

    base: int
    dominance_percent: int
    least_contributors: int
    factor_from_percent: int
    factor_to_percent: int
    audited_atoms: int

    @property
    def least_width(self) -> int:
        """The least width, in meters or events, of the interval that an attacker can deduce: that of a published 0."""
        return self.base - 1


def disclosure(day: date) -> DisclosurePolicy:
    """Returns the disclosure policy in force on a day. Raises PolicyMissing unless there is exactly one."""
    entry = the_one_in_force("disclosure", "policy", day)
    return DisclosurePolicy(**{name: entry[name] for name in DisclosurePolicy.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class PublishedMeasure:
    """Which part of a measure is published.

    `keeps` are the dimensions that its atoms keep, `quarters_of_year` the quarters (1 to 4) that are published, `only`
    the values that dimensions must have.
    """

    name: str
    keeps: tuple[str, ...]
    quarters_of_year: tuple[int, ...]
    only: tuple[tuple[str, str], ...]


@functools.cache
def published_measures() -> dict[str, PublishedMeasure]:
    """Returns the published measures by name, in the file's order."""
    return {one.name: one for one in _published_measures()}


def _published_measures() -> Iterator[PublishedMeasure]:
    for entry in policy("disclosure")["measure"]:
        quarters = tuple(entry.get("quarters_of_year", (1, 2, 3, 4)))
        yield PublishedMeasure(entry["name"], tuple(entry["keeps"]), quarters, tuple(entry.get("only", {}).items()))


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The tolerance of a year's targets in a sector; `percent` is in points of the coverage."""

    year: int
    sector: str
    years_left: int
    percent: float
    basis: str
    source: str
    verified: bool


def tolerances() -> dict[tuple[int, str], Tolerance]:
    """Returns the tolerances by year and sector."""
    return {(one["year"], one["sector"]): _tolerance(one) for one in policy("targets")["tolerance"]}


def _tolerance(entry: type_toml) -> Tolerance:
    return Tolerance(
        entry["year"],
        entry["sector"],
        entry["years_left"],
        entry["tolerance_percent"],
        entry["basis"],
        entry["source"],
        entry["verified"],
    )
