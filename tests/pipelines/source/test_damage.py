"""Damage costs what is damaged and nothing else, and what is lost is told by the block's own count."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
import pytest

from pipelines.events.outcome import Outcome, of_losses
from pipelines.source import container
from pipelines.source.files import find_files, plan
from pipelines.source.reading import Reading, read
from schemas.registry import current
from tests.builders import ACME, Event, Layout, installed, removed, visited, write_container, write_files
from tests.pipelines.columnar import by_reason

MONTH = [installed(on=f"2026-04-{day:02d}") for day in range(1, 13)]
BLOCK = 4
CODECS = ("null", "deflate", "bzip2", "xz", "snappy")
Damage = Callable[[bytes], bytes]


def readings_of(folder: Path) -> tuple[list[Reading], Outcome]:
    """All that can be read under a folder, and what was lost."""
    planned = plan(find_files([folder]))
    readings = [read(packet) for packet in planned.packets]
    return readings, Outcome.of([*(of_losses(one.losses) for one in readings), of_losses(planned.losses)])


def days(readings: list[Reading]) -> list[int]:
    """The days of April of the installations that were read, sorted."""
    moments = [ms for reading in readings for ms in reading.block.frame["effective_at"]]
    return pl.Series(sorted(moments), dtype=pl.Int64).cast(pl.Datetime("ms")).dt.day().to_list()


def written(folder: Path, codec: str = "null", events: list[Event] = MONTH) -> Path:
    (path,) = write_files(folder, events, Layout(block_records=BLOCK, codec=codec))
    return path


def blocks_of(data: bytes) -> list[container.Block]:
    found = container.walk(data, container.read_header(data), lambda *_: False)
    return [one for one in found if isinstance(one, container.Block)]


def damage(path: Path, hurt: Damage) -> None:
    path.write_bytes(hurt(path.read_bytes()))


def flipped(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + bytes(byte ^ 0xFF for byte in data[start:end]) + data[end:]


def rejected(outcome: Outcome) -> dict[tuple[str, str, str], int]:
    return {key: rows for key, rows in by_reason(outcome.quarantined).items() if rows}


def statuses(outcome: Outcome) -> dict[str, int]:
    return dict(outcome.intake.group_by("status").agg(pl.col("records").sum()).iter_rows())


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_whole_is_read_whole(tmp_path: Path, codec: str) -> None:
    written(tmp_path, codec)
    readings, outcome = readings_of(tmp_path)
    assert days(readings) == list(range(1, 13))
    assert outcome.quarantined.is_empty()
    assert outcome.intake.is_empty()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("block", [0, 1, 2])
def test_flipped_bytes_cost_their_own_block(tmp_path: Path, codec: str, block: int) -> None:
    path = written(tmp_path, codec)
    hit = blocks_of(path.read_bytes())[block]
    damage(path, lambda data: flipped(data, hit.body, min(hit.body + 12, hit.end)))
    readings, outcome = readings_of(tmp_path)
    lost = range(block * BLOCK + 1, block * BLOCK + BLOCK + 1)
    assert days(readings) == [day for day in range(1, 13) if day not in lost]
    assert rejected(outcome) == {(ACME, "MeterInstalled", "UNDECODABLE"): BLOCK}
    assert statuses(outcome) == {"received": BLOCK, "rejected": BLOCK}
    assert outcome.quarantined["provenance"].to_list() == [f"{ACME}/MeterInstalled.avro"]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_truncated_file_loses_its_last_block_by_the_count_of_its_header(tmp_path: Path, codec: str) -> None:
    path = written(tmp_path, codec)
    damage(path, lambda data: data[:-40])
    readings, outcome = readings_of(tmp_path)
    read = days(readings)
    assert read == list(range(1, len(read) + 1))
    assert 8 <= len(read) < 12
    # There may have been more blocks behind the cut.
    assert statuses(outcome) == {"received": 12 - len(read), "rejected": 12 - len(read), "unknown": 1}


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_file_cut_anywhere_loses_no_block_before_the_cut(tmp_path: Path, codec: str) -> None:
    path = written(tmp_path, codec)
    data = path.read_bytes()
    blocks = blocks_of(data)
    for cut in range(blocks[0].start, len(data), 23):
        path.write_bytes(data[:cut])
        readings, outcome = readings_of(tmp_path)
        whole = sum(block.records for block in blocks if block.end + container.SYNC_BYTES <= cut)
        got = days(readings)
        assert got[:whole] == list(range(1, whole + 1))
        told = statuses(outcome)
        assert len(got) + told.get("rejected", 0) <= whole + BLOCK
        # A file that ends between two blocks looks like any other.
        assert told.get("unknown", 0) == (cut not in {block.start for block in blocks})


@pytest.mark.parametrize("codec", ["null", "deflate"])
@pytest.mark.parametrize("block", [0, 1, 2])
def test_a_wrong_sync_marker_costs_nothing_that_can_be_read(tmp_path: Path, codec: str, block: int) -> None:
    path = written(tmp_path, codec)
    hit = blocks_of(path.read_bytes())[block]
    damage(path, lambda data: flipped(data, hit.end, hit.end + container.SYNC_BYTES))
    readings, outcome = readings_of(tmp_path)
    assert days(readings) == list(range(1, 13))
    assert outcome.quarantined.is_empty()


@pytest.mark.parametrize(
    "content",
    [b"", b"Obj", b"Obj\x01", b"Dear data team", b"Obj\x01\xff\xff\xff\xff", b"PK\x03\x04" * 400, b"\0" * 4096],
)
def test_a_file_that_is_no_avro_is_counted_as_unknown(tmp_path: Path, content: bytes) -> None:
    written(tmp_path)
    (tmp_path / ACME / "letter.avro").write_bytes(content)
    readings, outcome = readings_of(tmp_path)
    assert days(readings) == list(range(1, 13))
    assert statuses(outcome) == {"unknown": 1}
    assert outcome.quarantined.rows() == [(ACME, "", "UNDECODABLE", f"{ACME}/letter.avro", 0)]


def with_schema(path: Path, schema: dict[str, Any], rows: list[dict[str, Any]], codec: str = "null") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(schema), rows, codec=codec)


def rows(events: list[Event]) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if name != "record"} for event in events]


def schema_of(record: str) -> dict[str, Any]:
    return json.loads(json.dumps(current()[record].schema))


def a_future_version() -> dict[str, Any]:
    schema = schema_of("MeterInstalled")
    schema["fields"].append({"name": "colour", "type": "string", "default": "", "doc": "What comes next."})
    return schema


def another_record() -> dict[str, Any]:
    return {**schema_of("MeterInstalled"), "name": "MeterPainted"}


def another_namespace() -> dict[str, Any]:
    return {**schema_of("MeterInstalled"), "namespace": "gb.smartmeter.v9"}


def fewer_symbols() -> dict[str, Any]:
    schema = schema_of("MeterInstalled")
    reason = next(field for field in schema["fields"] if field["name"] == "install_reason")
    reason["type"]["symbols"] = reason["type"]["symbols"][::-1]
    return schema


@pytest.mark.parametrize("schema", [a_future_version, another_record, another_namespace, fewer_symbols])
def test_an_unknown_schema_is_counted_by_its_headers(tmp_path: Path, schema: Callable[[], dict[str, Any]]) -> None:
    written(tmp_path)
    with_schema(tmp_path / ACME / "next.avro", schema(), [{**row, "colour": "red"} for row in rows(MONTH[:3])])
    readings, outcome = readings_of(tmp_path)
    assert days(readings) == list(range(1, 13))
    assert rejected(outcome) == {(ACME, "", "UNKNOWN_SCHEMA"): 3}
    assert statuses(outcome) == {"received": 3, "rejected": 3}


def test_a_schema_that_is_no_record_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / ACME / "numbers.avro"
    path.parent.mkdir()
    with path.open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema("long"), [1, 2, 3])
    assert rejected(readings_of(tmp_path)[1]) == {(ACME, "", "UNKNOWN_SCHEMA"): 3}


def test_a_schema_with_other_words_and_names_of_enums_is_known(tmp_path: Path) -> None:
    schema = schema_of("MeterInstalled")
    schema["doc"] = "Said in other words."
    for field in schema["fields"]:
        field.pop("doc", None)
        if isinstance(field["type"], dict) and field["type"]["type"] == "enum":
            field["type"]["name"] = f"Another{field['type']['name']}"
    with_schema(tmp_path / ACME / "same.avro", schema, rows(MONTH))
    readings, outcome = readings_of(tmp_path)
    assert days(readings) == list(range(1, 13))
    assert outcome.quarantined.is_empty()


def test_an_unknown_codec_is_counted_by_its_headers(tmp_path: Path) -> None:
    path = written(tmp_path)
    damage(path, lambda data: data.replace(b"\x08null", b"\x08lzzz"))
    assert container.read_header(path.read_bytes()).codec == "lzzz"
    readings, outcome = readings_of(tmp_path)
    assert days(readings) == []
    assert rejected(outcome) == {(ACME, "MeterInstalled", "UNDECODABLE"): 12}


def test_a_code_that_the_schema_does_not_have_costs_its_record(tmp_path: Path) -> None:
    path = written(tmp_path)
    body = blocks_of(path.read_bytes())[0].body
    # An event id is a length of one byte and 36 characters; the action's position comes next.
    damage(path, lambda data: data[: body + 37] + b"\x0e" + data[body + 38 :])
    readings, outcome = readings_of(tmp_path)
    assert days(readings) == list(range(2, 13))
    assert outcome.quarantined.rows() == [
        (ACME, "MeterInstalled", "UNDECODABLE", f"{ACME}/MeterInstalled.avro row 0", 1)
    ]


def test_other_files_of_the_same_record_lose_nothing(tmp_path: Path) -> None:
    hurt, whole = tmp_path / ACME / "a.avro", tmp_path / ACME / "b.avro"
    hurt.parent.mkdir()
    write_container(hurt, "MeterInstalled", [*MONTH], Layout(block_records=BLOCK))
    write_container(whole, "MeterInstalled", [*MONTH], Layout(block_records=BLOCK))
    write_files(tmp_path, [removed(), visited()])
    first = blocks_of(hurt.read_bytes())[0]
    damage(hurt, lambda data: flipped(data, first.body, first.end))
    readings, outcome = readings_of(tmp_path)
    assert sum(reading.block.frame.height for reading in readings) == 8 + 12 + 2
    installs = next(reading.block for reading in readings if reading.block.record == "MeterInstalled")
    places = installs.frame.select("origin", "row").rows()
    assert places == [*((0, row) for row in range(4, 12)), *((1, row) for row in range(12))]
    assert outcome.quarantined["provenance"].to_list() == [f"{ACME}/a.avro"]


def test_an_instant_outside_the_calendar_costs_its_row(tmp_path: Path) -> None:
    path = written(tmp_path, events=MONTH[:1])
    event = rows([installed()])[0]
    with_schema(path, schema_of("MeterInstalled"), [event, {**event, "effective_at": 2**62}, event])
    readings, outcome = readings_of(tmp_path)
    assert sum(reading.block.frame.height for reading in readings) == 2
    assert outcome.quarantined.rows() == [
        (ACME, "MeterInstalled", "UNDECODABLE", f"{ACME}/MeterInstalled.avro row 1", 1)
    ]
