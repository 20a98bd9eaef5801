"""The columns of an event frame, on which every step after validation works.

One frame holds events of any record type: the envelope in compact form, then the union of all records' fields (null
where a record has no such field). Enum values are codes, that is positions in the record's own list of symbols. Ids are
pairs of unsigned 64-bit halves, so that they sort as the lower-case uuids they came from. The raw meter point id is not
here: `meter_a` and `meter_b` are the halves of its keyed digest (see `pseudonym.py`).
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Final

import polars as pl

from schemas import registry
from schemas.codes import RECORDS
from schemas.sources import source_ids

# Sorted, so that the order of codes is the order of the ids (design 3, rule 3).
SOURCE_CODES: Final = tuple(sorted(source_ids()))
RECORD_CODES: Final = {record: code for code, record in enumerate(RECORDS)}

ENVELOPE: Final[dict[str, type[pl.DataType]]] = {
    "record": pl.UInt8,
    "action": pl.UInt8,
    "fuel": pl.UInt8,
    "source": pl.UInt16,
    "meter_a": pl.UInt64,
    "meter_b": pl.UInt64,
    "event_a": pl.UInt64,
    "event_b": pl.UInt64,
    "corrects_a": pl.UInt64,
    "corrects_b": pl.UInt64,
    # A `corrects` that is not a lower-case uuid names no event, but it is part of the content.
    "corrects_text": pl.String,
    "effective_at": pl.Int64,
    "reported_at": pl.Int64,
}
ENVELOPE_FIELDS: Final = (
    "event_id",
    "action",
    "corrects",
    "source_id",
    "fuel",
    "meter_point_id",
    "effective_at",
    "reported_at",
)
IDENTITY: Final = ("meter_a", "meter_b", "event_a", "event_b", "source")


def plain_type(avro_type: Any) -> Any:
    """Returns the Avro type inside a union with null, or the type itself."""
    if isinstance(avro_type, list):
        return next(branch for branch in avro_type if branch != "null")
    return avro_type


def symbols(avro_type: Any) -> tuple[str, ...] | None:
    """Returns the symbols of an enum (also of a union of null and an enum), or None for other types."""
    inner = plain_type(avro_type)
    return tuple(inner["symbols"]) if isinstance(inner, dict) and inner["type"] == "enum" else None


def is_date(avro_type: Any) -> bool:
    """Whether values of a type are dates, in days since 1970."""
    inner = plain_type(avro_type)
    return isinstance(inner, dict) and inner.get("logicalType") == "date"


def stored_type(avro_type: Any) -> type[pl.DataType]:
    """Returns the Polars type in which a field of an Avro type is kept."""
    inner = plain_type(avro_type)
    name = inner["type"] if isinstance(inner, dict) else inner
    return {
        "enum": pl.UInt8,
        "string": pl.String,
        "int": pl.Int32,
        "long": pl.Int64,
        "boolean": pl.Boolean,
    }[name]


@functools.cache
def content_types(record: str) -> dict[str, type[pl.DataType]]:
    """Returns the fields of a record beyond the envelope, with their stored types, in wire order."""
    fields = registry.current()[record].schema["fields"]
    return {f["name"]: stored_type(f["type"]) for f in fields if f["name"] not in ENVELOPE_FIELDS}


@functools.cache
def field_symbols(record: str) -> dict[str, tuple[str, ...]]:
    """Returns the symbols of every enum field of a record's current schema."""
    fields = registry.current()[record].schema["fields"]
    found = {field["name"]: symbols(field["type"]) for field in fields}
    return {name: values for name, values in found.items() if values is not None}


@functools.cache
def event_types() -> dict[str, type[pl.DataType]]:
    """Returns every column of an event frame with its type: the envelope, then all records' fields."""
    return one_type_each([ENVELOPE, *map(content_types, RECORDS)])


def one_type_each(lists: Iterable[Mapping[str, type[pl.DataType]]]) -> dict[str, type[pl.DataType]]:
    """Returns the columns of several lists as one. Raises ValueError if two give a column different types."""
    columns: dict[str, type[pl.DataType]] = {}
    for types in lists:
        for name, dtype in types.items():
            if columns.setdefault(name, dtype) != dtype:
                raise ValueError(
                    f"The field {name} is {columns[name].__name__} in one record, {dtype.__name__} in another."
                )
    return columns


def as_events(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns the frame with exactly the columns of an event frame, null if a column is missing."""
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in event_types().items()
    )


def empty_events() -> pl.DataFrame:
    """Returns an event frame without rows."""
    return pl.DataFrame(schema=event_types())
