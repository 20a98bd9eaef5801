"""Reading containers: what is whole is read, what is damaged is counted, and times of receipt are kept to."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import pytest

from schemas.registry import current
from tests.builders import ACME, Layout, commissioned, installed, moment, visited, write_files
from tests.oracle.container import read_header
from tests.oracle.event import Event, Outcome, sent
from tests.oracle.plain import everything, recount

MONTH = [installed(on=f"2026-04-{day:02d}") for day in range(1, 11)]


def received(found: Outcome, owner: str = ACME) -> tuple[int, int]:
    return found.intake.get((owner, "received"), 0), found.intake.get((owner, "rejected"), 0)


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
@pytest.mark.parametrize("parts", [1, 3])
def test_what_was_written_is_read(tmp_path: Path, codec: str, parts: int) -> None:
    events = [*MONTH, visited(), commissioned()]
    write_files(tmp_path, events, Layout(block_records=3, codec=codec, parts=parts, shuffle=7))
    found, lost = everything([tmp_path])
    assert not lost
    assert Counter(event.content() for event in found) == Counter(sent(event).content() for event in events)


def test_days_are_read_as_iso_dates(tmp_path: Path) -> None:
    write_files(tmp_path, [visited()])
    (event,), _ = everything([tmp_path])
    assert isinstance(event, Event)
    assert event.details["requested_on"] == "2026-03-01"
    assert event.details["offered_on"] is None


def test_a_truncated_file_loses_only_its_last_block_and_says_how_much(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, MONTH, Layout(block_records=4))
    path.write_bytes(path.read_bytes()[:-20])
    found = recount([tmp_path])
    # Of the last block, too, what lies before the cut is read; there may have been more behind it.
    assert received(found) == (10, 1)
    assert found.rejected == Counter({(ACME, "MeterInstalled", "UNDECODABLE"): 1})
    assert found.unknown == Counter({ACME: 1})


def test_a_damaged_block_is_lost_and_the_next_one_is_read(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, MONTH, Layout(block_records=4, codec="deflate"))
    data = bytearray(path.read_bytes())
    header = read_header(bytes(data))
    assert header is not None
    data[header.blocks_at + 30] ^= 0xFF
    path.write_bytes(data)
    assert received(recount([tmp_path])) == (10, 4)


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_damaged_sync_marker_costs_nothing_that_can_be_read(tmp_path: Path, codec: str) -> None:
    (path,) = write_files(tmp_path, MONTH, Layout(block_records=4, codec=codec))
    data = path.read_bytes()
    header = read_header(data)
    assert header is not None
    first = data.find(header.sync, header.blocks_at)
    path.write_bytes(data[:first] + bytes(16) + data[first + 16 : -5])
    assert received(recount([tmp_path])) == (10, 0)


def test_a_damaged_size_costs_nothing_that_can_be_read(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, MONTH, Layout(block_records=4))
    data = bytearray(path.read_bytes())
    header = read_header(bytes(data))
    assert header is not None
    data[header.blocks_at + 1] ^= 0x40
    path.write_bytes(data)
    assert received(recount([tmp_path])) == (10, 0)


@pytest.mark.parametrize("data", [b"", b"Obj", b"Obj\x01\x02", b"no Avro at all"])
def test_a_file_without_a_header_is_unknown(tmp_path: Path, data: bytes) -> None:
    (tmp_path / ACME).mkdir()
    (tmp_path / ACME / "x.avro").write_bytes(data)
    found = recount([tmp_path])
    assert found.unknown == Counter({ACME: 1})
    assert not found.intake


def test_a_schema_we_do_not_know_is_counted_by_the_headers(tmp_path: Path) -> None:
    schema = json.loads(json.dumps(current()["MeterRemoved"].schema))
    schema["fields"] = [field for field in schema["fields"] if field["name"] in {"event_id", "source_id"}]
    (tmp_path / ACME).mkdir()
    with (tmp_path / ACME / "future.avro").open("wb") as file:
        fastavro.writer(file, schema, [{"event_id": "x", "source_id": ACME}] * 5)
    assert recount([tmp_path]).rejected == Counter({(ACME, "", "UNKNOWN_SCHEMA"): 5})


def test_the_owner_is_the_parent_folders_name(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, [installed()], Layout(owner="EENG"))
    assert recount([path]).rejected == Counter({("EENG", "MeterInstalled", "SOURCE_NOT_OWNER"): 1})


def test_as_at_uses_what_was_reported_by_then(tmp_path: Path) -> None:
    write_files(tmp_path, MONTH)
    assert received(recount([tmp_path], datetime(2026, 4, 3, 13, tzinfo=UTC))) == (3, 0)
    assert received(recount([tmp_path], datetime(2026, 4, 3, 12, 59, 59, tzinfo=UTC))) == (2, 0)


@pytest.mark.parametrize("stamp", ["2026-05-01T00:00:00Z", "1777593600000"])
def test_as_at_goes_by_the_containers_time_of_receipt_where_it_has_one(tmp_path: Path, stamp: str) -> None:
    write_files(tmp_path, MONTH, Layout(metadata=(("received_at", stamp),)))
    assert received(recount([tmp_path], moment("2026-04-30"))) == (0, 0)
    assert received(recount([tmp_path], moment("2026-05-01T00:00Z"))) == (10, 0)
