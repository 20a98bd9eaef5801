"""Rules 1 to 3 and 7 of the plain recount, each by a worked example."""

from collections import Counter
from typing import Any

import pytest

from tests.builders import ACME, BOLT, A, B, altered, amend, gained, installed, mode_changed, removed, void
from tests.oracle.event import Outcome, sent
from tests.oracle.plain import check_conservation, count

OTHER_STATUSES = ("accepted", "duplicate", "superseded", "pending", "rejected")


def outcome(*events: dict[str, Any]) -> Outcome:
    return count(sent(event) for event in events)


def fates(found: Outcome, owner: str = ACME) -> dict[str, int]:
    return {status: number for (who, status), number in found.intake.items() if who == owner and number}


def total(found: Outcome, measure: str) -> int:
    return sum(value for cell, value in found.cells.items() if cell[0] == measure)


def test_copies_of_equal_content_are_duplicates() -> None:
    found = outcome(installed(), installed(), installed())
    assert fates(found) == {"received": 3, "accepted": 1, "duplicate": 2}
    assert total(found, "installations") == 1


def test_of_copies_that_differ_the_earliest_reported_stands_and_a_copy_of_a_loser_is_a_duplicate() -> None:
    first = installed(reported="2026-04-04", payment_mode="PREPAYMENT")
    second = altered(first, reported_at=installed(reported="2026-04-05")["reported_at"], payment_mode="CREDIT")
    found = outcome(second, first, second)
    assert fates(found) == {"received": 3, "accepted": 1, "duplicate": 1, "rejected": 1}
    assert found.rejected == Counter({(ACME, "MeterInstalled", "EVENT_ID_REUSED"): 1})
    assert {cell[8] for cell in found.cells if cell[0] == "meters"} == {"PREPAYMENT"}


def test_of_copies_reported_together_the_smaller_content_stands() -> None:
    found = outcome(installed(id="x", payment_mode="PREPAYMENT"), installed(id="x", payment_mode="CREDIT"))
    assert {cell[8] for cell in found.cells if cell[0] == "meters"} == {"CREDIT"}


def test_copies_may_differ_in_their_kind_of_record() -> None:
    found = outcome(installed(id="x"), removed(on="2026-04-03", id="x"))
    assert found.rejected == Counter({(ACME, "MeterRemoved", "EVENT_ID_REUSED"): 1})


@pytest.mark.parametrize("other", [{"by": BOLT}, {"meter": B}])
def test_an_id_belongs_to_its_source_and_meter_point(other: dict[str, Any]) -> None:
    found = outcome(installed(id="x"), installed(id="x", **other))
    assert not found.rejected
    assert total(found, "installations") == 2


def test_an_amendment_stands_in_the_roots_place_with_its_own_content_times_and_id() -> None:
    event = installed(on="2026-04-03")
    found = outcome(event, amend(event, on="2026-07-03", reported="2026-07-04"))
    assert fates(found) == {"received": 2, "accepted": 1, "superseded": 1}
    assert {cell[1] for cell in found.cells} == {"2026Q3"}


def test_of_all_corrections_the_newest_wins_and_a_void_of_anything_in_the_chain_leaves_nothing_standing() -> None:
    event = installed()
    first = amend(event, reported="2026-04-05", sector="NON_DOMESTIC")
    withdrawal = void(first, reported="2026-04-06")
    assert not outcome(withdrawal, first, event).cells
    assert fates(outcome(withdrawal, first, event)) == {"received": 3, "accepted": 1, "superseded": 2}
    last = amend(event, reported="2026-04-07", payment_mode="PREPAYMENT")
    found = outcome(withdrawal, first, event, last)
    assert {cell[8] for cell in found.cells if cell[0] == "meters"} == {"PREPAYMENT"}
    assert fates(found) == {"received": 4, "accepted": 1, "superseded": 3}


def test_of_corrections_reported_together_the_greater_event_id_wins() -> None:
    event = installed()
    rivals = [amend(event, payment_mode=mode, id=mode) for mode in ("CREDIT", "PREPAYMENT")]
    winner = max(rivals, key=lambda rival: rival["event_id"])
    found = outcome(event, *rivals)
    assert {cell[8] for cell in found.cells if cell[0] == "meters"} == {winner["payment_mode"]}


def test_a_chain_through_a_missing_link_is_pending_until_its_root_comes() -> None:
    event = installed()
    first = amend(event)
    second = amend(first, sector="NON_DOMESTIC")
    assert fates(outcome(second, first)) == {"received": 2, "pending": 2}
    assert fates(outcome(second, first, event)) == {"received": 3, "accepted": 1, "superseded": 2}


def test_a_circle_and_a_correction_of_itself_are_pending() -> None:
    event = installed()
    one, two, selfish = amend(event, id="one"), amend(event, id="two"), amend(event, id="three")
    one["corrects"], two["corrects"], selfish["corrects"] = two["event_id"], one["event_id"], selfish["event_id"]
    assert fates(outcome(event, one, two, selfish)) == {"received": 4, "accepted": 1, "pending": 3}


def test_a_correction_of_another_sources_event_is_rejected_and_what_corrects_it_is_pending() -> None:
    event = installed(by=ACME)
    foreign = {**amend(event), "source_id": BOLT}
    found = outcome(event, foreign, amend(foreign, id="further"))
    assert found.rejected == Counter({(BOLT, "MeterInstalled", "CORRECTION_NOT_OWNER"): 1})
    assert fates(found, BOLT) == {"received": 2, "pending": 1, "rejected": 1}


def test_an_own_event_with_the_named_id_is_the_target_whatever_others_hold() -> None:
    found = outcome(installed(id="x"), installed(id="x", by=BOLT), amend(installed(id="x", by=BOLT)))
    assert not found.rejected


def test_a_correction_of_another_kind_of_record_is_rejected() -> None:
    event = installed()
    found = outcome(event, {**amend(removed()), "corrects": event["event_id"]})
    assert found.rejected == Counter({(ACME, "MeterRemoved", "CORRECTION_TYPE_MISMATCH"): 1})


def test_a_correction_reaches_only_events_of_its_own_meter_point() -> None:
    event = installed(meter=A)
    stray = {**void(event), "meter_point_id": B.id}
    assert fates(outcome(event, stray)) == {"received": 2, "accepted": 1, "pending": 1}


def test_what_validation_rejected_has_not_come() -> None:
    event = installed(region_code="E12000099")
    assert fates(outcome(event, void(event))) == {"received": 2, "pending": 1, "rejected": 1}


def test_at_one_instant_removal_comes_before_gain_before_install_before_mode() -> None:
    now = "2026-05-01T10:00Z"
    found = outcome(
        mode_changed(on=now, by=BOLT), installed(on=now, by=BOLT), gained(on=now, by=BOLT), removed(on=now), installed()
    )
    assert {cell[-1] for cell in found.cells if cell[0] == "inconsistent"} == {"NO_METER"}
    assert {cell[-1] for cell in found.cells if cell[0] == "removals"} == {"FAULT"}
    assert total(found, "mode_losses") == 1


def test_received_is_accepted_duplicate_superseded_pending_and_rejected() -> None:
    broken = Outcome({}, {(ACME, "received"): 2, **{(ACME, s): 0 for s in OTHER_STATUSES}}, Counter(), Counter())
    with pytest.raises(AssertionError, match="BGAS: 2 received, but 0 accounted for"):
        check_conservation(broken)
