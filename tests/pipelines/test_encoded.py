"""A body is read as the records that fill it exactly, whatever it claims; no sender takes the place of another's."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.decode import Body, decode
from pipelines.encoded import record_bytes
from schemas.registry import current
from tests.builders import BOLT, Event, removed
from tests.pipelines.columnar import body
from tests.strategies import new_events

REMOVED = current()["MeterRemoved"]
MINE = removed(on="2026-04-03", by=BOLT)
YOURS = [removed(on=f"2026-05-{day:02}") for day in (1, 2, 3)]


def ids(bodies: list[Body]) -> list[str]:
    return decode(bodies, REMOVED).frame["event_id"].to_list()


@pytest.mark.parametrize("claimed", [0, 1, 2, 4, 1_000_000])
@pytest.mark.parametrize("first", [True, False])
def test_a_body_that_lies_about_its_records_costs_only_itself(claimed: int, first: bool) -> None:
    liar, honest = replace(body(YOURS), records=claimed), body([MINE])
    bodies = [liar, honest] if first else [honest, liar]
    assert ids(bodies) == [MINE["event_id"]]
    assert sorted(decode(bodies, REMOVED).read) == [0, 1]


def test_bytes_behind_the_last_record_cost_their_own_body() -> None:
    longer = replace(body(YOURS), data=body(YOURS).data + body([YOURS[0]]).data)
    assert ids([longer, body([MINE])]) == [MINE["event_id"]]


@settings(max_examples=60)
@given(st.lists(new_events(), min_size=1, max_size=12))
def test_the_length_worked_out_for_a_record_is_that_of_its_bytes(events: list[Event]) -> None:
    for event in events:
        plain, version = body([event]), current()[event["record"]]
        assert record_bytes(decode([plain], version).frame, version).tolist() == [len(plain.data)]


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
    for place, (one, read) in enumerate(zip(bodies, found.read, strict=True)):
        assert read in ((one.records,) if place != hurt else (0, one.records))
    kept = found.frame["event_id"].to_list()
    before = sum(found.read[:hurt])
    others = kept[:before] + kept[before + found.read[hurt] :]
    assert others == [event["event_id"] for place, group in enumerate(groups) if place != hurt for event in group]
