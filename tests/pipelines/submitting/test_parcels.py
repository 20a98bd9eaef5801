"""Files become messages: no event is lost or changed, small blocks stay as they are, and no message is too large."""

import io
from typing import Any

import fastavro
import pytest
from fastavro.write import Writer
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.source import container
from pipelines.submitting import parcels as under_test
from pipelines.submitting.parcels import BLOCK_BYTES, BLOCK_EVENTS, Parcel, Unread, parcels, record_bounds
from schemas.codes import RECORDS
from schemas.registry import current, decode_single_object, parsed
from tests.builders import device_status, installed, visited
from tests.schemas.events import events

CODECS = ("null", "deflate", "snappy")
SYNTHETIC = {"gb.smartmeter.synthetic": "true", "received_at": "2026-04-03T12:00:00Z"}


def file_of(count: int, block_records: int, codec: str = "null", **metadata: str) -> bytes:
    """A file of installations in blocks of so many records."""
    file = io.BytesIO()
    writer = Writer(file, parsed("MeterInstalled"), codec=codec, sync_interval=10**9, metadata=metadata)
    for number in range(count):
        event = installed(id=f"installation {number}")
        writer.write({name: value for name, value in event.items() if name != "record"})
        if number % block_records == block_records - 1:
            writer.dump()
    writer.flush()
    return file.getvalue()


def read(value: bytes) -> list[Any]:
    return list(fastavro.reader(io.BytesIO(value)))


def sent(data: bytes, *, single: bool = False) -> list[Parcel]:
    found = list(parcels(data, single=single))
    assert all(isinstance(one, Parcel) for one in found)
    return [one for one in found if isinstance(one, Parcel)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("block_records", [7, 1000, 2600])
def test_every_event_arrives_in_order_whatever_the_codec(codec: str, block_records: int) -> None:
    data = file_of(2600, block_records, codec)
    found = sent(data)
    assert [event for parcel in found for event in read(parcel.value)] == read(data)
    assert all(parcel.records == len(read(parcel.value)) <= BLOCK_EVENTS for parcel in found)


@pytest.mark.parametrize("codec", CODECS)
def test_single_events_are_the_files_own(codec: str) -> None:
    data = file_of(300, 64, codec)
    found = sent(data, single=True)
    assert {parcel.records for parcel in found} == {1}
    assert [decode_single_object(parcel.value) for parcel in found] == [("MeterInstalled", one) for one in read(data)]


def test_small_blocks_go_untouched_and_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file_of(2000, 400, "deflate")
    monkeypatch.delattr(under_test, "record_bounds")
    found = sent(data)
    assert [parcel.records for parcel in found] == [800, 800, 400]
    header = container.read_header(data)
    for block in container.walk(data, header, lambda *_: False):
        assert isinstance(block, container.Block)
        assert any(data[block.body : block.end] in parcel.value for parcel in found)


def test_no_message_is_larger_than_a_broker_takes_by_default() -> None:
    long = [visited(appointment_id="x" * 40_000, id=f"visit {number}") for number in range(100)]
    path = io.BytesIO()
    rows = [{name: value for name, value in row.items() if name != "record"} for row in long]
    fastavro.writer(path, parsed("InstallationVisit"), rows, sync_interval=10_000_000)
    found = sent(path.getvalue())
    assert len(found) > 1
    assert max(len(parcel.value) for parcel in found) < BLOCK_BYTES + 5_000 < 1_000_000
    assert sum(parcel.records for parcel in found) == len(long)


def test_messages_say_that_they_are_synthetic_and_not_when_a_file_was_received() -> None:
    data = file_of(1500, 1500, **SYNTHETIC)
    for parcel in sent(data):
        metadata = container.read_header(parcel.value).metadata
        assert metadata["gb.smartmeter.synthetic"] == b"true"
        assert "received_at" not in metadata


def test_a_file_without_events_becomes_no_message() -> None:
    assert sent(file_of(0, 1)) == []


@pytest.mark.parametrize("data", [b"", b"Obj\x01", b"not Avro"])
def test_what_is_no_container_is_not_sent(data: bytes) -> None:
    assert list(parcels(data, single=False)) == [Unread(None)]


@pytest.mark.parametrize("single", [False, True])
def test_a_record_cut_short_is_not_sent_and_all_before_it_are(single: bool) -> None:
    data = file_of(500, 100)
    found = list(parcels(data[:-30], single=single))
    # Of the block that was cut, too, all before the cut is sent; there may have been more behind it.
    assert [one for one in found if isinstance(one, Unread)] == [Unread(1), Unread(None)]
    assert sum(one.records for one in found if isinstance(one, Parcel)) == 499


def test_a_large_block_that_cannot_be_told_apart_is_not_sent() -> None:
    data = bytearray(file_of(3000, 1500))
    header = container.read_header(bytes(data))
    first, *_ = container.walk(bytes(data), header, lambda *_: False)
    assert isinstance(first, container.Block)
    data[first.body : first.body + 40] = b"\xff" * 40
    found = list(parcels(bytes(data), single=False))
    assert found[0] == Unread(1500)
    assert sum(parcel.records or 0 for parcel in found[1:]) == 1500


def test_events_of_a_schema_that_nobody_knows_are_sent_all_the_same() -> None:
    schema = fastavro.parse_schema({"type": "record", "name": "Other", "fields": [{"name": "what", "type": "string"}]})
    file = io.BytesIO()
    fastavro.writer(file, schema, [{"what": f"thing {number}"} for number in range(2500)], sync_interval=10_000_000)
    found = sent(file.getvalue())
    assert [parcel.records for parcel in found] == [1000, 1000, 500]
    assert [event for parcel in found for event in read(parcel.value)] == read(file.getvalue())
    assert len(sent(file.getvalue(), single=True)) == 2500


@pytest.mark.parametrize("record", RECORDS)
@settings(max_examples=10)
@given(data=st.data())
def test_lengths_added_up_are_where_reading_finds_the_records(record: str, data: st.DataObject) -> None:
    listed = data.draw(st.lists(events(current()[record].schema), min_size=1, max_size=5))
    stream, ends = io.BytesIO(), [0]
    for event in listed:
        fastavro.schemaless_writer(stream, parsed(record), event)
        ends.append(stream.tell())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(under_test, "WORTH_COLUMNS", 1)
        patch.delattr(under_test, "_bounds_by_reading")
        bounds = record_bounds(stream.getvalue(), len(listed), current()[record].schema, current()[record])
    assert bounds is not None
    assert bounds.tolist() == ends


def test_a_number_written_longer_than_it_need_be_is_no_obstacle() -> None:
    stream = io.BytesIO()
    event = {name: value for name, value in device_status().items() if name != "record"}
    fastavro.schemaless_writer(stream, parsed("DeviceStatusChanged"), event)
    # The last field is an enum: its one byte becomes two with the same meaning.
    longer = stream.getvalue()[:-1] + bytes([stream.getvalue()[-1] | 0x80, 0])
    body = longer * 2_000
    bounds = record_bounds(body, 2_000, current()["DeviceStatusChanged"].schema, current()["DeviceStatusChanged"])
    assert bounds is not None
    assert bounds[1] == len(longer)


@settings(max_examples=50)
@given(data=st.binary(max_size=300), records=st.integers(1, 2_100))
def test_whatever_stands_in_a_body_its_records_fill_it_or_it_is_not_cut(data: bytes, records: int) -> None:
    bounds = record_bounds(data, records, current()["SupplyLost"].schema, current()["SupplyLost"])
    assert bounds is None or (len(bounds) == records + 1 and bounds[-1] == len(data))
