"""Rules 4 to 6 of the plain recount, each by a worked example."""

from typing import Any

import pytest

from tests.builders import (
    ACME,
    BOLT,
    CAMDEN,
    CITY,
    LONDON,
    ODD_AUTHORITIES,
    SCOTLAND,
    commissioned,
    credentials_changed,
    declared,
    device_status,
    gained,
    hub_connected,
    installed,
    migrated,
    mode_changed,
    opening,
    payment_changed,
    removed,
    service_measured,
    visited,
)
from tests.oracle.event import Cell, sent
from tests.oracle.plain import count

Events = dict[str, Any]
HOME = {"region_code": LONDON, "fuel": "ELECTRICITY", "sector": "DOMESTIC", "meter_type": "SMETS2"}
SMART = {**HOME, "operating_mode": "SMART", "payment_mode": "CREDIT"}
TRADITIONAL = {**HOME, "operating_mode": "TRADITIONAL", "payment_mode": "CREDIT"}


def cells(measure: str, *events: Events) -> dict[Cell, int]:
    found = count(sent(event) for event in events).cells
    return {Cell(*cell): value for cell, value in found.items() if cell[0] == measure}


def reasons(*events: Events) -> list[str]:
    found = cells("inconsistent", *events)
    return sorted(cell.detail for cell, value in found.items() for _ in range(value))


def test_the_same_installation_again_is_inconsistent() -> None:
    assert reasons(installed(), installed(id="again", reported="2026-04-09")) == ["SAME_INSTALLATION"]


def test_the_same_installation_from_another_source_is_an_exchange() -> None:
    assert reasons(installed(id="one"), installed(id="two", by=BOLT)) == []


def test_an_opening_position_where_a_meter_is_present_is_inconsistent() -> None:
    assert reasons(opening(on="2012-01-01"), opening(on="2013-01-01")) == ["ALREADY_PRESENT"]


def test_an_install_over_a_meter_removes_it_and_takes_it_over_if_it_was_anothers() -> None:
    events = installed(by=ACME), installed(by=BOLT, on="2026-05-01", install_reason="SMART_FOR_SMART")
    assert cells("removals", *events) == {Cell("removals", "2026Q2", ACME, **SMART, detail="EXCHANGED"): 1}
    assert cells("takeovers", *events) == {Cell("takeovers", "2026Q2", BOLT, **SMART, detail="SMART_FOR_SMART"): 1}
    assert cells("meters", *events) == {Cell("meters", "2026Q2", BOLT, **SMART): 1}


def test_an_exchange_by_the_supplier_is_no_takeover() -> None:
    assert cells("takeovers", installed(), installed(on="2026-05-01")) == {}


@pytest.mark.parametrize(("reason", "code"), [("NEW", "NO_METER_YET"), ("SWITCH", "NO_METER"), ("SOLR", "NO_METER")])
def test_a_gain_where_no_meter_is_present_is_inconsistent(reason: str, code: str) -> None:
    assert reasons(gained(reason=reason)) == [code]


def test_a_gain_by_the_supplier_is_inconsistent() -> None:
    assert reasons(installed(), gained(by=ACME)) == ["ALREADY_SUPPLIER"]


def test_a_smets_meter_takes_the_declared_mode_of_the_gain() -> None:
    events = installed(), gained(mode="TRADITIONAL"), gained(by=CITY, on="2026-07-01", mode="SMART")
    assert cells("mode_losses", *events) == {Cell("mode_losses", "2026Q2", BOLT, **TRADITIONAL, detail="CHURN"): 1}
    assert cells("mode_recoveries", *events) == {Cell("mode_recoveries", "2026Q3", CITY, **SMART, detail="CHURN"): 1}
    assert set(cells("switches", *events)) == {
        Cell("switches", "2026Q2", BOLT, **TRADITIONAL, detail="SWITCH"),
        Cell("switches", "2026Q3", CITY, **SMART, detail="SWITCH"),
    }


def test_any_other_meter_keeps_its_mode_at_a_gain() -> None:
    not_applicable = {**SMART, "meter_type": "ADVANCED", "operating_mode": "NOT_APPLICABLE"}
    advanced = installed(meter_type="ADVANCED"), gained(mode="SMART")
    assert cells("meters", *advanced) == {Cell("meters", "2026Q2", BOLT, **not_applicable): 1}
    smets = installed(), gained(mode="NOT_APPLICABLE")
    assert cells("meters", *smets) == {Cell("meters", "2026Q2", BOLT, **SMART): 1}


@pytest.mark.parametrize("change", [removed, mode_changed, payment_changed])
def test_a_change_needs_a_meter_and_its_supplier(change: Any) -> None:
    assert reasons(change()) == ["NO_METER"]
    assert reasons(installed(), change(by=BOLT)) == ["NOT_CURRENT_SUPPLIER"]
    assert reasons(installed(), change()) == []


def test_a_mode_for_a_meter_that_is_not_smets_is_inconsistent() -> None:
    assert reasons(installed(meter_type="ADVANCED"), mode_changed()) == ["MODE_NOT_APPLICABLE"]
    assert reasons(installed(meter_type="ADVANCED"), mode_changed(by=BOLT)) == ["NOT_CURRENT_SUPPLIER"]


def test_the_same_mode_again_changes_nothing() -> None:
    events = installed(), mode_changed(mode="SMART"), mode_changed(on="2026-05-02"), mode_changed(on="2026-05-03")
    assert cells("mode_losses", *events) == {Cell("mode_losses", "2026Q2", ACME, **TRADITIONAL, detail="WAN"): 1}
    assert cells("mode_recoveries", *events) == {}


def test_a_late_arrival_may_make_an_event_consistent() -> None:
    assert reasons(removed(by=BOLT), installed(), gained(on="2026-04-20")) == []


@pytest.mark.parametrize(
    ("instant", "quarter"),
    [
        ("2026-06-30T22:59:59.999Z", "2026Q2"),
        ("2026-06-30T23:30Z", "2026Q3"),
        ("2026-03-31T22:30Z", "2026Q1"),
        ("2026-03-31T23:00Z", "2026Q2"),
        ("2026-09-30T23:00Z", "2026Q4"),
        ("2026-12-31T23:59:59.999Z", "2026Q4"),
        ("2027-01-01T00:00Z", "2027Q1"),
        ("2024-02-29T23:30Z", "2024Q1"),
    ],
)
def test_quarters_are_calendar_quarters_by_the_local_date(instant: str, quarter: str) -> None:
    assert [cell.quarter for cell in cells("meters", installed(on=instant))] == [quarter]


def test_stock_changes_only_between_the_ends_of_quarters() -> None:
    events = installed(on="2026-04-03"), payment_changed(on="2026-05-01"), removed(on="2026-08-01")
    paid_ahead = {**SMART, "payment_mode": "PREPAYMENT"}
    assert cells("meters", *events) == {
        Cell("meters", "2026Q2", ACME, **paid_ahead): 1,
        Cell("meters", "2026Q3", ACME, **paid_ahead): -1,
    }
    assert cells("meters", installed(on="2026-04-03"), removed(on="2026-05-01")) == {}


def test_local_stock_knows_no_supplier_and_no_payment_mode() -> None:
    local = {**HOME, "operating_mode": "SMART", "region_code": CAMDEN}
    assert cells("meters_local", installed(), gained(on="2026-07-01")) == {Cell("meters_local", "2026Q2", **local): 1}
    for none in (None, *ODD_AUTHORITIES):
        assert [cell.region_code for cell in cells("meters_local", installed(local_authority_code=none))] == [""]


def test_opening_positions_are_stock_and_no_installations() -> None:
    assert cells("installations", opening()) == {}
    assert sum(cells("meters", opening()).values()) == 1


def test_displays_are_counted_at_domestic_smets_installations() -> None:
    assert set(cells("displays", installed())) == {Cell("displays", "2026Q2", ACME, **SMART, detail="OFFERED_ACCEPTED")}
    assert cells("displays", installed(sector="NON_DOMESTIC")) == {}
    assert cells("displays", installed(meter_type="NON_SMART")) == {}


def test_removals_lie_in_the_state_removed() -> None:
    events = installed(), gained(mode="TRADITIONAL"), removed(by=BOLT, on="2026-05-02")
    assert cells("removals", *events) == {Cell("removals", "2026Q2", BOLT, **TRADITIONAL, detail="FAULT"): 1}


def test_visits_count_meter_or_no_meter_and_support_counts_the_vulnerable() -> None:
    events = visited(), visited(on="2026-04-04", vulnerable_customer=True, display_demonstrated=False)
    assert cells("visits", *events) == {Cell("visits", "2026Q2", ACME, fuel="ELECTRICITY", detail="COMPLETED"): 2}
    assert [cell.detail for cell in cells("visits_supported", *events)] == ["ADVICE"]


@pytest.mark.parametrize(
    ("reported", "delay"),
    [
        ("2026-04-02T12:00Z", "D0"),
        ("2026-04-04T11:59:59.999Z", "D0"),
        ("2026-04-04T12:00Z", "D1-7"),
        ("2026-04-11T11:59:59.999Z", "D1-7"),
        ("2026-04-11T12:00Z", "D8-28"),
        ("2026-05-02T11:59Z", "D8-28"),
        ("2026-05-02T12:00Z", "D29-91"),
        ("2026-07-04T11:59Z", "D29-91"),
        ("2026-07-04T12:00Z", "D92+"),
    ],
)
def test_the_reporting_delay_is_in_whole_days(reported: str, delay: str) -> None:
    assert [cell.detail for cell in cells("reporting_delay", removed(on="2026-04-03", reported=reported))] == [delay]


def test_records_about_no_meter_point_and_of_the_dcc_have_no_reporting_delay() -> None:
    assert cells("reporting_delay", declared(1), service_measured(), commissioned()) == {}


def test_the_newest_declaration_of_a_cell_stands_in_the_quarter_it_names() -> None:
    events = declared(7, reported="2026-07-03"), declared(5, reported="2026-07-02"), declared(0, quarter="2026Q3")
    place = {**HOME, "operating_mode": "SMART"}
    assert cells("declared_meters", *events) == {Cell("declared_meters", "2026Q2", ACME, **place): 7}
    assert cells("declarations", *events) == {
        Cell("declarations", "2026Q2", ACME, **place): 1,
        Cell("declarations", "2026Q3", ACME, **place): 1,
    }
    assert len(cells("declarations", declared(1), declared(1, region_code=SCOTLAND), declared(1, by=BOLT))) == 3


def test_a_smets_meter_is_inferred_traditional_until_commissioned() -> None:
    differs = Cell("mode_disagreements", "2026Q2", ACME, **SMART, detail="TRADITIONAL")
    assert cells("mode_disagreements", installed()) == {differs: 1}
    assert cells("mode_disagreements", installed(), commissioned(result="FAIL")) == {differs: 1}
    assert cells("mode_disagreements", installed(), commissioned()) == {}
    assert cells("mode_disagreements", installed(), migrated(on="2026-07-01")) == {
        differs: 1,
        differs._replace(quarter="2026Q3"): -1,
    }
    assert cells("mode_disagreements", installed(meter_type="ADVANCED")) == {}


@pytest.mark.parametrize("status", ["Suspended", "Decommissioned", "Withdrawn"])
def test_a_device_out_of_use_is_inferred_traditional(status: str) -> None:
    smart = installed(), commissioned()
    assert len(cells("mode_disagreements", *smart, device_status(status=status))) == 1
    assert cells("mode_disagreements", *smart, device_status(status="Commissioned")) == {}


def test_a_gain_is_inferred_traditional_until_the_credentials_come_to_that_supplier() -> None:
    smart = installed(), commissioned(), gained(mode="SMART")
    assert [cell.source_id for cell in cells("mode_disagreements", *smart)] == [BOLT]
    assert len(cells("mode_disagreements", *smart, credentials_changed(to=CITY))) == 1
    assert len(cells("mode_disagreements", *smart, credentials_changed(to=BOLT, result="FAIL"))) == 1
    assert cells("mode_disagreements", *smart, credentials_changed(to=BOLT)) == {}
    never = installed(), gained(mode="SMART"), credentials_changed(to=BOLT)
    assert [cell.detail for cell in cells("mode_disagreements", *never)] == ["TRADITIONAL"]


def test_silence_counts_after_31_times_24_hours_in_the_quarter_of_that_instant() -> None:
    smart = installed(), commissioned()
    lost_in = {
        on: [cell.quarter for cell in cells("mode_disagreements", *smart, hub_connected(on=on))]
        for on in ("2026-05-30T22:59:59.999Z", "2026-05-30T23:00Z")
    }
    assert lost_in == {"2026-05-30T22:59:59.999Z": ["2026Q2"], "2026-05-30T23:00Z": ["2026Q3"]}


def test_silence_is_counted_from_the_earliest_loss_that_nothing_answered() -> None:
    smart = installed(), commissioned(), hub_connected(on="2026-05-01"), hub_connected(on="2026-06-20")
    assert [cell.quarter for cell in cells("mode_disagreements", *smart)] == ["2026Q2"]
    answered = hub_connected(on="2026-05-20", connected=True)
    assert [cell.quarter for cell in cells("mode_disagreements", *smart, answered)] == ["2026Q3"]


def test_connection_makes_smart_again() -> None:
    smart = installed(), commissioned(), hub_connected(on="2026-05-01"), hub_connected(on="2026-07-05", connected=True)
    assert sorted((cell.quarter, value) for cell, value in cells("mode_disagreements", *smart).items()) == [
        ("2026Q2", 1),
        ("2026Q3", -1),
    ]


def test_an_install_forgets_what_the_dcc_said_of_the_meter_before() -> None:
    silent = installed(), commissioned(), hub_connected(on="2026-05-01"), installed(on="2026-05-10"), commissioned()
    later = commissioned(on="2026-05-11")
    assert cells("mode_disagreements", *silent, later) == {}
