"""Every reason of the list is given where its sentence holds, and is not given where it does not."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl
import pytest

from expectations.run import Checker
from pipelines.events import columns
from pipelines.validation.validate import Verdict, identify, judge
from schemas.reasons import reasons, sentence
from tests.builders import (
    ACME,
    BOLT,
    CAMDEN,
    DCC,
    FIFE,
    ODD_AUTHORITIES,
    SCOTLAND,
    WALES,
    A,
    Event,
    G,
    MeterPoint,
    altered,
    amend,
    commissioned,
    declared,
    gained,
    installed,
    mode_changed,
    mpan,
    mprn,
    opening,
    payment_changed,
    removed,
    service_measured,
    visited,
    void,
)
from tests.pipelines.columnar import KEY, block, cells, counted, rejections

DAY_MS = 86_400_000


def gas(number: str) -> MeterPoint:
    return MeterPoint("GAS", number)


def power(number: str) -> MeterPoint:
    return MeterPoint("ELECTRICITY", number)


def other_end(meter: MeterPoint) -> MeterPoint:
    """The meter point with another last digit."""
    return MeterPoint(meter.fuel, f"{meter.id[:-1]}{(int(meter.id[-1]) + 1) % 10}")


def upper(event: Event) -> Event:
    return altered(event, event_id=event["event_id"].upper())


@dataclass(frozen=True, slots=True)
class Sent:
    """An event in the folder of an owner; None: of its source."""

    event: Event
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Events that provoke a reason, each of them, and events that do not."""

    provoking: tuple[Event | Sent, ...]
    harmless: tuple[Event | Sent, ...]


RULES: dict[str, Case] = {
    "EVENT_ID_FORMAT": Case(
        (
            upper(installed()),
            altered(removed(), event_id=f"{removed()['event_id']}\n"),
            altered(visited(), event_id=visited()["event_id"].replace("-", "")),
            altered(visited(), event_id=visited()["event_id"].replace("-", "_")),
            altered(declared(1), event_id=""),
            altered(commissioned(), event_id="é" * 18),
        ),
        (installed(), commissioned(), altered(removed(), event_id="00000000-0000-0000-0000-000000000000")),
    ),
    "SOURCE_UNKNOWN": Case((installed(by="ZZZZ"), removed(by="bgas"), commissioned(by="")), (installed(by=BOLT),)),
    "SOURCE_NOT_OWNER": Case(
        (Sent(installed(), BOLT), Sent(commissioned(), ACME), Sent(installed(), "bgas")), (Sent(installed(), ACME),)
    ),
    "RECORD_NOT_FOR_SOURCE": Case(
        (commissioned(by=ACME), installed(by=DCC), service_measured(by=BOLT), declared(1, by=DCC)),
        (commissioned(), installed(), service_measured(), declared(1)),
    ),
    "METER_POINT_FORMAT": Case(
        (
            installed(power(A.id[:12])),
            installed(power(f"{A.id}0")),
            installed(power("")),
            removed(power(f"{A.id}\n")),
            removed(power(f" {A.id[1:]}")),
            removed(power("\u0661" * 13)),
            removed(gas("12345")),
            removed(gas("12345678901")),
            removed(gas("12345x")),
            declared(1, meter=A),
            service_measured(meter=A),
        ),
        (installed(A), installed(G), removed(mprn(1234)), removed(mprn(12345678)), declared(1), service_measured()),
    ),
    "MPAN_CHECK_DIGIT": Case(
        (installed(other_end(A)), commissioned(other_end(mpan(77, distributor=18)))),
        (installed(A), commissioned(mpan(77, distributor=18)), removed(other_end(G))),
    ),
    "REGION_UNKNOWN": Case(
        (
            installed(region_code="E12000010"),
            installed(region_code=""),
            installed(region_code="e12000007"),
            declared(1, region_code="E09000007"),
        ),
        (installed(), installed(G, region_code=WALES), declared(1, region_code=SCOTLAND)),
    ),
    "MODE_TYPE_MISMATCH": Case(
        (
            installed(operating_mode="NOT_APPLICABLE"),
            installed(meter_type="ADVANCED", operating_mode="SMART"),
            opening(operating_mode="TRADITIONAL"),
            declared(1, operating_mode="NOT_APPLICABLE"),
        ),
        (installed(operating_mode="TRADITIONAL"), installed(meter_type="ADVANCED"), opening(), declared(1)),
    ),
    "UPFRONT_CHARGE": Case(
        (installed(upfront_charge_pence=1), installed(upfront_charge_pence=-1)),
        (installed(), installed(upfront_charge_pence=9_900, sector="NON_DOMESTIC")),
    ),
    "EFFECTIVE_AFTER_REPORTED": Case(
        (removed(on="2026-05-02T00:00:00.001Z", reported="2026-05-01T00:00Z"),),
        (removed(on="2026-05-02T00:00Z", reported="2026-05-01T00:00Z"), removed()),
    ),
    "EFFECTIVE_BEFORE_ROLLOUT": Case(
        (installed(on="2007-12-31T23:59:59.999Z"), commissioned(on="1999-01-01")),
        (installed(on="2008-01-01T00:00Z"), opening(on="1990-01-01")),
    ),
    "CORRECTION_WITHOUT_TARGET": Case(
        (
            altered(amend(installed()), corrects=None),
            altered(void(installed()), corrects=None),
            altered(installed(), corrects=removed()["event_id"]),
        ),
        (installed(), amend(installed()), void(installed()), altered(amend(installed()), corrects="no uuid")),
    ),
    "QUARTER_FORMAT": Case(
        tuple(
            declared(1, quarter)
            for quarter in (
                "2026Q5",
                "2026Q0",
                "2026q3",
                "26Q3",
                "2026Q3\n",
                "",
                " 2026Q3",
                "\u0662\u0660\u0662\u0666Q3",
                "2026-Q3",
            )
        ),
        (declared(1, "2026Q1"), declared(1, "2026Q4")),
    ),
    "COUNT_NEGATIVE": Case(
        (declared(-1), service_measured(-1, 0), service_measured(0, -1)), (declared(0), service_measured(0, 0))
    ),
    "MPRN_CHECK_DIGIT": Case((installed(other_end(G)), removed(gas("999999"))), (installed(G), installed(A))),
    "REGION_NOT_OF_DISTRIBUTOR": Case(
        (installed(A, region_code=WALES), installed(mpan(1, distributor=18))),
        (
            installed(A),
            installed(G, region_code=WALES),
            installed(mpan(1, distributor=18), region_code=SCOTLAND),
            installed(mpan(1, distributor=26), region_code=WALES),
        ),
    ),
    "SOURCE_NOT_ACTIVE": Case(
        (removed(by="REGE", on="2023-01-01T00:00Z"), removed(by="REGE", on="2015-07-31T23:59:59.999Z")),
        (removed(by="REGE", on="2022-12-31T23:59:59.999Z"), removed(by="REGE", on="2015-08-01T00:00Z"), removed()),
    ),
    "REASON_TYPE_ODD": Case(
        (
            opening(install_reason="SMART_FOR_NON_SMART"),
            opening(install_reason="SMART_FOR_SMART"),
            installed(install_reason="NON_SMART_REPLACEMENT"),
        ),
        (installed(), opening(), opening(install_reason="NON_SMART_REPLACEMENT")),
    ),
    "DEVICE_MISSING": Case((installed(device_id=None),), (installed(), opening(device_id=None))),
    "HUB_MISSING": Case((installed(hub_id=None),), (installed(), opening(hub_id=None))),
    "LOCAL_AUTHORITY_FORMAT": Case(
        tuple(installed(local_authority_code=odd) for odd in ODD_AUTHORITIES),
        tuple(installed(local_authority_code=code) for code in (CAMDEN, FIFE, "W06000015", None)),
    ),
}
# Reasons of VOIDs: these and no others, since a VOID speaks of an event and says nothing of its own.
OF_A_VOID = (
    "EVENT_ID_FORMAT",
    "SOURCE_UNKNOWN",
    "SOURCE_NOT_OWNER",
    "RECORD_NOT_FOR_SOURCE",
    "METER_POINT_FORMAT",
    "MPAN_CHECK_DIGIT",
    "CORRECTION_WITHOUT_TARGET",
)


@dataclass(frozen=True, slots=True)
class Life:
    """Histories of which a reason is given, each, and histories of which it is not."""

    provoking: tuple[tuple[Event, ...], ...]
    harmless: tuple[tuple[Event, ...], ...]


PLAIN = installed()
HISTORY: dict[str, Life] = {
    "EVENT_ID_REUSED": Life(
        ((PLAIN, altered(PLAIN, payment_mode="PREPAYMENT")), (visited(id="x"), removed(id="x"))),
        ((PLAIN, PLAIN), (visited(id="x"), visited(by=BOLT, id="x")), (installed(A, id="x"), installed(G, id="x"))),
    ),
    "CORRECTION_NOT_OWNER": Life(
        ((PLAIN, amend(PLAIN, source_id=BOLT)), (PLAIN, void(PLAIN, source_id=BOLT))),
        ((PLAIN, amend(PLAIN)), (PLAIN, amend(PLAIN, source_id=BOLT, corrects=removed()["event_id"]))),
    ),
    "CORRECTION_TYPE_MISMATCH": Life(
        ((PLAIN, altered(amend(removed()), corrects=PLAIN["event_id"])),),
        ((PLAIN, amend(PLAIN)), (PLAIN, amend(removed()))),
    ),
}
INCONSISTENT: dict[str, Life] = {
    "SAME_INSTALLATION": Life(
        ((PLAIN, installed(id="again", reported="2026-06-01")),),
        ((PLAIN, PLAIN), (PLAIN, installed(on="2026-04-04")), (PLAIN, installed(payment_mode="PREPAYMENT"))),
    ),
    "ALREADY_PRESENT": Life(
        ((opening(), opening(on="2013-01-01")), (PLAIN, opening(by=BOLT, on="2026-05-01"))), ((opening(), PLAIN),)
    ),
    "NO_METER_YET": Life(((gained(reason="NEW"),),), ((PLAIN, gained(reason="NEW")), (gained(),))),
    "NO_METER": Life(
        ((gained(),), (removed(),), (payment_changed(),), (PLAIN, removed(), removed(on="2026-06-01"))),
        ((PLAIN, gained()), (PLAIN, removed()), (gained(reason="NEW"),)),
    ),
    "ALREADY_SUPPLIER": Life(((PLAIN, gained(by=ACME)),), ((PLAIN, gained(by=BOLT)),)),
    "NOT_CURRENT_SUPPLIER": Life(
        ((PLAIN, removed(by=BOLT)), (PLAIN, gained(by=BOLT), payment_changed(on="2026-05-02", by=ACME))),
        ((PLAIN, removed()), (PLAIN, gained(by=BOLT), removed(on="2026-05-02", by=BOLT))),
    ),
    "MODE_NOT_APPLICABLE": Life(((opening(), mode_changed()),), ((PLAIN, mode_changed()),)),
}
CODES = sorted(RULES)


@pytest.fixture(scope="module")
def checker() -> Checker:
    importlib.import_module("expectations.engine")
    return Checker()


@pytest.fixture(scope="module")
def judged(checker: Checker) -> Callable[[Event | Sent], Verdict]:
    """One event as a run judges it, with one Checker for all."""

    def judged(sent: Event | Sent) -> Verdict:
        one = sent if isinstance(sent, Sent) else Sent(sent)
        return judge([block([one.event], one.owner)], KEY, checker.check_records)

    return judged


def found(verdict: Verdict) -> list[str]:
    """The codes for which one event was rejected, and if it was not, those of which it was warned."""
    codes = verdict.quarantine["reason_code"].to_list() or verdict.warnings["reason_code"].sort().to_list()
    return [code for joined in codes for code in joined.split(";")]


def test_every_reason_of_the_list_is_tried_here_or_where_damage_is() -> None:
    tried = {*RULES, *HISTORY, *INCONSISTENT, "REPORTED_AFTER_RECEIVED", "UNDECODABLE", "UNKNOWN_SCHEMA"}
    assert tried == {code for code, reason in reasons().items() if reason.kind != "CELL"}


@pytest.mark.parametrize("code", CODES, ids=sentence)
def test_given(judged: Callable[[Event | Sent], Verdict], code: str) -> None:
    rejects = reasons()[code].severity == "reject"
    for event in RULES[code].provoking:
        verdict = judged(event)
        assert found(verdict) == [code], event
        assert verdict.accepted.height == (0 if rejects else 1)
        assert verdict.quarantine.height == (1 if rejects else 0)


@pytest.mark.parametrize("code", CODES, ids=sentence)
def test_not_given(judged: Callable[[Event | Sent], Verdict], code: str) -> None:
    for event in RULES[code].harmless:
        verdict = judged(event)
        assert code not in found(verdict), event
        assert verdict.accepted.height == 1, event


def test_reported_more_than_a_day_after_it_was_received() -> None:
    importlib.import_module("expectations.engine")
    facts = identify([block([removed()])], KEY).facts
    assert facts["reported_after_received_ms"].to_list() == [None]
    checker = Checker()
    late, in_time = (facts.with_columns(reported_after_received_ms=pl.lit(DAY_MS + more)) for more in (1, 0))
    assert checker.check("MeterRemoved", late)["reason_code"].to_list() == ["REPORTED_AFTER_RECEIVED"]
    assert checker.check("MeterRemoved", in_time).is_empty()


def of_void(sent: Event | Sent) -> Event | Sent:
    """The event withdrawn, everything else as it was."""
    event = sent.event if isinstance(sent, Sent) else sent
    withdrawn = {**event, "action": "VOID", "corrects": event["corrects"] or PLAIN["event_id"]}
    return Sent(withdrawn, sent.owner) if isinstance(sent, Sent) else withdrawn


@pytest.mark.parametrize("code", sorted(set(RULES) - {"CORRECTION_WITHOUT_TARGET"}))
def test_of_a_withdrawal_only_who_says_it_and_of_what_is_judged(
    judged: Callable[[Event | Sent], Verdict], code: str
) -> None:
    for event in RULES[code].provoking:
        verdict = judged(of_void(event))
        rejected = {joined for row in verdict.quarantine["reason_code"] for joined in row.split(";")}
        assert rejected == ({code} if code in OF_A_VOID else set()), event


def test_an_event_gets_all_its_reasons_in_order(judged: Callable[[Event | Sent], Verdict]) -> None:
    worst = upper(installed(other_end(A), by="ZZZZ", region_code="", upfront_charge_pence=5, on="2001-01-01"))
    verdict = judged(Sent(worst, BOLT))
    assert found(verdict) == [
        "EFFECTIVE_BEFORE_ROLLOUT",
        "EVENT_ID_FORMAT",
        "MPAN_CHECK_DIGIT",
        "REGION_UNKNOWN",
        "SOURCE_NOT_OWNER",
        "SOURCE_UNKNOWN",
        "UPFRONT_CHARGE",
    ]
    assert verdict.quarantine.drop("reason_code").rows() == [
        (BOLT, "MeterInstalled", f"{BOLT}/MeterInstalled.avro row 0", 1)
    ]
    assert sorted(verdict.intake.rows()) == [(BOLT, "received", 1), (BOLT, "rejected", 1)]


@pytest.mark.parametrize("code", HISTORY, ids=sentence)
def test_given_by_history(code: str) -> None:
    for events in HISTORY[code].provoking:
        assert [reason for (_, _, reason) in rejections(counted(events))] == [code], events
    for events in HISTORY[code].harmless:
        assert code not in {reason for (_, _, reason) in rejections(counted(events))}, events


@pytest.mark.parametrize("code", INCONSISTENT, ids=sentence)
def test_given_by_the_walk(code: str) -> None:
    for events in INCONSISTENT[code].provoking:
        assert [key[-1] for key in cells(counted(events)) if key[0] == "inconsistent"] == [code], events
    for events in INCONSISTENT[code].harmless:
        assert code not in {key[-1] for key in cells(counted(events))}, events


def test_blocks_of_several_records_are_judged_as_each_by_itself(checker: Checker) -> None:
    wrong = installed(region_code="E99999999")
    blocks = [block([installed(), wrong], ACME), block([removed()], BOLT), block([commissioned()], "SDCC")]
    together = judge(blocks, KEY, checker.check_records)
    alone = [judge([one], KEY, checker.check_records) for one in blocks]
    assert together.accepted.equals(pl.concat([verdict.accepted for verdict in alone]))
    assert together.quarantine.equals(pl.concat([verdict.quarantine for verdict in alone]))
    assert together.quarantine["provenance"].to_list() == [
        f"{ACME}/MeterInstalled.avro row 1",
        f"{BOLT}/MeterRemoved.avro row 0",
    ]
    assert sorted(together.intake.rows()) == sorted(
        pl.concat([verdict.intake for verdict in alone]).group_by("owner", "status").agg(pl.col("records").sum()).rows()
    )


def test_no_block_gives_an_empty_verdict(checker: Checker) -> None:
    verdict = judge([], KEY, checker.check_records)
    assert verdict.accepted.equals(columns.empty_events())
    assert verdict.quarantine.is_empty()
    assert verdict.intake.is_empty()


def test_the_broker_s_time_is_what_a_report_may_not_be_later_than(checker: Checker) -> None:
    sent = block([removed()], ACME)
    reported = sent.frame["reported_at"][0]
    told = {}
    for late in (0, 1):
        received = pl.lit(reported - 86_400_000 - late, pl.Int64)
        frame = sent.frame.with_columns(received_at=received, offset=pl.lit(7, pl.Int64))
        verdict = judge([replace(sent, frame=frame)], KEY, checker.check_records)
        told[late] = verdict.quarantine.select("reason_code", "provenance").rows()
    assert told == {0: [], 1: [("REPORTED_AFTER_RECEIVED", f"{ACME}/MeterRemoved.avro/7 row 0")]}
