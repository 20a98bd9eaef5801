"""Decodes the bodies of Avro blocks into columns: many bodies of one schema in one call.

Polars reads Avro into columns ten times faster than a reader of records, but it does not support enums inside unions.
On the wire an enum is the varint of its position, just as an int is, so bodies are put under a header that declares
enums as ints and logical types as their plain types, and the values read are codes. Only if such a call fails are the
bodies read one by one, and those that cannot be read whole are read record by record (`salvage.py`).
"""

import functools
import io
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import fastavro
import polars as pl

from pipelines.events import columns
from pipelines.source import salvage
from pipelines.source.encoded import fills
from pipelines.source.salvage import Body
from schemas.registry import RecordSchema, current

STDERR: Final = 2
_ONE_AT_A_TIME: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the body at `place`: its bad rows, how many more are lost, and whether yet more may be."""

    place: int
    bad: tuple[int, ...]
    lost: int
    more: bool


@dataclass(frozen=True, slots=True)
class Decoded:
    """The columns of the records that could be read, how many of them each body gave, and the faults of bodies."""

    frame: pl.DataFrame
    read: tuple[int, ...]
    faults: tuple[Fault, ...] = ()


def structure(schema: Any) -> str:
    """Returns what decides how bytes are read, as text: records, fields and symbols, but no names of enum types.

    Two writers may use different type names for the same list of symbols; the bytes are the same.
    """
    fields = [(field["name"], _structure(field["type"])) for field in schema["fields"]]
    name = schema["name"] if "." in schema["name"] else f"{schema.get('namespace', '')}.{schema['name']}"
    return repr((name, fields))


def _structure(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_structure(branch) for branch in kind]
    if isinstance(kind, dict):
        if kind["type"] == "enum":
            return ("enum", *kind["symbols"])
        return (kind["type"], kind.get("logicalType", ""))
    return (kind, "")


def plain(kind: Any) -> Any:
    """Returns the Avro type with enums as ints and logical types as their plain types."""
    if isinstance(kind, list):
        return [plain(branch) for branch in kind]
    if isinstance(kind, dict):
        return "int" if kind["type"] == "enum" else kind["type"]
    return kind


@functools.lru_cache(maxsize=64)
def _plain_schema(version: RecordSchema) -> Any:
    fields = [{"name": f["name"], "type": plain(f["type"])} for f in version.schema["fields"]]
    return fastavro.parse_schema({"type": "record", "name": version.record, "fields": fields})


@functools.lru_cache(maxsize=64)
def _plain_header(version: RecordSchema) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, _plain_schema(version), [], codec="null", sync_marker=b"smart-meter-sync")
    return stream.getvalue()


def _varint(value: int) -> bytes:
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _columns(bodies: Sequence[Body], version: RecordSchema) -> pl.DataFrame | None:
    """Returns the columns of some bodies, or None if the records of one do not fill it to its last byte."""
    data, records = b"".join(body.data for body in bodies), sum(body.records for body in bodies)
    if records * len(version.field_names) > len(data):
        # Every field takes at least a byte; Polars would allocate room for any number that a damaged block claims.
        return None
    header = _plain_header(version)
    container = b"".join((header, _varint(records), _varint(len(data)), data, header[-16:]))
    try:
        with _panics_unprinted():
            frame = pl.read_avro(io.BytesIO(container))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None
    whole = frame.height == records and _codes_exist(frame, version)
    claims, sizes = [body.records for body in bodies], [len(body.data) for body in bodies]
    return frame if whole and fills(frame, version, claims, sizes) else None


@contextmanager
def _panics_unprinted() -> Iterator[None]:
    """Discards standard error meanwhile: Polars prints a panic before it raises it, and we catch and count it."""
    with _ONE_AT_A_TIME:
        kept, nowhere = os.dup(STDERR), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, STDERR)
        try:
            yield
        finally:
            os.dup2(kept, STDERR)
            os.close(kept)
            os.close(nowhere)


def _codes_exist(frame: pl.DataFrame, version: RecordSchema) -> bool:
    lists = {f["name"]: columns.symbols(f["type"]) for f in version.schema["fields"]}
    checks = [
        pl.col(name).is_between(0, len(values) - 1).fill_null(value=True).all()
        for name, values in lists.items()
        if values is not None
    ]
    return all(frame.select(checks).row(0)) if checks else True


def _frame_type(kind: Any) -> type[pl.DataType]:
    return pl.Int32 if columns.symbols(kind) is not None else columns.stored_type(kind)


def decode(bodies: Sequence[Body], version: RecordSchema) -> Decoded:
    """Returns the columns of all bodies in order, under the record's current schema; see `Decoded`.

    Enum columns hold codes of the current schema's symbols; timestamps are milliseconds, dates days since 1970.
    """
    parts = list(_read(bodies, version, 0))
    frame = resolve(pl.concat([_empty(version), *(part.frame for part in parts)]), version)
    faults = tuple(fault for part in parts for fault in part.faults)
    return Decoded(frame, tuple(records for part in parts for records in part.read), faults)


def _read(bodies: Sequence[Body], version: RecordSchema, first: int) -> Iterator[Decoded]:
    """Yields what could be read of some bodies, in order; the first one has the place `first`.

    Bodies that cannot be read together are halved until each body that cannot be read is on its own.
    """
    together = _columns(bodies, version) if all(_may_be_joined(body) for body in bodies) else None
    if together is not None:
        yield Decoded(together, tuple(body.records for body in bodies))
    elif len(bodies) == 1:
        yield _singly(bodies[0], version, first)
    else:
        middle = len(bodies) // 2
        yield from _read(bodies[:middle], version, first)
        yield from _read(bodies[middle:], version, first + middle)


def _may_be_joined(body: Body) -> bool:
    return body.is_plain and body.trust.is_framed


def _singly(body: Body, version: RecordSchema, place: int) -> Decoded:
    kept = salvage.salvage(body, version)
    frame = pl.DataFrame(kept.values, schema=_empty(version).schema, orient="row")
    faults = (Fault(place, kept.bad, kept.lost, kept.more),) if kept.bad or kept.lost or kept.more else ()
    return Decoded(frame, (frame.height,), faults)


def _empty(version: RecordSchema) -> pl.DataFrame:
    return pl.DataFrame(schema={f["name"]: _frame_type(f["type"]) for f in version.schema["fields"]})


def resolve(frame: pl.DataFrame, version: RecordSchema) -> pl.DataFrame:
    """Returns the frame under the record's current schema: new fields by their defaults, codes by their symbols."""
    newest = current()[version.record]
    if version.fingerprint == newest.fingerprint:
        return frame
    written = {field["name"]: field["type"] for field in version.schema["fields"]}
    return frame.select(_resolved(field, written).alias(field["name"]) for field in newest.schema["fields"])


def _resolved(field: dict[str, Any], written: dict[str, Any]) -> pl.Expr:
    name, now = field["name"], columns.symbols(field["type"])
    if name not in written:
        default = field["default"]
        code = now.index(default) if now is not None and default is not None else default
        return pl.lit(code, _frame_type(field["type"]))
    before = columns.symbols(written[name])
    column = pl.col(name)
    if now is None or before is None or now == before:
        return column.cast(_frame_type(field["type"]))
    return column.replace_strict(range(len(before)), [now.index(s) for s in before], return_dtype=pl.Int32)
