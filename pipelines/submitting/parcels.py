"""Turns event files into messages of the log: containers of up to 1,000 events, or one event per message.

A small Avro block is put under a new header as it is, compressed or not, without being read. A larger or damaged one is
cut between its records. What cannot be read is not sent, and is counted.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import fastavro
import numpy as np
import numpy.typing as npt
from fastavro.schema import SchemaParseException, UnknownType

from pipelines.source import container
from pipelines.source.container import Trust
from pipelines.source.decode import decode
from pipelines.source.encoded import record_bytes
from pipelines.source.files import SYNTHETIC, judge, version_of
from pipelines.source.reading import body_of
from pipelines.source.salvage import Body, salvage
from schemas.registry import SINGLE_OBJECT_MARKER, RecordSchema, current, schema_fingerprint

BLOCK_EVENTS: Final = 1_000
# Room for the header, and for what Kafka itself adds, below the million bytes that brokers take by default.
BLOCK_BYTES: Final = 880_000
# From this number of records on, reading columns and adding up lengths is faster than reading records.
WORTH_COLUMNS: Final = 2_000
KEPT: Final = "gb.smartmeter."

Bounds = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parcel:
    """The value of one message, and how many records it holds."""

    value: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Unread:
    """What of a file cannot be read and is not sent: a number of records by the block's header, or None if unknown."""

    records: int | None


@dataclass(frozen=True, slots=True)
class _Writer:
    """How the messages of one file are written: the file's header, and our version of its schema, if there is one."""

    header: container.Header
    version: RecordSchema | None

    @property
    def as_it_is(self) -> bytes:
        """The header of a container whose blocks are the file's own."""
        return _container_header(self.header, self.header.codec)

    @property
    def plain(self) -> bytes:
        """The header of a container of uncompressed blocks."""
        return _container_header(self.header, "null")


def is_synthetic(data: bytes) -> bool:
    """Whether a container is marked as synthetic. Raises NotAvro."""
    return container.read_header(data).metadata.get(SYNTHETIC) == b"true"


def parcels(data: bytes, *, single: bool) -> Iterator[Parcel | Unread]:
    """Yields the messages made of an event file, in its order, and what of it cannot be read.

    With `single` each message is an event in single-object encoding, else a container of up to BLOCK_EVENTS records.
    """
    try:
        header = container.read_header(data)
    except container.NotAvro:
        yield Unread(None)
        return
    writer = _Writer(header, version_of(header.schema))
    whole: list[container.Block] = []
    for found in container.weighed(container.walk(data, header, judge(header, writer.version))):
        if isinstance(found, container.Gap):
            yield Unread(None)
        elif single or not found.trust.is_framed or _size(found) > BLOCK_BYTES or found.records > BLOCK_EVENTS:
            yield from _joined(data, writer, whole)
            whole = []
            yield from _cut(data, writer, found, single=single)
        else:
            if not _fits(whole, found):
                yield from _joined(data, writer, whole)
                whole = []
            whole.append(found)
    yield from _joined(data, writer, whole)


def _size(block: container.Block) -> int:
    return block.end - block.start + container.SYNC_BYTES


def _fits(blocks: list[container.Block], more: container.Block) -> bool:
    records, size = sum(block.records for block in blocks), sum(map(_size, blocks))
    return records + more.records <= BLOCK_EVENTS and size + _size(more) <= BLOCK_BYTES


def _joined(data: bytes, writer: _Writer, blocks: list[container.Block]) -> Iterator[Parcel]:
    """Yields some blocks, unchanged, as one message."""
    records = sum(block.records for block in blocks)
    if records:
        # A sync marker that is damaged in the file is repaired.
        pieces = (data[block.start : block.end] + writer.header.sync for block in blocks)
        yield Parcel(writer.as_it_is + b"".join(pieces), records)


def _cut(data: bytes, writer: _Writer, block: container.Block, *, single: bool) -> Iterator[Parcel | Unread]:
    """Yields the readable records of one block as messages, and how many cannot be read."""
    body = body_of(data[block.body : block.end], writer.header.packing, block.records, block.trust)
    found = _records(body, writer)
    for bounds in found.runs:
        yield from _sent(body.data, writer, bounds, single=single)
    if found.unread:
        yield Unread(found.unread)
    if found.more:
        yield Unread(None)


def _sent(body: bytes, writer: _Writer, bounds: Bounds, *, single: bool) -> Iterator[Parcel]:
    """Yields records that follow each other in a body as messages."""
    if single:
        marker = SINGLE_OBJECT_MARKER + _fingerprint(writer)
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            yield Parcel(marker + body[start:end], 1)
        return
    head, sync = writer.plain, writer.header.sync
    for first, last in _portions(bounds):
        piece = body[bounds[first] : bounds[last]]
        yield Parcel(b"".join((head, _long(last - first), _long(len(piece)), piece, sync)), last - first)


def _portions(bounds: Bounds) -> Iterator[tuple[int, int]]:
    """Yields runs of records (first, and one after the last), each as many as one message may hold, at least one."""
    first, records = 0, len(bounds) - 1
    while first < records:
        by_size = int(np.searchsorted(bounds, bounds[first] + BLOCK_BYTES, side="right")) - 1
        last = max(first + 1, min(first + BLOCK_EVENTS, by_size, records))
        yield first, last
        first = last


@dataclass(frozen=True, slots=True)
class _Found:
    """The bounds of each run of records in a body, how many records cannot be read, and whether there may be more."""

    runs: list[Bounds]
    unread: int = 0
    more: bool = False


def _records(body: Body, writer: _Writer) -> _Found:
    bounds = None
    if body.is_plain and body.trust.is_framed:
        bounds = record_bounds(body.data, body.records, writer.header.schema, writer.version)
    if bounds is not None:
        return _Found([bounds])
    if writer.version is None:
        is_known = body.trust == Trust.CONFIRMED
        return _Found([], body.records if body.trust.is_framed else 0, not is_known)
    kept = salvage(body, writer.version)
    runs = [np.array(run, dtype=np.int64) for run in kept.runs]
    return _Found(runs, kept.lost + len(kept.bad), kept.more)


def record_bounds(body: bytes, records: int, schema: Any, version: RecordSchema | None) -> Bounds | None:
    """Returns where each record of a plain body begins and the last one ends; None if it cannot be read whole."""
    if version is not None and records >= WORTH_COLUMNS and version == current()[version.record]:
        decoded = decode([Body(body, records)], version)
        # A writer may use more bytes for a number than it needs; then the records have to be read.
        bounds = np.concatenate([[0], np.cumsum(record_bytes(decoded.frame, version))])
        if not decoded.faults and bounds[-1] == len(body):
            return bounds
    return _bounds_by_reading(body, records, schema)


def _bounds_by_reading(body: bytes, records: int, schema: Any) -> Bounds | None:
    stream = io.BytesIO(body)
    bounds = np.zeros(records + 1, dtype=np.int64)
    try:
        parsed = fastavro.parse_schema(schema)
        for place in range(1, records + 1):
            fastavro.schemaless_reader(stream, parsed, None)
            bounds[place] = stream.tell()
    except (*container.UNREADABLE, SchemaParseException, UnknownType):
        return None
    return bounds if bounds[-1] == len(body) else None


def _fingerprint(writer: _Writer) -> bytes:
    return schema_fingerprint(writer.header.schema) if writer.version is None else writer.version.fingerprint


def _container_header(header: container.Header, codec: str) -> bytes:
    """Returns the bytes of a container's header: schema, codec, metadata of ours (KEPT) and sync marker."""
    kept = {name: value for name, value in header.metadata.items() if name.startswith(KEPT)}
    metadata = {"avro.schema": header.metadata["avro.schema"], "avro.codec": codec.encode(), **kept}
    stream = io.BytesIO(container.MAGIC)
    stream.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(stream, container.METADATA, metadata)
    return stream.getvalue() + header.sync


def _long(value: int) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, "long", value)
    return stream.getvalue()


def content_hash(data: bytes) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
