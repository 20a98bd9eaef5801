"""Messages of many records, senders and partitions judged together: the verdict is that of each block by itself."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.run import Checker
from pipelines.events.block import Block
from pipelines.log.message import Message
from pipelines.log.topics import topic_of
from pipelines.source.messages import form
from pipelines.validation.validate import Verdict, judge
from schemas.codes import RECORDS
from schemas.registry import encode_single_object
from tests import builders as build
from tests.builders import ACME, BOLT, DCC, Event
from tests.pipelines.columnar import KEY
from tests.strategies import new_events

NOON = 1_775_000_000_000
EACH = (
    build.installed(),
    build.removed(),
    build.mode_changed(),
    build.gained(),
    build.lost(),
    build.payment_changed(),
    build.visited(),
    build.fault_case(),
    build.declared(7),
    build.device_status(),
    build.commissioned(),
    build.hub_connected(),
    build.migrated(),
    build.credentials_changed(),
    build.service_measured(),
)
# What a sender may get wrong; a record without the field is left as it is.
WRONG: tuple[dict[str, Any], ...] = (
    {},
    {"event_id": "no uuid"},
    {"source_id": "NONE"},
    {"meter_point_id": "12"},
    {"corrects": "nothing"},
    {"action": "VOID"},
    {"region_code": "E99999999"},
    {"meter_type": "NON_SMART"},
    {"quarter": "2026Q9"},
    {"meters": -1},
    {"numerator": -1},
    {"upfront_charge_pence": 5},
    {"install_reason": "NON_SMART_REPLACEMENT"},
)


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker()


def message(event: Event, owner: str, place: int, minutes: int = 0) -> Message:
    fields = {name: value for name, value in event.items() if name != "record"}
    received = event["reported_at"] - timedelta(days=1, minutes=minutes)
    value = encode_single_object(event["record"], fields)
    return Message(topic_of(owner), place % 2, 100 + place, int(received.timestamp() * 1000), value, True)


@st.composite
def batches(draw: st.DrawFn) -> list[Message]:
    """Up to a few dozen messages, right and wrong in many ways, some reported long after they were received."""
    events = [*draw(st.lists(new_events(), max_size=12)), *draw(st.lists(st.sampled_from(EACH), max_size=12))]
    sent = []
    for place, event in enumerate(events):
        wrong = draw(st.sampled_from(WRONG))
        spoilt = event | {name: value for name, value in wrong.items() if name in event}
        sent.append(
            message(spoilt, draw(st.sampled_from((ACME, BOLT, DCC))), place, draw(st.sampled_from((-1, -1, 1))))
        )
    return sent


def one_by_one(blocks: tuple[Block, ...], checker: Checker) -> Verdict:
    alone = [judge([one], KEY, checker.check_records) for one in blocks]
    empty = judge([], KEY, checker.check_records)
    accepted, intake, quarantine, warnings = (
        pl.concat([getattr(empty, name), *(getattr(verdict, name) for verdict in alone)])
        for name in ("accepted", "intake", "quarantine", "warnings")
    )
    return Verdict(
        accepted,
        intake.group_by("owner", "status").agg(pl.col("records").sum()),
        quarantine,
        warnings.group_by("owner", "record_type", "reason_code").agg(pl.col("records").sum()),
    )


@settings(max_examples=15, deadline=None)
@given(batches())
def test_blocks_judged_together_are_judged_as_each_by_itself(checker: Checker, sent: list[Message]) -> None:
    blocks = form(sent).blocks
    together, alone = judge(blocks, KEY, checker.check_records), one_by_one(blocks, checker)
    assert together.accepted.equals(alone.accepted)
    assert together.quarantine.equals(alone.quarantine)
    assert sorted(together.intake.rows()) == sorted(alone.intake.rows())
    assert sorted(together.warnings.rows()) == sorted(alone.warnings.rows())


def test_one_event_of_each_record_and_nothing_wrong_with_any(checker: Checker) -> None:
    sent = [message(event, event["source_id"], place, minutes=-1) for place, event in enumerate(EACH)]
    verdict = judge(form(sent).blocks, KEY, checker.check_records)
    assert sorted(verdict.accepted["record"].to_list()) == list(range(len(RECORDS)))
    assert verdict.quarantine.is_empty()


def test_what_is_turned_away_is_told_by_its_message(checker: Checker) -> None:
    sent = [message(event, event["source_id"], place, minutes=1) for place, event in enumerate(EACH[:3])]
    quarantine = judge(form(sent).blocks, KEY, checker.check_records).quarantine
    assert quarantine.select("record_type", "reason_code", "provenance").rows() == [
        ("MeterInstalled", "REPORTED_AFTER_RECEIVED", f"{topic_of(ACME)}/0/100 row 0"),
        ("MeterRemoved", "REPORTED_AFTER_RECEIVED", f"{topic_of(ACME)}/1/101 row 0"),
        ("OperatingModeChanged", "REPORTED_AFTER_RECEIVED", f"{topic_of(ACME)}/0/102 row 0"),
    ]
