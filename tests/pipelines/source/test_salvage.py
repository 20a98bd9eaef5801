"""Records that are read one by one are those that columns hold, whatever the record and whatever its bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.source.container import Trust
from pipelines.source.decode import Fault, decode
from pipelines.source.salvage import Body, passed, salvage
from schemas.registry import current
from tests.builders import Event, removed, service_measured
from tests.pipelines.columnar import body
from tests.strategies import new_events

REMOVED, MEASURED = current()["MeterRemoved"], current()["ServiceMeasured"]
THREE = [removed(on=f"2026-05-{day:02}") for day in (1, 2, 3)]


def read(whole: Body, record: str) -> list[tuple[object, ...]]:
    """The rows that columns have."""
    return decode([whole], current()[record]).frame.rows()


@given(st.lists(new_events(), min_size=1, max_size=4))
def test_all_records_are_read_as_columns_are(events: list[Event]) -> None:
    record = events[0]["record"]
    whole = body([event for event in events if event["record"] == record])
    kept = salvage(whole, current()[record])
    assert kept.values == read(whole, record)
    assert (kept.bad, kept.lost, kept.more) == ((), 0, False)


@settings(max_examples=200)
@given(new_events(), st.data())
def test_whatever_a_byte_is_changed_to_both_ways_of_reading_agree(event: Event, data: st.DataObject) -> None:
    whole, record = body([event, event]), event["record"]
    at = data.draw(st.integers(0, len(whole.data) - 1))
    changed = data.draw(st.sampled_from([0, 1, 2, 3, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    spoilt = whole._replace(data=whole.data[:at] + bytes([changed]) + whole.data[at + 1 :])
    decoded = decode([spoilt], current()[record])
    if not decoded.faults:
        assert salvage(spoilt, current()[record]).values == decoded.frame.rows()


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_the_largest_numbers_are_read(value: int) -> None:
    whole = body([service_measured(value, 0)])
    assert salvage(whole, MEASURED).values == read(whole, "ServiceMeasured")


def test_bad_records_are_named_and_the_runs_between_them_are_known() -> None:
    whole = body(THREE)
    length = len(whole.data) // 3
    bounds = passed(whole.data, REMOVED).bounds
    assert bounds == [0, length, 2 * length, 3 * length]
    spoilt = whole._replace(data=whole.data[: length + 1] + b"\xff" + whole.data[length + 2 :])
    kept = salvage(spoilt, REMOVED)
    assert (kept.good, kept.bad, kept.lost, kept.more) == ((0, 2), (1,), 0, False)
    assert kept.runs == [[0, length], [2 * length, 3 * length]]
    assert decode([spoilt], REMOVED).faults == (Fault(0, (1,), 0, more=False),)


@pytest.mark.parametrize(
    ("trust", "lost", "more"),
    [(Trust.CONFIRMED, 2, False), (Trust.FRAMED, 2, True), (Trust.TORN, 0, True)],
)
def test_what_lies_behind_a_broken_record_is_lost_as_far_as_its_count_is_trusted(
    trust: Trust, lost: int, more: bool
) -> None:
    whole = body(THREE)
    length = len(whole.data) // 3
    # A length that never ends.
    spoilt = whole.data[:length] + b"\xff" * 12 + whole.data[length + 12 :]
    kept = salvage(Body(spoilt, 3, trust), REMOVED)
    assert (kept.good, kept.bad, kept.lost, kept.more) == ((0,), (), lost, more)


def test_of_a_body_that_is_cut_the_records_before_the_cut_are_kept() -> None:
    whole = body(THREE)
    kept = salvage(Body(whole.data[:-5], 3, Trust.CUT), REMOVED)
    assert (kept.good, kept.bad, kept.lost, kept.more) == ((0, 1), (), 1, True)


@pytest.mark.parametrize("zeros", [20, 200, 2_000])
def test_zeros_are_no_records(zeros: int) -> None:
    kept = salvage(Body(bytes(zeros), 3, Trust.TORN), REMOVED)
    assert (kept.good, kept.bad, kept.lost, kept.more) == ((), (), 0, True)


def test_of_a_message_that_is_one_event_nothing_is_kept_if_it_is_damaged() -> None:
    kept = salvage(Body(body(THREE[:1]).data[:-1], 1, Trust.CERTAIN), REMOVED)
    assert (kept.good, kept.bad, kept.lost, kept.more) == ((), (), 1, False)
