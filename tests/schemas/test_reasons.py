import re

import pytest

from schemas.codes import INCONSISTENCIES
from schemas.reasons import KINDS, REASONS_CSV, SEVERITIES, reasons, sentence


def codes_of(kind: str) -> tuple[str, ...]:
    return tuple(reason.code for reason in reasons().values() if reason.kind == kind)


def test_a_code_stands_once_in_the_list() -> None:
    lines = REASONS_CSV.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(reasons()) + 1


def test_kinds_and_severities_are_the_known_ones() -> None:
    assert {reason.kind for reason in reasons().values()} == set(KINDS)
    assert {reason.severity for reason in reasons().values()} == set(SEVERITIES)


def test_decoding_and_history_reject_and_inconsistent_events_are_let_in() -> None:
    by_kind = {kind: {r.severity for r in reasons().values() if r.kind == kind} for kind in KINDS}
    assert (by_kind["DECODE"], by_kind["HISTORY"], by_kind["INCONSISTENT"]) == ({"reject"}, {"reject"}, {"warning"})


def test_the_reasons_outside_the_suites_are_those_of_the_design() -> None:
    assert codes_of("DECODE") == ("UNDECODABLE", "UNKNOWN_SCHEMA")
    assert codes_of("HISTORY") == ("EVENT_ID_REUSED", "CORRECTION_NOT_OWNER", "CORRECTION_TYPE_MISMATCH")
    assert codes_of("INCONSISTENT") == INCONSISTENCIES


@pytest.mark.parametrize("code", reasons())
def test_a_sentence_is_one_sentence_of_its_own(code: str) -> None:
    text = reasons()[code].sentence
    assert re.fullmatch(r"[A-Z][^.;!?]*(\d\.\d[^.;!?]*)?; [^.;!?]*\.", text)
    assert [reason.code for reason in reasons().values() if reason.sentence == text] == [code]


def test_the_sentences_of_joined_codes_are_joined() -> None:
    first, second = reasons()["COUNT_NEGATIVE"].sentence, reasons()["SOURCE_UNKNOWN"].sentence
    assert sentence("COUNT_NEGATIVE;SOURCE_UNKNOWN") == f"{first} {second}"
    assert sentence("COUNT_NEGATIVE") == first
    assert sentence("") == ""


def test_an_unknown_code_raises() -> None:
    with pytest.raises(KeyError):
        sentence("COUNT_NEGATIVE;NO_SUCH_CODE")
