"""Messages of the log become blocks; a message that cannot be used loses only itself, and is told of by its offset."""

import io
import zlib
from collections.abc import Iterable

import fastavro

from pipelines.log.message import Message
from pipelines.source.container import read_header
from pipelines.source.messages import MOST_PLAIN_BYTES, Formed, form
from pipelines.synthetic.avro_blocks import varint
from schemas.registry import SINGLE_OBJECT_MARKER, encode_single_object, parsed
from tests.builders import ACME, Event, commissioned, installed, removed

TOPIC = f"supplier.{ACME}"
NOON = 1_775_000_000_000


def fields(event: Event) -> dict[str, object]:
    return {name: value for name, value in event.items() if name != "record"}


def single(event: Event) -> bytes:
    return encode_single_object(event["record"], fields(event))


def container(events: Iterable[Event], synthetic: bool = False, codec: str = "deflate") -> bytes:
    listed, stream = list(events), io.BytesIO()
    metadata = {"gb.smartmeter.synthetic": "true"} if synthetic else {}
    fastavro.writer(stream, parsed(listed[0]["record"]), map(fields, listed), codec=codec, metadata=metadata)
    return stream.getvalue()


def log(*values: bytes | None, topic: str = TOPIC, marked: bool = True) -> list[Message]:
    return [Message(topic, 0, 100 + place, NOON + place, value, marked) for place, value in enumerate(values)]


def ids(formed: Formed) -> dict[str, list[str]]:
    return {block.record: block.frame["event_id"].to_list() for block in formed.blocks}


def losses(formed: Formed) -> list[tuple[str, str, str, int | None]]:
    return [(loss.owner, loss.reason, loss.provenance, loss.records) for loss in formed.losses]


def test_single_events_and_containers_of_one_record_become_one_block() -> None:
    one, two, three = (removed(on=f"2026-04-{day:02}") for day in (1, 2, 3))
    formed = form(log(single(one), container([two, three])))
    assert ids(formed) == {"MeterRemoved": [one["event_id"], two["event_id"], three["event_id"]]}
    (block,) = formed.blocks
    assert block.frame.select("offset", "row", "received_at").rows() == [
        (100, 0, NOON),
        (101, 0, NOON + 1),
        (101, 1, NOON + 1),
    ]
    assert [(origin.path, origin.owner) for origin in block.origins] == [(f"{TOPIC}/0", ACME)]


def test_each_record_has_its_block_and_each_topic_its_owner() -> None:
    formed = form([*log(single(installed())), *log(single(commissioned()), topic="dcc")])
    assert sorted(ids(formed)) == ["CommissioningCompleted", "MeterInstalled"]
    owners = {block.record: block.origins[block.frame["origin"][0]].owner for block in formed.blocks}
    assert owners == {"MeterInstalled": ACME, "CommissioningCompleted": "SDCC"}


def test_what_is_no_message_of_ours_loses_only_itself() -> None:
    good = removed()
    unknown = SINGLE_OBJECT_MARKER + b"12345678" + b"body"
    cut = single(good)[:-1]
    formed = form(log(b"poison", None, b"", unknown, cut, single(good), container([good])[:40]))
    assert ids(formed) == {"MeterRemoved": [good["event_id"]]}
    assert losses(formed) == [
        (ACME, "UNDECODABLE", f"{TOPIC}/0/100", None),
        (ACME, "UNDECODABLE", f"{TOPIC}/0/101", None),
        (ACME, "UNDECODABLE", f"{TOPIC}/0/102", None),
        (ACME, "UNKNOWN_SCHEMA", f"{TOPIC}/0/103", 1),
        (ACME, "UNDECODABLE", f"{TOPIC}/0/106", None),
        (ACME, "UNDECODABLE", f"{TOPIC}/0/104", 1),
    ]


def test_a_message_that_would_become_far_more_than_it_is_loses_what_it_claims() -> None:
    good = removed()
    value = container([good])
    header = read_header(value)
    packed = zlib.compress(bytes(MOST_PLAIN_BYTES + 1), wbits=-15)
    bomb = value[: header.end] + varint(7) + varint(len(packed)) + packed + header.sync
    assert len(bomb) < 100_000
    formed = form(log(bomb, value))
    assert ids(formed) == {"MeterRemoved": [good["event_id"]]}
    # No other block says that seven is a usual number of records.
    at = f"{TOPIC}/0/100"
    assert losses(formed) == [(ACME, "UNDECODABLE", at, None), (ACME, "UNDECODABLE", at, 7)]


def test_the_blocks_of_one_message_may_become_so_much_together() -> None:
    good = removed()
    value = container([good])
    header = read_header(value)
    packed = zlib.compress(bytes(MOST_PLAIN_BYTES * 2 // 3), wbits=-15)
    block = varint(7) + varint(len(packed)) + packed + header.sync
    formed = form(log(value[: header.end] + block * 2 + value[header.end :]))
    assert ids(formed) == {"MeterRemoved": [good["event_id"]]}
    assert losses(formed) == [(ACME, "UNDECODABLE", f"{TOPIC}/0/100", 14)]


def test_a_container_cut_in_its_only_block_loses_the_records_behind_the_cut() -> None:
    events = [removed(on="2026-04-01"), removed(on="2026-04-02")]
    formed = form(log(container(events, codec="null")[:-30]))
    assert ids(formed) == {"MeterRemoved": [events[0]["event_id"]]}
    at = f"{TOPIC}/0/100"
    assert losses(formed) == [(ACME, "UNDECODABLE", at, None), (ACME, "UNDECODABLE", at, 1)]


def test_as_at_uses_only_what_the_broker_had_by_then() -> None:
    one, two = removed(on="2026-04-01"), removed(on="2026-04-02")
    assert ids(form(log(single(one), single(two)), as_at=NOON)) == {"MeterRemoved": [one["event_id"]]}


def test_messages_that_do_not_say_that_they_are_synthetic_are_counted() -> None:
    event = removed()
    assert form(log(single(event), container([event]))).unmarked == {}
    assert form(log(container([event], synthetic=True), marked=False)).unmarked == {}
    assert form([*log(single(event)), *log(single(event), marked=False)]).unmarked == {ACME: 1}
    assert form(log(b"poison", container([event]), marked=False)).unmarked == {ACME: 2}


def head(schema: bytes) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, {"type": "map", "values": "bytes"}, {"avro.schema": schema})
    return b"Obj\x01" + stream.getvalue() + b"sync" * 4


def test_a_schema_nested_too_deeply_to_be_read_loses_only_its_message() -> None:
    good, deep = removed(), b"[" * 700 + b'"int"' + b"]" * 700
    field = b'{"type": "record", "name": "x", "fields": [{"name": "a", "type": ' + deep + b"}]}"
    formed = form(log(head(b"[" * 100_000), head(field), single(good)))
    assert ids(formed) == {"MeterRemoved": [good["event_id"]]}
    assert [reason for _, reason, _, _ in losses(formed)] == ["UNDECODABLE", "UNKNOWN_SCHEMA"]
