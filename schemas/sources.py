"""The sources that may send events: suppliers and the Data Communications Company, each with its dates."""

import csv
import functools
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from schemas.codes import DCC_RECORDS, SUPPLIER_RECORDS

# Under what the figures of all small suppliers together are published.
SMALL = "SMALL"
SOURCES_CSV = Path(__file__).parent / "sources.csv"


@dataclass(frozen=True, slots=True)
class Source:
    """A sender of events. `active_from` and `active_to` are inclusive days; `successor` took over its customers."""

    source_id: str
    name: str
    kind: str
    group: str
    size_class: str
    active_from: date
    active_to: date | None
    successor: str | None


def _source(row: dict[str, str]) -> Source:
    return Source(
        row["source_id"],
        row["name"],
        row["kind"],
        row["group"],
        row["size_class"],
        date.fromisoformat(row["from"]),
        date.fromisoformat(row["to"]) if row["to"] else None,
        row["successor"] or None,
    )


@functools.cache
def sources() -> dict[str, Source]:
    """Returns every source by its id, in the file's order."""
    with SOURCES_CSV.open(encoding="utf-8", newline="") as file:
        return {row["source_id"]: _source(row) for row in csv.DictReader(file)}


@dataclass(frozen=True, slots=True)
class Inheritance:
    """A source whose customers another (`heir`) has taken over, directly or through others, and since which day."""

    predecessor: str
    heir: str
    since: date


@functools.cache
def inheritances() -> tuple[Inheritance, ...]:
    """Returns every source that was taken over, once for each of its heirs. Raises ValueError for a circle of heirs."""
    return tuple(found for source in sources().values() for found in _heirs_of(source))


def _heirs_of(source: Source) -> list[Inheritance]:
    found: list[Inheritance] = []
    passed, since = source, date.min
    while passed.successor is not None and passed.active_to is not None:
        if len(found) > len(sources()):
            raise ValueError(f"The successors of {source.source_id} in sources.csv go round in a circle.")
        since = max(since, passed.active_to + timedelta(days=1))
        found.append(Inheritance(source.source_id, passed.successor, since))
        passed = sources()[passed.successor]
    return found


def source_ids() -> tuple[str, ...]:
    """Returns the ids of all sources, in the file's order."""
    return tuple(sources())


def supplier_ids() -> tuple[str, ...]:
    """Returns the ids of all suppliers, in the file's order."""
    return tuple(s.source_id for s in sources().values() if s.kind == "SUPPLIER")


def records_of(kind: str) -> tuple[str, ...]:
    """Returns the names of the records that a source of a kind (SUPPLIER or DCC) may send."""
    return DCC_RECORDS if kind == "DCC" else SUPPLIER_RECORDS
