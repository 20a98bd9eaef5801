"""Reads the blocks of an Avro object container, even a damaged one: the bytes between two sync markers are a block."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fastavro

from schemas.registry import by_fingerprint, schema_fingerprint

_MAGIC: Final = b"Obj\x01"
_METADATA: Final = {"type": "map", "values": "bytes"}


@dataclass(frozen=True, slots=True)
class Container:
    """A readable file of a known record: `blocks` are the bytes after the header."""

    record: str
    owner: str
    schema: Any
    sync: bytes
    blocks: bytes


def containers(folder: Path) -> Iterator[Container]:
    """Yields the files under a folder that are containers of known records."""
    for path in sorted(folder.rglob("*.avro")):
        data = path.read_bytes()
        found = _container(data, path.parent.name) if data[:4] == _MAGIC else None
        if found is not None:
            yield found


def _container(data: bytes, owner: str) -> Container | None:
    stream = io.BytesIO(data)
    stream.seek(4)
    try:
        metadata: Any = fastavro.schemaless_reader(stream, _METADATA, None)
        schema = json.loads(metadata["avro.schema"])
    except (EOFError, IndexError, KeyError, ValueError):
        return None
    known = by_fingerprint().get(schema_fingerprint(schema))
    sync = stream.read(16)
    return None if known is None else Container(known.record, owner, schema, sync, data[stream.tell() :])


def with_schema(schema: Any, sync: bytes, blocks: bytes) -> io.BytesIO:
    """Returns a container of the blocks with another schema that describes the same bytes."""
    out = io.BytesIO()
    out.write(_MAGIC)
    fastavro.schemaless_writer(out, _METADATA, {"avro.schema": json.dumps(schema).encode(), "avro.codec": b"null"})
    out.write(sync + blocks)
    out.seek(0)
    return out


def whole_blocks(container: Container) -> Iterator[bytes]:
    """Yields each block that is as long as its head says, with that head and a correct marker after it."""
    for part in container.blocks.split(container.sync):
        at = 0
        while at < len(part):
            size = _size(part[at:])
            if size is None or at + size > len(part):
                break
            yield part[at : at + size] + container.sync
            # If a marker is wrong, the next block begins after its sixteen bytes.
            at += size + 16


def _size(part: bytes) -> int | None:
    stream = io.BytesIO(part)
    try:
        fastavro.schemaless_reader(stream, "long", None)
        size: Any = fastavro.schemaless_reader(stream, "long", None)
    except (EOFError, IndexError):
        return None
    return stream.tell() + int(size) if size >= 0 else None
