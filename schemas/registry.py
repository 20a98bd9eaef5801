"""Loads the record schemas, finds them by fingerprint, and encodes and decodes single-object encoding.

Fingerprints are CRC-64-AVRO of the parsing canonical form (Avro specification, "Schema
fingerprints"). A message in single-object encoding is the marker C3 01, the fingerprint
(8 bytes, little-endian) and the body.
"""

import functools
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.codes import RECORDS

AVRO_DIR = Path(__file__).parent / "avro"
HISTORY_DIR = Path(__file__).parent / "avro_history"
SINGLE_OBJECT_MARKER = b"\xc3\x01"
HEADER_BYTES = 10

type_json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """One version of one record: its name, Avro schema (a JSON value) and 8-byte fingerprint."""

    record: str
    schema: type_json = field(hash=False, compare=False, repr=False)
    fingerprint: bytes

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of the fields in wire order."""
        return tuple(field["name"] for field in self.schema["fields"])


def load(path: Path) -> RecordSchema:
    """Reads one `.avsc` file. Raises ValueError unless it is a record schema."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    if schema.get("type") != "record":
        raise ValueError(f"{path.name} is not an Avro record schema.")
    return RecordSchema(schema["name"], schema, schema_fingerprint(schema))


@functools.cache
def current() -> dict[str, RecordSchema]:
    """Returns the current version of every record, by record name, in the contract's order."""
    return {record: load(AVRO_DIR / f"{record}.avsc") for record in RECORDS}


def released(record: str, history_dir: Path = HISTORY_DIR) -> tuple[RecordSchema, ...]:
    """Returns every version of a record that was ever released, oldest first, by the number in its file's name."""
    return tuple(map(load, sorted((history_dir / record).glob("*.avsc"), key=lambda path: int(path.stem))))


@functools.cache
def versions(record: str) -> tuple[RecordSchema, ...]:
    """Returns every version of a record that we have ever accepted, the current one first, one for each fingerprint."""
    found: dict[bytes, RecordSchema] = {}
    for version in (current()[record], *reversed(released(record))):
        found.setdefault(version.fingerprint, version)
    return tuple(found.values())


@functools.cache
def by_fingerprint() -> dict[bytes, RecordSchema]:
    """Returns every known schema version by its fingerprint."""
    return {schema.fingerprint: schema for record in RECORDS for schema in versions(record)}


def schema_fingerprint(schema: type_json) -> bytes:
    """Returns the CRC-64-AVRO of a schema as 8 bytes, little-endian, as single-object encoding needs them."""
    canonical = to_parsing_canonical_form(schema)
    return bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))


@functools.cache
def parsed(record: str) -> Any:
    """Returns the current schema of a record in fastavro's parsed form."""
    return fastavro.parse_schema(json.loads(json.dumps(current()[record].schema)))


def encode_single_object(record: str, event: type_json) -> bytes:
    """Encodes one event in Avro single-object encoding with the record's current schema."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, parsed(record), event)
    return SINGLE_OBJECT_MARKER + current()[record].fingerprint + body.getvalue()


def decode_single_object(message: bytes) -> tuple[str, type_json]:
    """Returns a message's record name and event.

    Raises KeyError for an unknown fingerprint and ValueError without the marker.
    """
    if message[:2] != SINGLE_OBJECT_MARKER:
        raise ValueError("The message does not begin with the single-object marker C3 01.")
    written = by_fingerprint()[message[2:HEADER_BYTES]]
    body = io.BytesIO(message[HEADER_BYTES:])
    event = fastavro.schemaless_reader(body, written.schema, current()[written.record].schema)
    return written.record, cast("type_json", event)
