"""The rejecting rules of design 4 in the plain recount: each is provoked, and its near miss passes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.builders import (
    ACME,
    DCC,
    A,
    G,
    MeterPoint,
    amend,
    commissioned,
    declared,
    device_status,
    installed,
    opening,
    removed,
    service_measured,
    void,
)
from tests.oracle.event import sent
from tests.oracle.validation import RULES, reason_codes

WRONG_MPAN = MeterPoint("ELECTRICITY", A.id[:-1] + str((int(A.id[-1]) + 1) % 10))
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("EVENT_ID_FORMAT", {**installed(), "event_id": installed()["event_id"].upper()}),
    ("EVENT_ID_FORMAT", {**installed(), "event_id": installed()["event_id"] + "\n"}),
    ("RECORD_NOT_FOR_SOURCE", commissioned(by=ACME)),
    ("RECORD_NOT_FOR_SOURCE", installed(by=DCC)),
    ("METER_POINT_FORMAT", installed(meter=MeterPoint("ELECTRICITY", ""))),
    ("METER_POINT_FORMAT", installed(meter=MeterPoint("ELECTRICITY", A.id + "1"))),
    ("METER_POINT_FORMAT", installed(meter=MeterPoint("ELECTRICITY", A.id[:-1] + "²"))),
    ("METER_POINT_FORMAT", installed(meter=MeterPoint("GAS", "12345"))),
    ("METER_POINT_FORMAT", installed(meter=MeterPoint("GAS", "12345678901"))),
    ("METER_POINT_FORMAT", declared(1, meter=A)),
    ("METER_POINT_FORMAT", service_measured(meter=A)),
    ("MPAN_CHECK_DIGIT", installed(meter=WRONG_MPAN)),
    ("REGION_UNKNOWN", installed(region_code="K03000001")),
    ("REGION_UNKNOWN", declared(1, region_code="")),
    ("MODE_TYPE_MISMATCH", installed(operating_mode="NOT_APPLICABLE")),
    ("MODE_TYPE_MISMATCH", installed(meter_type="ADVANCED", operating_mode="SMART")),
    ("MODE_TYPE_MISMATCH", declared(1, operating_mode="NOT_APPLICABLE")),
    ("UPFRONT_CHARGE", installed(upfront_charge_pence=1)),
    ("EFFECTIVE_AFTER_REPORTED", installed(on="2026-04-03T00:00:00.001Z", reported="2026-04-02T00:00Z")),
    ("EFFECTIVE_BEFORE_ROLLOUT", installed(on="2007-12-31T23:59:59.999Z")),
    ("CORRECTION_WITHOUT_TARGET", {**amend(installed()), "corrects": None}),
    ("CORRECTION_WITHOUT_TARGET", {**void(installed()), "corrects": None}),
    ("CORRECTION_WITHOUT_TARGET", {**installed(), "corrects": installed()["event_id"]}),
    ("QUARTER_FORMAT", declared(1, quarter="2026Q5")),
    ("QUARTER_FORMAT", declared(1, quarter="2026Q1\n")),
    ("COUNT_NEGATIVE", declared(-1)),
    ("COUNT_NEGATIVE", service_measured(-1, 1)),
    ("COUNT_NEGATIVE", service_measured(0, -1)),
]
SOUND = [
    installed(),
    installed(meter=G),
    installed(meter=MeterPoint("GAS", "123456")),
    installed(meter_type="ADVANCED"),
    installed(sector="NON_DOMESTIC", upfront_charge_pence=1),
    installed(on="2026-04-03", reported="2026-04-02"),
    installed(on="2008-01-01T00:00Z"),
    opening(on="1999-01-01"),
    amend(installed()),
    void(installed(region_code="nowhere", upfront_charge_pence=1, operating_mode="NOT_APPLICABLE")),
    void(installed(on="2007-01-01")),
    declared(0),
    service_measured(0, 0),
    device_status(),
]


@pytest.mark.parametrize(("code", "event"), FAULTS)
def test_an_event_that_breaks_one_rule_is_rejected_for_that_rule(code: str, event: dict[str, Any]) -> None:
    assert reason_codes(sent(event)) == code


@pytest.mark.parametrize("event", SOUND)
def test_an_event_that_just_keeps_to_the_rules_passes(event: dict[str, Any]) -> None:
    assert reason_codes(sent(event)) == ""


def test_every_rule_is_provoked() -> None:
    elsewhere = {"SOURCE_UNKNOWN", "SOURCE_NOT_OWNER"}
    assert {code for code, _ in FAULTS} | elsewhere == set(RULES)


def test_an_unknown_source_in_its_own_folder_and_a_known_one_in_anothers() -> None:
    unknown = sent({**installed(), "source_id": "ZZZZ"})
    assert reason_codes(unknown) == "SOURCE_UNKNOWN"
    assert reason_codes(sent(installed(), owner="EENG")) == "SOURCE_NOT_OWNER"


def test_all_reasons_are_named_in_order() -> None:
    event = {**removed(), "event_id": "x", "effective_at": datetime(2001, 1, 1, tzinfo=UTC)}
    assert reason_codes(sent(event, owner="EENG")) == "EFFECTIVE_BEFORE_ROLLOUT;EVENT_ID_FORMAT;SOURCE_NOT_OWNER"
