"""A body is read as the records that fill it, whatever it claims; no sender takes the place of another's."""

import io
from collections.abc import Iterable

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.source.decode import Fault, decode
from pipelines.source.encoded import record_bytes
from pipelines.source.salvage import Body
from schemas.codes import RECORDS
from schemas.registry import RecordSchema, current, schema_fingerprint
from tests.builders import BOLT, Event, installed, removed, service_measured
from tests.pipelines.columnar import body
from tests.schemas.events import events as any_events
from tests.strategies import new_events

REMOVED = current()["MeterRemoved"]
MINE = removed(on="2026-04-03", by=BOLT)
YOURS = [removed(on=f"2026-05-{day:02}") for day in (1, 2, 3)]


# The numbers at which a varint takes one byte more, on either side of nought.
BOUNDS = [sign * (1 << 7 * n - 1) + step for n in range(1, 10) for sign in (1, -1) for step in (-1, 0, 1)]
LEAST, MOST = -(1 << 63), (1 << 63) - 1


def older() -> RecordSchema:
    """A version of MeterInstalled before one field was added, with fewer symbols and a union the other way round."""
    fields = []
    for field in current()["MeterInstalled"].schema["fields"]:
        kind = field["type"]
        if field["name"] == "device_id":
            fields.append({"name": "device_id", "type": ["string", "null"]})
        elif field["name"] == "install_reason":
            fields.append({"name": "install_reason", "type": kind | {"symbols": kind["symbols"][::-1]}})
        elif field["name"] != "hub_id":
            fields.append({"name": field["name"], "type": kind})
    schema = current()["MeterInstalled"].schema | {"fields": fields}
    return RecordSchema("MeterInstalled", schema, schema_fingerprint(schema))


def written(events: Iterable[Event], version: RecordSchema) -> Body:
    listed, stream = list(events), io.BytesIO()
    parsed = fastavro.parse_schema(version.schema)
    for event in listed:
        fastavro.schemaless_writer(stream, parsed, {name: event[name] for name in version.field_names})
    return Body(stream.getvalue(), len(listed))


def ids(bodies: list[Body], version: RecordSchema = REMOVED) -> list[str]:
    return decode(bodies, version).frame["event_id"].to_list()


@pytest.mark.parametrize("claimed", [0, 1, 2, 4, 1_000_000])
@pytest.mark.parametrize("first", [True, False])
def test_a_body_that_lies_about_its_records_costs_only_itself(claimed: int, first: bool) -> None:
    liar, honest = body(YOURS)._replace(records=claimed), body([MINE])
    bodies = [liar, honest] if first else [honest, liar]
    events = [*YOURS, MINE] if first else [MINE, *YOURS]
    assert ids(bodies) == [event["event_id"] for event in events]
    # All that is there is read, but what the header says is not believed, and so more may be lost.
    assert decode(bodies, REMOVED).faults == (Fault(0 if first else 1, (), 0, more=True),)


def test_bytes_behind_the_last_record_cost_their_own_body() -> None:
    longer = body(YOURS)._replace(data=body(YOURS).data + body([YOURS[0]]).data)
    assert ids([longer, body([MINE])]) == [event["event_id"] for event in (*YOURS, YOURS[0], MINE)]
    assert decode([longer, body([MINE])], REMOVED).faults == (Fault(0, (), 0, more=True),)


@settings(max_examples=60)
@given(st.lists(new_events(), min_size=1, max_size=12))
def test_the_length_worked_out_for_a_record_is_that_of_its_bytes(events: list[Event]) -> None:
    for event in events:
        plain, version = body([event]), current()[event["record"]]
        assert record_bytes(decode([plain], version).frame, version).tolist() == [len(plain.data)]


@settings(max_examples=60)
@given(
    st.sampled_from(RECORDS).flatmap(lambda record: st.tuples(st.just(record), any_events(current()[record].schema)))
)
def test_also_of_whatever_else_its_schema_allows(sent: tuple[str, Event]) -> None:
    record, event = sent
    plain, version = written([event], current()[record]), current()[record]
    assert record_bytes(decode([plain], version).frame, version).tolist() == [len(plain.data)]


def test_the_length_is_right_where_a_number_takes_a_byte_more() -> None:
    measured, version = [service_measured(number, 0) for number in (*BOUNDS, LEAST, MOST)], current()["ServiceMeasured"]
    lengths = [len(body([event]).data) for event in measured]
    assert record_bytes(decode([body(measured)], version).frame, version).tolist() == lengths


def test_a_number_in_more_bytes_than_it_needs_costs_nothing() -> None:
    plain = body([service_measured(0, 1)])
    # The denominator is the last field: 1 is the byte 2, and in two bytes 82 00.
    assert plain.data[-1:] == b"\x02"
    longer = plain._replace(data=plain.data[:-1] + b"\x82\x00")
    found = decode([longer, plain, longer], current()["ServiceMeasured"])
    assert found.frame["denominator"].to_list() == [1, 1, 1]
    assert found.read == (1, 1, 1)
    assert not found.faults


@pytest.mark.parametrize("claimed", [1, 3])
@pytest.mark.parametrize("first", [True, False])
def test_lengths_are_those_of_the_version_that_was_written(claimed: int, first: bool) -> None:
    version = older()
    mine = installed(by=BOLT, local_authority_code=None, device_id=None)
    yours = [installed(on=f"2026-05-{day:02}") for day in (1, 2)]
    liar, honest = written(yours, version)._replace(records=claimed), written([mine], version)
    assert ids([written(yours, version), honest], version) == [event["event_id"] for event in (*yours, mine)]
    events = [*yours, mine] if first else [mine, *yours]
    assert ids([liar, honest] if first else [honest, liar], version) == [event["event_id"] for event in events]


@settings(max_examples=60)
@given(
    st.lists(st.lists(new_events(), min_size=1, max_size=3), min_size=2, max_size=5),
    st.integers(-3, 3),
    st.integers(-9, 9),
    st.data(),
)
def test_whatever_one_body_is_made_of_the_others_come_out_as_they_are(
    sent: list[list[Event]], lie: int, cut: int, data: st.DataObject
) -> None:
    record = sent[0][0]["record"]
    groups = [[event for event in group if event["record"] == record] for group in sent]
    bodies = [body(group) if group else Body(b"", 0) for group in groups]
    hurt = data.draw(st.integers(0, len(bodies) - 1))
    was = bodies[hurt]
    changed = was.data[:cut] if cut < 0 else was.data + b"\x02" * cut
    bodies[hurt] = Body(changed, max(0, was.records + lie))
    found = decode(bodies, current()[record])
    # Of the body that is hurt the first records come out, and none is lost that nobody hears of.
    whole = [len(group) if place != hurt else found.read[hurt] for place, group in enumerate(groups)]
    assert list(found.read) == whole
    kept = [event["event_id"] for group, read in zip(groups, found.read, strict=True) for event in group[:read]]
    assert found.frame["event_id"].to_list() == kept
    assert found.read[hurt] == len(groups[hurt]) or [fault.place for fault in found.faults] == [hurt]
