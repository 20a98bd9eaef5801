import json

import pytest

from expectations.run import SUITES, SUITES_DIR, rules, rules_of, suite_json
from schemas.codes import RECORDS
from schemas.geography import region_codes
from schemas.reasons import reasons

EVERY_RECORD = {
    "EVENT_ID_FORMAT",
    "SOURCE_UNKNOWN",
    "SOURCE_NOT_OWNER",
    "RECORD_NOT_FOR_SOURCE",
    "METER_POINT_FORMAT",
    "MPAN_CHECK_DIGIT",
    "EFFECTIVE_AFTER_REPORTED",
    "REPORTED_AFTER_RECEIVED",
    "EFFECTIVE_BEFORE_ROLLOUT",
    "CORRECTION_WITHOUT_TARGET",
    "MPRN_CHECK_DIGIT",
    "SOURCE_NOT_ACTIVE",
}
FURTHER = {
    "MeterInstalled": {
        "REGION_UNKNOWN",
        "MODE_TYPE_MISMATCH",
        "UPFRONT_CHARGE",
        "REGION_NOT_OF_DISTRIBUTOR",
        "REASON_TYPE_ODD",
        "DEVICE_MISSING",
        "HUB_MISSING",
        "LOCAL_AUTHORITY_FORMAT",
    },
    "PortfolioDeclared": {"REGION_UNKNOWN", "MODE_TYPE_MISMATCH", "QUARTER_FORMAT", "COUNT_NEGATIVE"},
    "ServiceMeasured": {"COUNT_NEGATIVE"},
}
REJECTING = {
    "EVENT_ID_FORMAT",
    "SOURCE_UNKNOWN",
    "SOURCE_NOT_OWNER",
    "RECORD_NOT_FOR_SOURCE",
    "METER_POINT_FORMAT",
    "MPAN_CHECK_DIGIT",
    "REGION_UNKNOWN",
    "MODE_TYPE_MISMATCH",
    "UPFRONT_CHARGE",
    "EFFECTIVE_AFTER_REPORTED",
    "REPORTED_AFTER_RECEIVED",
    "EFFECTIVE_BEFORE_ROLLOUT",
    "CORRECTION_WITHOUT_TARGET",
    "QUARTER_FORMAT",
    "COUNT_NEGATIVE",
}


def test_there_is_one_suite_a_record_and_one_for_cells() -> None:
    assert {path.name for path in SUITES_DIR.iterdir()} == {f"{name}.json" for name in SUITES}
    assert set(SUITES) == {*RECORDS, "cells"}


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_json_in_the_one_form(name: str) -> None:
    text = (SUITES_DIR / f"{name}.json").read_text(encoding="utf-8")
    suite = json.loads(text)
    assert text == json.dumps(suite, indent=2, ensure_ascii=False) + "\n"
    assert list(suite) == ["name", "expectations"]
    assert suite["name"] == name
    for expectation in suite["expectations"]:
        assert list(expectation) == ["type", "kwargs", "meta"]
        assert list(expectation["meta"]) == ["reason_code", "sentence", "severity"]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_held_to_its_rules(record: str) -> None:
    assert {rule.reason_code for rule in rules_of(record)} == EVERY_RECORD | FURTHER.get(record, set())


def test_exactly_the_rules_of_the_design_reject() -> None:
    assert {rule.reason_code for rule in rules() if rule.severity == "reject"} == REJECTING


@pytest.mark.parametrize("name", SUITES)
def test_a_rule_says_what_the_list_of_reasons_says(name: str) -> None:
    for rule in rules_of(name):
        reason = reasons()[rule.reason_code]
        assert (rule.severity, rule.sentence) == (reason.severity, reason.sentence)


def test_every_reason_of_a_rule_or_of_a_cell_stands_in_a_suite() -> None:
    by_kind = {kind: {r.code for r in reasons().values() if r.kind == kind} for kind in ("RULE", "CELL")}
    assert {rule.reason_code for rule in rules()} == by_kind["RULE"]
    assert {rule.reason_code for rule in rules_of("cells")} == by_kind["CELL"]


def test_a_rule_is_the_same_in_every_suite() -> None:
    for code in EVERY_RECORD:
        rule = [[e for e in suite_json(r)["expectations"] if e["meta"]["reason_code"] == code] for r in RECORDS]
        assert all(one == rule[0] for one in rule)


def test_the_regions_of_the_suites_are_those_of_the_schemas() -> None:
    sets = [
        tuple(expectation["kwargs"]["value_set"])
        for record in RECORDS
        for expectation in suite_json(record)["expectations"]
        if expectation["kwargs"]["column"] == "region_code"
    ]
    assert sets == [region_codes(), region_codes()]
