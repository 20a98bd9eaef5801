"""Columns to Avro, read back by a reader that knows nothing of how they were written."""

import io
import uuid
from datetime import UTC, date, datetime
from typing import Any

import fastavro
import numpy as np
import polars as pl
import pytest

from pipelines.synthetic import avro_blocks as avro
from schemas.registry import current, parsed
from schemas.tables import SYNTHETIC_NOTICE

SYNC = b"between blocks.."
LISTS = {
    "source_id": avro.words(["BGAS", "SDCC"]),
    "to_source_id": avro.words(["BGAS", "SDCC"]),
    "meter_point_id": avro.words(["1312345678907", "123456", ""]),
    "region_code": avro.words(["E12000001", "S92000003"]),
    "local_authority_code": avro.words(["E06000001", "S12000047"]),
    "quarter": avro.words(["2026Q3"]),
    "measure": avro.words(["FIRMWARE"]),
}


def frame_of(rows: int, **columns: Any) -> pl.DataFrame:
    rng = np.random.default_rng(rows)
    envelope = {
        "event_a": rng.integers(0, 2**64, rows, dtype=np.uint64),
        "event_b": rng.integers(0, 2**64, rows, dtype=np.uint64),
        "corrects_a": np.zeros(rows, dtype=np.uint64),
        "corrects_b": np.zeros(rows, dtype=np.uint64),
        "action": 0,
        "source_id": 0,
        "fuel": 0,
        "meter_point_id": 0,
        "effective_at": 1_700_000_000_000,
        "reported_at": 1_700_000_001_000,
    }
    full = {name: np.broadcast_to(values, rows).copy() for name, values in {**envelope, **columns}.items()}
    return pl.DataFrame(full)


def read_back(record: str, frame: pl.DataFrame) -> list[dict[str, Any]]:
    bodies = avro.encode(record, frame, LISTS)
    data = avro.header(current()[record].schema, SYNC) + b"".join(avro.blocks(bodies, 0, frame.height, SYNC))
    return [row for row in fastavro.reader(io.BytesIO(data), parsed(record)) if isinstance(row, dict)]


def test_a_record_comes_back_as_it_was_meant() -> None:
    frame = frame_of(
        3,
        meter_point_id=[0, 1, -1],
        fuel=[0, 1, 0],
        source_id=[0, 1, 0],
        effective_at=[0, 1_700_000_000_123, -1],
        day=[0, 20_000, -3],
        csp_region=[0, 1, 2],
        generation=[0, 1, 1],
        measure=0,
        numerator=[0, -64, 2**40],
        denominator=[63, 64, 2**62],
    )
    found = read_back("ServiceMeasured", frame)
    assert [row["meter_point_id"] for row in found] == ["1312345678907", "123456", ""]
    assert [row["numerator"] for row in found] == [0, -64, 2**40]
    assert [row["denominator"] for row in found] == [63, 64, 2**62]
    assert [row["day"] for row in found] == [date(1970, 1, 1), date(2024, 10, 4), date(1969, 12, 29)]
    assert found[1]["effective_at"] == datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)
    assert [row["csp_region"] for row in found] == ["NORTH", "CENTRAL", "SOUTH"]
    assert [row["corrects"] for row in found] == [None, None, None]


def test_event_ids_are_lower_case_uuids_and_corrections_name_their_targets() -> None:
    frame = frame_of(2, reason=[1, 2]).with_columns(
        corrects_a=pl.Series([0, 2**63 + 5], dtype=pl.UInt64), corrects_b=pl.Series([0, 7], dtype=pl.UInt64)
    )
    found = read_back("MeterRemoved", frame)
    halves = zip(frame["event_a"], frame["event_b"], strict=True)
    assert [row["event_id"] for row in found] == [str(uuid.UUID(int=(a << 64) | b)) for a, b in halves]
    assert [row["corrects"] for row in found] == [None, str(uuid.UUID(int=((2**63 + 5) << 64) | 7))]


def test_nulls_of_unions_are_nulls() -> None:
    frame = frame_of(
        2,
        appointment_id=np.array([255, 2**63], dtype=np.uint64),
        requested_on=[-1, 20_000],
        offered_on=[20_000, -1],
        outcome=[0, 9],
        fault_side=[-1, 2],
        vulnerable_customer=[True, False],
        energy_advice_given=False,
        display_demonstrated=True,
    )
    first, second = read_back("InstallationVisit", frame)
    assert (first["requested_on"], first["fault_side"]) == (None, None)
    assert (second["offered_on"], second["fault_side"]) == (None, "THIRD_PARTY")
    assert first["appointment_id"] == "00000000000000ff"
    assert (first["vulnerable_customer"], second["vulnerable_customer"]) == (True, False)


def test_device_ids_are_eui_64_in_upper_case_with_hyphens() -> None:
    codes = dict.fromkeys(
        ("meter_type", "operating_mode", "sector", "payment_mode", "region_code", "install_reason", "in_home_display"),
        0,
    )
    devices = np.array([0, 0x00AB_CDEF_0123_4567], dtype=np.uint64)
    frame = frame_of(
        2, **codes, local_authority_code=[-1, 1], device_id=devices, hub_id=devices[::-1], upfront_charge_pence=[0, 300]
    )
    first, second = read_back("MeterInstalled", frame)
    assert (first["device_id"], second["device_id"]) == (None, "00-AB-CD-EF-01-23-45-67")
    assert (first["local_authority_code"], second["local_authority_code"]) == (None, "S12000047")
    assert second["upfront_charge_pence"] == 300


@pytest.mark.parametrize("rows", [1, avro.BLOCK_RECORDS, avro.BLOCK_RECORDS + 1, 25_001])
def test_every_record_of_every_block_is_read(rows: int) -> None:
    found = read_back("MeterRemoved", frame_of(rows, reason=np.arange(rows) % 5, reported_at=np.arange(rows)))
    assert [row["reported_at"].timestamp() * 1000 for row in found[-2:]] == list(range(max(0, rows - 2), rows))
    assert len(found) == rows


def test_a_container_says_that_it_is_synthetic() -> None:
    data = avro.header(current()["MeterRemoved"].schema, SYNC, {"received_at": "5"})
    metadata = fastavro.reader(io.BytesIO(data)).metadata
    assert metadata["gb.smartmeter.synthetic"] == "true"
    assert metadata["gb.smartmeter.notice"] == SYNTHETIC_NOTICE
    assert metadata["received_at"] == "5"
