"""Reads Avro object containers record by record, and block by block where they are damaged.

A container is a header (magic, metadata, 16-byte sync marker) and blocks; a block is the number of records, the
number of bytes, the bytes and the sync marker again. A block is read whole or lost whole; one whose marker is wrong
is read all the same if its bytes are the records that it claims and no marker lies among them.
"""

import io
import json
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, UnknownType

from schemas.registry import by_fingerprint, current, schema_fingerprint
from tests.oracle.event import Event, Lost, sent

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
METADATA = {"type": "map", "values": "bytes"}
FIRST_DAY = date(1970, 1, 1)
DAMAGE = (
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    SchemaResolutionError,
    lzma.LZMAError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Header:
    """What a container says of itself, and where its blocks begin."""

    metadata: dict[str, bytes]
    sync: bytes
    blocks_at: int


@dataclass(frozen=True, slots=True)
class Block:
    """One block as found: the records it claims (None: unbelievable), and what it holds (None: it cannot be read)."""

    records: int | None
    events: list[dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Reading:
    """How the blocks of one container are read: its header, its schema, and the record that this is a version of."""

    header: Header
    schema: dict[str, Any]
    record: str

    def decode(self, records: int, body: bytes) -> list[dict[str, Any]] | None:
        """All records of a block resolved to the current schema, times as numbers; None where one cannot be read."""
        if not self.record:
            return None
        wanted = current()[self.record].schema
        try:
            stream = io.BytesIO(self.container_of(records, body))
            events: list[Any] = list(fastavro.reader(stream, without_logical_types(wanted)))
        except DAMAGE:
            return None
        return [with_dates(event, wanted) for event in events]

    def container_of(self, records: int, body: bytes) -> bytes:
        """A container of this block alone, its schema leaving times as numbers so that no value is out of range."""
        out = io.BytesIO()
        out.write(MAGIC)
        schema = json.dumps(without_logical_types(self.schema)).encode()
        fastavro.schemaless_writer(out, METADATA, {**self.header.metadata, "avro.schema": schema})
        out.write(self.header.sync)
        fastavro.schemaless_writer(out, "long", records)
        fastavro.schemaless_writer(out, "bytes", body)
        out.write(self.header.sync)
        return out.getvalue()


def files(paths: Iterable[Path]) -> list[Path]:
    """The container files among and under the paths, sorted."""
    found: set[Path] = set()
    for path in paths:
        found.update(path.rglob("*.avro") if path.is_dir() else [path])
    return sorted(found)


def read(path: Path) -> Iterator[Event | Lost]:
    """Every record of a file, and a note of what could not be read; the owner is the parent folder's name."""
    owner, data = path.resolve().parent.name, path.read_bytes()
    header = read_header(data)
    if header is None:
        yield Lost(owner, "", "UNDECODABLE", None)
        return
    received_at = received(header)
    schema = schema_of(header)
    record = known_record(schema)
    reason = "UNDECODABLE" if record else "UNKNOWN_SCHEMA"
    for block in blocks(data, header, Reading(header, schema, record)):
        if block.events is None:
            yield Lost(owner, record, reason, block.records, received_at)
        else:
            yield from (sent({**event, "record": record}, owner, received_at) for event in block.events)


def read_header(data: bytes) -> Header | None:
    """The header of a container, or None where there is none to be read."""
    stream = io.BytesIO(data)
    if stream.read(len(MAGIC)) != MAGIC:
        return None
    try:
        metadata: Any = fastavro.schemaless_reader(stream, METADATA, None)
    except DAMAGE:
        return None
    sync = stream.read(SYNC_BYTES)
    return Header(metadata, sync, stream.tell()) if len(sync) == SYNC_BYTES else None


def schema_of(header: Header) -> dict[str, Any]:
    """The schema that the container was written with; empty where it is no record schema."""
    try:
        schema = json.loads(header.metadata.get("avro.schema", b""))
    except ValueError:
        return {}
    return schema if isinstance(schema, dict) and schema.get("type") == "record" else {}


def known_record(schema: dict[str, Any]) -> str:
    """The record that the schema is a published version of; empty where it is none."""
    try:
        version = by_fingerprint().get(schema_fingerprint(schema))
    except (*DAMAGE, SchemaParseException, UnknownType):
        return ""
    return version.record if version else ""


def received(header: Header) -> int | None:
    """When the container was received, as it says itself: ISO 8601 or milliseconds as text."""
    text = header.metadata.get("received_at", b"").decode("utf-8", errors="replace")
    if re.fullmatch("-?[0-9]{1,15}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp() * 1000)


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag variable-length integer at a position, and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def blocks(data: bytes, header: Header, reading: Reading) -> Iterator[Block]:
    """The blocks of a container; after one that cannot be read the next sync marker is looked for."""
    at = header.blocks_at
    while at < len(data):
        begin = at
        try:
            records, at = read_long(data, at)
            size, at = read_long(data, at)
        except IndexError:
            yield Block(None, None)
            return
        end = at + size
        is_marked = size >= 0 and records >= 0 and data[end : end + SYNC_BYTES] == header.sync
        is_whole = 0 < records <= size <= len(data) - at and header.sync not in data[at : end + SYNC_BYTES]
        events = reading.decode(records, data[at:end]) if is_marked or is_whole else None
        yield Block(records if is_marked or 0 < records <= size else None, events)
        if is_marked or events is not None:
            at = end + SYNC_BYTES
        else:
            marker = data.find(header.sync, begin)
            at = len(data) if marker < 0 else marker + SYNC_BYTES


def without_logical_types(schema: Any) -> Any:
    """The schema with its logical types left out."""
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {name: without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    return schema


def with_dates(event: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The event with its days as dates."""
    days = [field["name"] for field in schema["fields"] if '"date"' in json.dumps(field["type"])]
    made = {name: FIRST_DAY + timedelta(days=event[name]) for name in days if event[name] is not None}
    return {**event, **made}
