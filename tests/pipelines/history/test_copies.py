"""Rule 1: equal copies are one event, and of copies that differ the earliest stands."""

from itertools import permutations

import polars as pl
import pytest

from pipelines.history.copies import canonical, distinct, losers, with_copies
from tests.builders import (
    ACME,
    BOLT,
    A,
    B,
    Event,
    altered,
    amend,
    declared,
    gained,
    hub_connected,
    installed,
    removed,
    visited,
)
from tests.oracle.event import sent
from tests.pipelines.columnar import by_oracle, counted, differences, identified, intake, rejections

ONE_OF_EACH = [
    installed(local_authority_code=None),
    removed(),
    visited(offered_on=None),
    visited(fault_side="CUSTOMER"),
    declared(3),
    hub_connected(),
    gained(),
    amend(installed()),
    altered(amend(installed()), corrects="no uuid at all"),
    altered(amend(installed()), corrects=""),
]


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event["record"])
def test_the_content_of_an_event_is_written_as_the_oracle_writes_it(event: Event) -> None:
    (row,) = identified([event]).rows(named=True)
    assert canonical(row) == sent(event).content()


@pytest.mark.parametrize(("days", "written"), [(2**31 - 1, "5881580-07-11"), (-(2**31), "-5877641-06-23")])
def test_a_day_beyond_the_calendar_is_written_too(days: int, written: str) -> None:
    far = identified([visited()]).with_columns(requested_on=pl.lit(days, pl.Int32))
    (row,) = far.rows(named=True)
    assert f'"requested_on":"{written}"' in canonical(row)


def test_equal_copies_are_counted_and_kept_once() -> None:
    event, other = installed(), removed()
    frame = distinct(with_copies(identified([event, other, event, event])))
    assert sorted(frame.select("record", "copies").rows()) == [(0, 3), (1, 1)]
    assert not losers(frame).any()


def test_of_copies_that_differ_the_earliest_reported_stands_whatever_the_order() -> None:
    early, late = visited(id="x", reported="2026-04-04"), visited(id="x", reported="2026-04-05")
    for events in permutations([early, late, early]):
        found = counted(events)
        assert rejections(found) == {(ACME, "InstallationVisit", "EVENT_ID_REUSED"): 1}
        assert intake(found) == {(ACME, "accepted"): 1, (ACME, "duplicate"): 1, (ACME, "rejected"): 1}


@pytest.mark.parametrize(
    "copies",
    [
        (installed(id="x"), installed(id="x", payment_mode="PREPAYMENT")),
        (installed(id="x"), installed(id="x", local_authority_code=None)),
        (installed(id="x"), installed(id="x", upfront_charge_pence=-3, sector="NON_DOMESTIC")),
        (visited(id="x"), visited(id="x", vulnerable_customer=True)),
        (altered(amend(installed(), id="x"), corrects=""), altered(amend(installed(), id="x"), corrects="#")),
        (
            altered(amend(installed(), id="x"), corrects=""),
            altered(installed(id="x"), reported_at=amend(installed())["reported_at"], payment_mode="PREPAYMENT"),
        ),
    ],
)
def test_of_copies_reported_at_one_instant_the_smaller_content_stands(copies: tuple[Event, ...]) -> None:
    standing = min(copies, key=lambda event: sent(event).content())
    frame = distinct(with_copies(identified(copies)))
    kept = frame.filter(~losers(frame))
    assert kept.drop("copies").equals(identified([standing]), null_equal=True)
    assert differences(counted(copies), by_oracle(copies)) == []


def test_a_copy_equal_to_one_that_lost_is_a_duplicate() -> None:
    first, lost = visited(id="x", reported="2026-04-04"), visited(id="x", reported="2026-04-05")
    assert intake(counted([lost, first, lost, lost])) == {
        (ACME, "accepted"): 1,
        (ACME, "rejected"): 1,
        (ACME, "duplicate"): 2,
    }


def test_two_suppliers_may_use_one_event_id_at_one_instant() -> None:
    ours, theirs = (visited(by=supplier, id="x") for supplier in (ACME, BOLT))
    found = counted([ours, theirs])
    assert intake(found) == {(ACME, "accepted"): 1, (BOLT, "accepted"): 1}
    assert rejections(found) == {}


def test_one_event_id_at_two_meter_points_is_two_events() -> None:
    assert intake(counted([installed(A, id="x"), installed(B, id="x")])) == {(ACME, "accepted"): 2}


def test_copies_that_already_count_for_many_are_added_up() -> None:
    frame = with_copies(identified([installed(), installed()])).with_columns(copies=pl.Series([4, 5], dtype=pl.UInt32))
    assert distinct(frame)["copies"].to_list() == [9]
