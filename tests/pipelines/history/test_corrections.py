"""Rule 2: corrections of events, of corrections, in circles, of what was rejected, and of other owners' events."""

from itertools import islice, permutations

from tests.builders import ACME, BOLT, GONE, Event, altered, amend, installed, removed, visited, void
from tests.pipelines.columnar import by_oracle, cells, counted, differences, intake, rejections

ROOT = visited(id="root")


def outcomes(visit: Event) -> str:
    return visit["outcome"]


def visits(*events: Event) -> list[str]:
    """The outcomes of the visits that stand, in whatever order the events come, as the oracle has them too."""
    found = counted(events)
    assert differences(found, by_oracle(events)) == []
    for order in islice(permutations(events), 1, 6):
        assert cells(counted(order)) == cells(found)
    return sorted(key[-1] for key in cells(found) if key[0] == "visits")


def statuses(*events: Event) -> dict[str, int]:
    return {status: records for (_, status), records in intake(counted(events)).items()}


def test_an_amendment_stands_in_the_place_of_its_root() -> None:
    assert visits(ROOT, amend(ROOT, outcome="NO_ACCESS")) == ["NO_ACCESS"]
    assert statuses(ROOT, amend(ROOT, outcome="NO_ACCESS")) == {"superseded": 1, "accepted": 1}


def test_a_withdrawal_leaves_nothing_standing() -> None:
    assert visits(ROOT, void(ROOT)) == []
    assert statuses(ROOT, void(ROOT)) == {"superseded": 1, "accepted": 1}


def test_the_newest_correction_wins_whichever_it_corrects() -> None:
    first = amend(ROOT, outcome="NO_ACCESS", reported="2026-04-05")
    second = amend(first, outcome="ABORT_HAN", reported="2026-04-06")
    older_of_root = amend(ROOT, outcome="CUSTOMER_DECLINED", reported="2026-04-04")
    assert visits(ROOT, first, second, older_of_root) == ["ABORT_HAN"]
    assert statuses(ROOT, first, second, older_of_root) == {"superseded": 3, "accepted": 1}


def test_a_withdrawal_of_an_amendment_withdraws_the_whole_event() -> None:
    first = amend(ROOT, outcome="NO_ACCESS")
    assert visits(ROOT, first, void(first)) == []


def test_an_amendment_newer_than_a_withdrawal_stands() -> None:
    gone = void(ROOT, reported="2026-04-05")
    assert visits(ROOT, gone, amend(ROOT, outcome="NO_ACCESS", reported="2026-04-06")) == ["NO_ACCESS"]
    assert visits(ROOT, gone, amend(gone, action="AMEND", outcome="NO_ACCESS", reported="2026-04-06")) == ["NO_ACCESS"]


def test_of_corrections_reported_at_one_instant_the_greater_id_wins() -> None:
    rivals = [amend(ROOT, id=word, outcome=outcome) for word, outcome in (("p", "NO_ACCESS"), ("q", "ABORT_HAN"))]
    winner = max(rivals, key=lambda event: event["event_id"])
    assert visits(ROOT, *rivals) == [outcomes(winner)]


def test_a_long_chain_ends_in_its_root() -> None:
    chain = [ROOT]
    for day in range(5, 30):
        chain.append(amend(chain[-1], reported=f"2026-04-{day:02d}", outcome="NO_ACCESS" if day < 29 else "ABORT_HAN"))
    assert visits(*chain) == ["ABORT_HAN"]
    assert statuses(*chain) == {"superseded": 25, "accepted": 1}


def test_a_chain_through_a_missing_link_waits_until_the_link_comes() -> None:
    first = amend(ROOT, outcome="NO_ACCESS", reported="2026-04-05")
    second = amend(first, outcome="ABORT_HAN", reported="2026-04-06")
    assert visits(ROOT, second) == ["COMPLETED"]
    assert statuses(ROOT, second) == {"accepted": 1, "pending": 1}
    assert visits(first, second) == []
    assert visits(ROOT, first, second) == ["ABORT_HAN"]


def test_corrections_in_a_circle_wait_for_ever() -> None:
    one, two, three = (amend(ROOT, id=word) for word in "uvw")
    pair = altered(one, corrects=two["event_id"]), altered(two, corrects=one["event_id"])
    assert visits(ROOT, *pair) == ["COMPLETED"]
    assert statuses(ROOT, *pair) == {"accepted": 1, "pending": 2}
    hanging_on = altered(three, corrects=one["event_id"])
    assert statuses(*pair, hanging_on) == {"pending": 3}
    itself = altered(one, corrects=one["event_id"])
    assert statuses(ROOT, itself) == {"accepted": 1, "pending": 1}


def test_a_ring_of_three_waits_for_ever() -> None:
    ids = [amend(ROOT, id=word)["event_id"] for word in "uvw"]
    ring = [altered(amend(ROOT), event_id=ids[place], corrects=ids[(place + 1) % 3]) for place in range(3)]
    assert statuses(ROOT, *ring) == {"accepted": 1, "pending": 3}


def test_nobody_corrects_the_event_of_another() -> None:
    theirs = amend(ROOT, source_id=BOLT, outcome="NO_ACCESS")
    assert visits(ROOT, theirs) == ["COMPLETED"]
    assert rejections(counted([ROOT, theirs])) == {(BOLT, "InstallationVisit", "CORRECTION_NOT_OWNER"): 1}


def test_an_own_event_is_the_target_whatever_another_holds_under_that_id() -> None:
    ours, theirs = visited(by=BOLT, id="root"), ROOT
    assert visits(theirs, ours, amend(ours, outcome="NO_ACCESS")) == ["COMPLETED", "NO_ACCESS"]


THEIRS = visited(by=GONE, on="2021-03-02", id="root")
# The first instant of the day after the predecessor's last.
TAKEN_OVER = "2021-03-31T23:00:00Z"


def test_an_heir_corrects_its_predecessors_event_which_stays_the_predecessors() -> None:
    amended = amend(THEIRS, source_id=BOLT, outcome="NO_ACCESS", reported=TAKEN_OVER)
    assert visits(THEIRS, amended) == ["NO_ACCESS"]
    assert [key[2] for key in cells(counted([THEIRS, amended])) if key[0] == "visits"] == [GONE]
    assert intake(counted([THEIRS, amended])) == {(GONE, "superseded"): 1, (BOLT, "accepted"): 1}
    assert visits(THEIRS, amended, void(amended, source_id=BOLT, reported="2021-04-02")) == []


def test_an_heir_corrects_nothing_before_it_has_taken_over_and_its_predecessor_nothing_of_the_heirs() -> None:
    early = amend(THEIRS, source_id=BOLT, outcome="NO_ACCESS", reported="2021-03-31T22:59:59.999Z")
    ours = visited(by=BOLT, on="2021-05-01", id="root")
    backwards = amend(ours, source_id=GONE, outcome="NO_ACCESS")
    for events, sender in (([THEIRS, early], BOLT), ([ours, backwards], GONE)):
        assert visits(*events) == ["COMPLETED"]
        assert rejections(counted(events)) == {(sender, "InstallationVisit", "CORRECTION_NOT_OWNER"): 1}


def test_an_heirs_own_event_is_the_target_before_its_predecessors() -> None:
    ours = visited(by=BOLT, on="2021-05-01", id="root", outcome="ABORT_HAN")
    assert visits(THEIRS, ours, amend(ours, outcome="NO_ACCESS")) == ["COMPLETED", "NO_ACCESS"]


def test_the_newest_correction_wins_whether_the_predecessor_or_the_heir_sent_it() -> None:
    ours = amend(THEIRS, source_id=BOLT, outcome="NO_ACCESS", reported="2021-04-05", id="ours")
    late = amend(THEIRS, outcome="ABORT_HAN", reported="2021-04-06", id="late")
    assert visits(THEIRS, ours, late) == ["ABORT_HAN"]
    together = [altered(event, reported_at=late["reported_at"], event_id=late["event_id"]) for event in (ours, late)]
    assert visits(THEIRS, *together) == ["ABORT_HAN"]


def test_a_book_that_was_taken_over_twice_is_corrected_by_the_last_heir_from_then_on() -> None:
    # Green Supplier's book went to Shell Energy Retail in 2021, and with that one's to Octopus in 2024.
    first, second, third = "GREN", "LORM", "MRCY"
    theirs = visited(by=first, on="2021-03-02", id="root")
    assert visits(theirs, amend(theirs, source_id=second, outcome="NO_ACCESS", reported="2022-01-01")) == ["NO_ACCESS"]
    assert visits(theirs, amend(theirs, source_id=third, outcome="NO_ACCESS", reported="2022-01-01")) == ["COMPLETED"]
    assert visits(theirs, amend(theirs, source_id=third, outcome="NO_ACCESS", reported="2024-01-01")) == ["NO_ACCESS"]


def test_a_chain_through_a_rejected_link_waits() -> None:
    wrong_kind = altered(amend(removed()), corrects=ROOT["event_id"])
    behind = amend(wrong_kind)
    found = counted([ROOT, wrong_kind, behind])
    assert rejections(found) == {(ACME, "MeterRemoved", "CORRECTION_TYPE_MISMATCH"): 1}
    assert intake(found) == {(ACME, "accepted"): 1, (ACME, "rejected"): 1, (ACME, "pending"): 1}


def test_a_correction_of_a_copy_that_lost_corrects_the_one_that_stands() -> None:
    lost = altered(ROOT, outcome="ABORT_HAN", reported_at=amend(ROOT)["reported_at"])
    correction = amend(lost, outcome="NO_ACCESS")
    assert visits(ROOT, lost, correction) == ["NO_ACCESS"]


def test_an_amendment_moves_an_event_in_time() -> None:
    first = installed(on="2026-06-30T22:59Z")
    events = [first, amend(first, on="2026-06-30T23:00Z")]
    assert differences(counted(events), by_oracle(events)) == []
    assert {key[1] for key in cells(counted(events)) if key[0] == "installations"} == {"2026Q3"}


def test_what_names_no_uuid_waits() -> None:
    assert statuses(ROOT, altered(amend(ROOT), corrects="yesterday's")) == {"accepted": 1, "pending": 1}
