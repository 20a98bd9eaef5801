"""Fingerprints, versions and single-object encoding."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro.schema import to_parsing_canonical_form
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codes, registry
from tests.schemas.events import Event, events

# CRC-64-AVRO of the primitives, as Avro's own implementations publish them in their tests.
KNOWN_FINGERPRINTS = {
    "null": 0x63DD24E7CC258F8A,
    "boolean": 0x9F42FC78A4D4F764,
    "int": 0x7275D51A3F395C8F,
    "long": 0xD054E14493F41DB7,
    "float": 0x4D7C02CB3EA8D790,
    "double": 0x8E7535C032AB957E,
    "bytes": 0x4FC016DAC3201965,
    "string": 0x8F014872634503C7,
}
EMPTY_FINGERPRINT = 0xC15D213AA4D7A795


def rabin(text: str) -> int:
    """CRC-64-AVRO, bit by bit as the specification defines it: an oracle for the library's table."""
    value = EMPTY_FINGERPRINT
    for byte in text.encode():
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (EMPTY_FINGERPRINT if value & 1 else 0)
    return value


@st.composite
def named_events(draw: st.DrawFn) -> tuple[str, Event]:
    """Any event of any record."""
    record = draw(st.sampled_from(codes.RECORDS))
    return record, draw(events(registry.current()[record].schema))


@pytest.mark.parametrize(("primitive", "expected"), KNOWN_FINGERPRINTS.items())
def test_fingerprints_of_primitives_are_the_published_ones(primitive: str, expected: int) -> None:
    schema: Any = primitive
    assert registry.schema_fingerprint(schema) == expected.to_bytes(8, "little")
    assert rabin(f'"{primitive}"') == expected


@pytest.mark.parametrize("record", codes.RECORDS)
def test_a_record_s_fingerprint_is_crc_64_avro_of_its_canonical_form(record: str) -> None:
    version = registry.current()[record]
    canonical = to_parsing_canonical_form(version.schema)
    assert version.fingerprint == rabin(canonical).to_bytes(8, "little")


def test_every_version_of_every_record_is_known_by_its_fingerprint() -> None:
    known = registry.by_fingerprint()
    for record in codes.RECORDS:
        for version in registry.released(record):
            assert known[version.fingerprint].record == record


def test_the_current_version_is_the_first_of_a_record_s_versions() -> None:
    for record, version in registry.current().items():
        assert registry.versions(record)[0] is version


def test_released_versions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "FaultCase").mkdir()
    schema = registry.current()["FaultCase"].schema
    for number in (10, 9, 1):
        text = json.dumps({**schema, "doc": f"Version {number}."})
        (tmp_path / "FaultCase" / f"{number}.avsc").write_text(text, encoding="utf-8")
    found = registry.released("FaultCase", tmp_path)
    assert [version.schema["doc"] for version in found] == ["Version 1.", "Version 9.", "Version 10."]


def test_a_file_that_holds_no_record_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Fuel.avsc"
    path.write_text('{"type": "enum", "name": "Fuel", "symbols": ["GAS"]}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"Fuel\.avsc is not an Avro record schema"):
        registry.load(path)


@given(named_events())
@settings(max_examples=150)
def test_single_object_encoding_gives_back_any_event_of_any_record(named: tuple[str, Event]) -> None:
    record, event = named
    assert registry.decode_single_object(registry.encode_single_object(record, event)) == (record, event)


@given(named_events())
@settings(max_examples=30)
def test_a_message_is_marker_fingerprint_and_body(named: tuple[str, Event]) -> None:
    record, event = named
    body = io.BytesIO()
    fastavro.schemaless_writer(body, registry.parsed(record), event)
    header = b"\xc3\x01" + registry.current()[record].fingerprint
    assert registry.encode_single_object(record, event) == header + body.getvalue()


def test_a_message_without_the_marker_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with the single-object marker C3 01"):
        registry.decode_single_object(b"Obj\x01" + bytes(20))


@pytest.mark.parametrize("message", [b"\xc3\x01" + bytes(20), b"\xc3\x01\x00"])
def test_a_message_of_an_unknown_schema_is_refused(message: bytes) -> None:
    with pytest.raises(KeyError):
        registry.decode_single_object(message)
