"""Rule 1: copies with equal content are one event; of copies that differ, the earliest reported stands.

A history row is a row of an event frame with `copies` (UInt32), the number of times that its content was received.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.events import columns
from pipelines.events.identifiers import uuid_texts
from schemas.codes import RECORDS
from schemas.registry import current

_MIX: Final = tuple(np.uint64(factor) for factor in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def mixed(frame: pl.DataFrame, names: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    """Returns one 64-bit hash for each row of some numeric columns: equal for equal rows, seldom equal for others.

    It only finds candidates quickly; callers compare the columns themselves afterwards.
    """
    out = np.zeros(frame.height, dtype=np.uint64)
    for place, name in enumerate(names):
        values = frame[name].fill_null(0).to_numpy().astype(np.uint64)
        out = (out ^ values) * _MIX[place % len(_MIX)]
        out ^= out >> np.uint64(29)
    return out


def repeated(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Returns a mask of the keys that occur more than once."""
    order = np.argsort(keys)
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    out = np.zeros(len(keys), dtype=bool)
    out[order[1:][same]] = True
    out[order[:-1][same]] = True
    return out


def empty_history() -> pl.DataFrame:
    """Returns a history without rows."""
    return with_copies(columns.empty_events())


def with_copies(events: pl.DataFrame) -> pl.DataFrame:
    """Returns an event frame as history rows, each of one copy."""
    return events.with_columns(copies=pl.lit(1, pl.UInt32))


def meters_of(events: pl.DataFrame) -> pl.DataFrame:
    """Returns the distinct meters (`meter_a`, `meter_b`) of events."""
    return events.select("meter_a", "meter_b").unique()


def distinct(events: pl.DataFrame) -> pl.DataFrame:
    """Returns history rows with one row for each identity and content, copies added up."""
    again = pl.Series(repeated(mixed(events, columns.IDENTITY)))
    if not again.any():
        return events
    content = [name for name in events.columns if name != "copies"]
    merged = events.filter(again).group_by(content).agg(pl.col("copies").sum())
    return pl.concat([events.filter(~again), merged.select(events.columns)])


def losers(events: pl.DataFrame) -> pl.Series:
    """Returns a mask of the rows that lose to another copy with the same identity (EVENT_ID_REUSED).

    `events` is a distinct frame.
    """
    again = repeated(mixed(events, columns.IDENTITY))
    lost = np.zeros(events.height, dtype=bool)
    if again.any():
        rivals = events.filter(pl.Series(again)).with_columns(at=pl.Series(np.flatnonzero(again)))
        standing = _with_text_where_needed(rivals).sort("reported_at", "text").unique(columns.IDENTITY, keep="first")
        lost[rivals["at"].to_numpy()] = True
        lost[standing["at"].to_numpy()] = False
    return pl.Series(lost)


def _with_text_where_needed(rivals: pl.DataFrame) -> pl.DataFrame:
    """Returns the rivals with `text`: their canonical content if `reported_at` leaves a tie, else empty."""
    tied = pl.len().over([*columns.IDENTITY, "reported_at"]) > 1
    rivals = rivals.with_columns(tied=tied)
    texts = [canonical(row) if row["tied"] else "" for row in rivals.iter_rows(named=True)]
    return rivals.with_columns(text=pl.Series(texts, dtype=pl.String))


def canonical(row: Mapping[str, Any]) -> str:
    """Returns an event row's content as canonical JSON: sorted keys, no spaces, milliseconds, ISO dates.

    The meter point is not part of it.
    """
    record = RECORDS[row["record"]]
    fields = {field["name"]: _plain(row, record, field) for field in current()[record].schema["fields"]}
    del fields["meter_point_id"]
    return json.dumps(fields | {"record": record}, sort_keys=True, separators=(",", ":"))


def _plain(row: Mapping[str, Any], record: str, field: dict[str, Any]) -> Any:
    """Returns the value of a field in the form that JSON holds."""
    name = field["name"]
    named = {
        "event_id": lambda: _uuid(row["event_a"], row["event_b"]),
        "corrects": lambda: _uuid(row["corrects_a"], row["corrects_b"]) or row["corrects_text"],
        "source_id": lambda: columns.SOURCE_CODES[row["source"]],
        "meter_point_id": lambda: None,
    }
    if name in named:
        return named[name]()
    value, symbols = row[name], columns.field_symbols(record).get(name)
    if value is not None and symbols is not None:
        return symbols[value]
    if value is not None and columns.is_date(field["type"]):
        # A day may lie beyond the years that Python's dates can hold.
        return str(np.datetime64(value, "D"))
    return value


def _uuid(high: int | None, low: int | None) -> str | None:
    return uuid_texts(pl.Series([high], dtype=pl.UInt64), pl.Series([low], dtype=pl.UInt64))[0]
