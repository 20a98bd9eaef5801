"""The recount in DuckDB: the same definitions as relations instead of one meter point at a time.

It takes the validated events of the plain recount's reader; from rule 1 on nothing is shared.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.registry import current
from schemas.sources import sources
from tests.oracle.event import ENVELOPE, Event
from tests.oracle.quarters import milliseconds_of_day

SQL = Path(__file__).with_name("recount.sql")
NUMBERS = ("effective_at", "reported_at", "meters", "numerator", "denominator", "duration_seconds")
YES_OR_NO = ("connected", "vulnerable_customer", "energy_advice_given", "display_demonstrated")


@dataclass(frozen=True, slots=True)
class Recounted:
    """The cells, and what became of every event by (source, record, status, reason code or empty)."""

    cells: dict[tuple[str, ...], int]
    fates: Counter[tuple[str, str, str, str]]


def further_fields() -> list[str]:
    """The names of the further fields of all records, each once."""
    names = (name for schema in current().values() for name in schema.field_names if name not in ENVELOPE)
    return list(dict.fromkeys(names))


def column_type(name: str) -> pa.DataType:
    """The Arrow type of a column of `sent`."""
    if name in NUMBERS:
        return pa.int64()
    return pa.bool_() if name in YES_OR_NO else pa.string()


def as_table(events: Iterable[Event]) -> pa.Table:
    """The events as one table: record, envelope, all further fields, `content` and `details`."""
    events = list(events)
    columns = {name: [getattr(event, name) for event in events] for name in ("record", *ENVELOPE)}
    for name in further_fields():
        values = [event.details.get(name) for event in events]
        columns[name] = values if name in NUMBERS + YES_OR_NO else [None if v is None else str(v) for v in values]
    columns["content"] = [event.content() for event in events]
    columns["details"] = [json.dumps(dict(event.details), sort_keys=True) for event in events]
    arrays = {name: pa.array(values, column_type(name)) for name, values in columns.items()}
    return pa.table(arrays)


def sources_table() -> pa.Table:
    """The sources: source_id, the instant at which each ended, and who took over its book."""
    listed = list(sources().values())
    ends = [None if one.active_to is None else milliseconds_of_day(one.active_to, end=True) for one in listed]
    return pa.table(
        {
            "source_id": pa.array([one.source_id for one in listed]),
            "ended_at": pa.array(ends, pa.int64()),
            "successor": pa.array([one.successor for one in listed], pa.string()),
        }
    )


def recount(events: Iterable[Event]) -> Recounted:
    """The cells of validated events, and their fates; measures of the DCC's service are not counted."""
    with duckdb.connect() as connection:
        connection.register("sent", as_table(events))
        connection.register("sources", sources_table())
        connection.execute(SQL.read_text(encoding="utf-8"))
        cells = connection.execute("SELECT * FROM cells").fetchall()
        fates = connection.execute("SELECT source_id, record, status, reason, records FROM fates").fetchall()
    return Recounted({tuple(row[:-1]): row[-1] for row in cells}, Counter({tuple(row[:-1]): row[-1] for row in fates}))
