"""Reads Avro object containers record by record, and says of every byte that is damaged what it may have held.

A container is a header (magic, metadata, 16-byte sync marker) and blocks; a block is the number of records, the
number of bytes, the bytes and the sync marker again. Where a block does not end at a marker, its end is wherever its
bytes are the records that it claims. `damage.py` says what is made of a block that is not what it claims.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro

from schemas.registry import by_fingerprint, current
from tests.oracle import damage
from tests.oracle.damage import Found, Standing
from tests.oracle.event import Event, Lost, sent

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
METADATA = {"type": "map", "values": "bytes"}
FIRST_DAY = date(1970, 1, 1)
MOST_RECORDS = 536_870_912
DAMAGE = (
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Header:
    """What a container says of itself, and where its blocks begin."""

    metadata: dict[str, bytes]
    sync: bytes
    blocks_at: int


@dataclass(frozen=True, slots=True)
class Block:
    """One block or stretch of damage: its body, the records it claims (0: impossible) and how it stands.

    The next one begins at `behind`. `misses_bytes` says that bytes of its marker are missing.
    """

    body: bytes
    claimed: int
    standing: Standing
    behind: int
    misses_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How the blocks of one container are read: its header, its schema, and the record that this is a version of."""

    header: Header
    schema: dict[str, Any]
    record: str

    @property
    def codec(self) -> str:
        """The codec of the bodies."""
        return self.header.metadata.get("avro.codec", b"null").decode("utf-8", errors="replace")

    def holds(self, body: bytes, claimed: int) -> bool:
        """Whether a body is exactly the records that it claims; nobody can say of a schema that is not ours."""
        return bool(self.record) and damage.holds(self.schema, self.codec, body, claimed)

    def found(self, block: Block) -> Found:
        """What is made of a block: events resolved to the current schema, times as numbers, and what is lost."""
        unread = Found([], 0, 0, True)
        if block.standing.frame == "framed" and not block.claimed:
            return Found([])
        if block.standing.frame == "framed":
            unread = Found([], 0, block.claimed, self.record != "" and not block.standing.is_usual)
        if not self.record:
            return unread
        plain = damage.uncompressed(self.codec, block.body)
        if plain is None or not (plain[1] or block.standing.frame == "cut"):
            return Found([], 0, 0, True) if self.header.sync in block.body else unread
        found = damage.of_body(self.schema, plain[0], block.claimed, block.standing)
        wanted = current()[self.record].schema
        events = [with_dates(resolved(event, wanted), wanted) for event in found.events]
        return Found(events, found.bad, found.lost, found.more)


def resolved(event: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The event with the fields of the wanted schema, those that it lacks by their defaults."""
    return {f["name"]: event[f["name"]] if f["name"] in event else f["default"] for f in wanted["fields"]}


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
    reading = Reading(header, schema, record)
    for block in with_usual_claims(blocks(data, reading)):
        if block is None:
            yield Lost(owner, record, "UNDECODABLE", None, received_at)
            continue
        found = reading.found(block)
        yield from (sent({**event, "record": record}, owner, received_at) for event in found.events)
        yield from [Lost(owner, record, reason, 1, received_at)] * (found.bad + found.lost)
        if found.more:
            yield Lost(owner, record, reason, None, received_at)


def read_header(data: bytes) -> Header | None:
    """The header of a container, or None where there is none to be read, or its schema is no JSON."""
    stream = io.BytesIO(data)
    if stream.read(len(MAGIC)) != MAGIC:
        return None
    try:
        metadata: Any = fastavro.schemaless_reader(stream, METADATA, None)
        json.loads(metadata["avro.schema"])
        metadata.get("avro.codec", b"").decode("ascii")
    except DAMAGE:
        return None
    sync = stream.read(SYNC_BYTES)
    return Header(metadata, sync, stream.tell()) if len(sync) == SYNC_BYTES and sync != bytes(SYNC_BYTES) else None


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
        found = [version.record for version in by_fingerprint().values() if shape(version.schema) == shape(schema)]
    except DAMAGE:
        return ""
    return found[0] if found else ""


def shape(schema: dict[str, Any]) -> Any:
    """What decides how bytes are read and what they mean: not words, nor what an enum is called."""
    name = schema["name"] if "." in schema["name"] else f"{schema.get('namespace', '')}.{schema['name']}"
    return name, [(field["name"], shape_of_type(field["type"])) for field in schema["fields"]]


def shape_of_type(kind: Any) -> Any:
    """The same of the type of a field."""
    if isinstance(kind, list):
        return [shape_of_type(branch) for branch in kind]
    if not isinstance(kind, dict):
        return {"type": kind}
    said = ("type", "symbols") if kind["type"] == "enum" else ("type", "logicalType")
    return {key: kind[key] for key in said if kind.get(key, "") != ""}


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


def blocks(data: bytes, reading: Reading) -> Iterator[Block | None]:
    """The blocks of a container, None for a stretch of bytes that cannot be one."""
    at = reading.header.blocks_at
    while at < len(data):
        block = whole_block(data, at, reading) or spoilt_block(data, at, reading)
        yield block
        if block and block.misses_bytes:
            yield None
        at = block.behind if block else behind_damage(data, at, reading)[1]


def claim(data: bytes, at: int) -> tuple[int, int, int] | None:
    """The records that a block's header claims (0: no block can hold them), and where its body begins and ends."""
    try:
        records, at = damage.number(data, at)
        size, at = damage.number(data, at)
    except damage.NoEnd:
        return None
    if size < 0:
        return None
    return (records if 0 < records <= MOST_RECORDS and size else 0), at, at + size


def whole_block(data: bytes, at: int, reading: Reading) -> Block | None:
    """The block at a position if its end is certain: there is a marker, or its bytes are the records that it claims."""
    claimed, sync = claim(data, at), reading.header.sync
    if claimed is None:
        return None
    records, begin, end = claimed
    if data[end : end + SYNC_BYTES] == sync:
        is_empty = data[at:begin] == b"\0\0"
        return Block(data[begin:end], records, Standing("framed" if records or is_empty else "torn"), end + SYNC_BYTES)
    marker = data.find(sync, at)
    if sync not in data[at : end + SYNC_BYTES - 1] and end <= len(data) and reading.holds(data[begin:end], records):
        behind = behind_bad_marker(data, end, sync)
        return Block(data[begin:end], records, Standing("framed"), behind, behind < end + SYNC_BYTES)
    if marker >= 0 and reading.holds(data[begin:marker], records):
        return Block(data[begin:marker], records, Standing("framed"), marker + SYNC_BYTES)
    return None


def behind_bad_marker(data: bytes, end: int, sync: bytes) -> int:
    """Where the next block begins behind a marker that is spoilt, and perhaps shorter than it should be."""
    for at in range(end + SYNC_BYTES, end - 1, -1):
        following = claim(data, at)
        if following and data[following[2] : following[2] + SYNC_BYTES] == sync:
            return at
    return min(end + SYNC_BYTES, len(data))


def spoilt_block(data: bytes, at: int, reading: Reading) -> Block | None:
    """The block at a position where none is whole, up to the next marker or block; None if no header stands there."""
    claimed, marker = claim(data, at), data.find(reading.header.sync, at)
    if claimed is None:
        return None
    records, begin, end = claimed
    if (marker < 0 or end <= marker) and whole_block(data, end + SYNC_BYTES, reading):
        return Block(data[begin:end], records, Standing("framed" if records else "torn"), end + SYNC_BYTES)
    limit, behind = behind_damage(data, at, reading)
    is_cut = marker < 0 and end > len(data) and records > 0
    return Block(data[begin:limit], records, Standing("cut" if is_cut else "torn"), behind) if begin <= limit else None


def behind_damage(data: bytes, at: int, reading: Reading) -> tuple[int, int]:
    """Where damage ends that begins at a position, and where the next block begins."""
    marker = data.find(reading.header.sync, at)
    if marker < 0:
        return len(data), len(data)
    for start in range(at + 1, marker):
        claimed = claim(data, start)
        if claimed and claimed[2] == marker and reading.holds(data[claimed[1] : marker], claimed[0]):
            return start, start
    return marker, marker + SYNC_BYTES


def with_usual_claims(found: Iterable[Block | None]) -> Iterator[Block | None]:
    """The blocks, those usual that claim what all others do but for the last."""
    listed = list(found)
    counted = [block for block in listed if block and block.claimed and block.standing.frame == "framed"]
    for block in listed:
        others = [other.claimed for other in counted[:-1] if other is not block]
        is_counted = block is not None and any(block is one for one in counted)
        if block and is_counted and others and all(other == block.claimed for other in others):
            yield replace(block, standing=Standing(block.standing.frame, is_usual=True))
        else:
            yield block


def with_dates(event: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The event with its days as dates."""
    days = [field["name"] for field in schema["fields"] if '"date"' in json.dumps(field["type"])]
    made = {name: FIRST_DAY + timedelta(days=event[name]) for name in days if event[name] is not None}
    return {**event, **made}
