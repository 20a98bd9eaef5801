"""The reasons: the contract's codes, each with one sentence."""

import re

import pytest

from schemas import codes, reasons

REJECTING_RULES = (
    "EVENT_ID_FORMAT SOURCE_UNKNOWN SOURCE_NOT_OWNER RECORD_NOT_FOR_SOURCE METER_POINT_FORMAT MPAN_CHECK_DIGIT "
    "REGION_UNKNOWN MODE_TYPE_MISMATCH UPFRONT_CHARGE EFFECTIVE_AFTER_REPORTED REPORTED_AFTER_RECEIVED "
    "EFFECTIVE_BEFORE_ROLLOUT CORRECTION_WITHOUT_TARGET QUARTER_FORMAT COUNT_NEGATIVE"
)
EXPECTED = {
    ("DECODE", "reject"): "UNDECODABLE UNKNOWN_SCHEMA",
    ("RULE", "reject"): REJECTING_RULES,
    ("HISTORY", "reject"): "EVENT_ID_REUSED CORRECTION_NOT_OWNER CORRECTION_TYPE_MISMATCH",
    ("INCONSISTENT", "warning"): " ".join(codes.INCONSISTENCIES),
}


def codes_of(kind: str, severity: str) -> set[str]:
    return {r.code for r in reasons.reasons().values() if (r.kind, r.severity) == (kind, severity)}


@pytest.mark.parametrize(("kind", "severity"), EXPECTED)
def test_exactly_the_contract_s_codes_reject_or_are_counted_as_inconsistent(kind: str, severity: str) -> None:
    assert codes_of(kind, severity) == set(EXPECTED[kind, severity].split())


def test_the_contract_s_warnings_are_there() -> None:
    least = "MPRN_CHECK_DIGIT REGION_NOT_OF_DISTRIBUTOR SOURCE_NOT_ACTIVE REASON_TYPE_ODD DEVICE_MISSING HUB_MISSING"
    assert set(least.split()) <= codes_of("RULE", "warning")


def test_every_reason_has_a_known_kind_and_severity_and_codes_are_unique() -> None:
    lines = reasons.REASONS_CSV.read_text(encoding="utf-8").splitlines()
    assert len(reasons.reasons()) == len(lines) - 1
    assert {r.kind for r in reasons.reasons().values()} == set(reasons.KINDS)
    assert {r.severity for r in reasons.reasons().values()} == set(reasons.SEVERITIES)


@pytest.mark.parametrize("reason", reasons.reasons().values(), ids=lambda reason: reason.code)
def test_a_reason_is_an_upper_case_code_with_one_sentence(reason: reasons.Reason) -> None:
    assert re.fullmatch("[A-Z][A-Z_]*[A-Z]", reason.code)
    assert re.fullmatch(r"[A-Z][^.]*(0\.5[^.]*)?\.", reason.sentence)


def test_sentences_of_joined_codes_are_joined_in_their_order() -> None:
    both = reasons.sentence("COUNT_NEGATIVE;QUARTER_FORMAT")
    assert both == f"{reasons.sentence('COUNT_NEGATIVE')} {reasons.sentence('QUARTER_FORMAT')}"
    assert both.startswith("A count is negative")


def test_no_code_has_no_sentence_and_an_unknown_code_is_our_fault() -> None:
    assert reasons.sentence("") == ""
    with pytest.raises(KeyError):
        reasons.sentence("NEVER_HEARD_OF")
