"""The synthetic Britain as a feed: the same events as in files, one a message, in the order of reporting."""

from datetime import date
from pathlib import Path
from typing import Any

import fastavro
import pytest

from pipelines.synthetic import Plan, generate
from pipelines.synthetic.feed import Event, feed
from schemas.codes import DCC_RECORDS
from schemas.registry import decode_single_object
from schemas.sources import sources
from tests.pipelines.synthetic.conftest import quiet

PLAN = Plan(200, 5, date(2016, 3, 31), 0.0)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """The feed of a small Britain."""
    return list(feed(PLAN, quiet).events())


def test_the_feed_holds_the_events_that_the_files_hold(events: list[Event], tmp_path: Path) -> None:
    generate(tmp_path, PLAN, quiet)
    in_files = []
    for path in tmp_path.rglob("*.avro"):
        with path.open("rb") as file:
            contents: Any = fastavro.reader(file)
            in_files += [(path.parent.name, event["event_id"]) for event in contents]
    in_feed = [(event.owner, decode_single_object(event.value)[1]["event_id"]) for event in events]
    assert sorted(in_feed) == sorted(in_files)


def test_events_come_in_the_order_in_which_they_were_reported(events: list[Event]) -> None:
    told = [int(decode_single_object(event.value)[1]["reported_at"].timestamp() * 1000) for event in events]
    assert told == [event.reported_at for event in events] == sorted(told)


def test_a_clean_event_goes_to_the_source_that_it_names(events: list[Event]) -> None:
    for event in events:
        record, content = decode_single_object(event.value)
        assert content["source_id"] == event.owner
        assert (record in DCC_RECORDS) == (sources()[event.owner].kind == "DCC")


def test_the_same_plan_gives_the_same_messages_and_another_seed_gives_others(events: list[Event]) -> None:
    assert list(feed(PLAN, quiet).events()) == events
    assert list(feed(Plan(200, 6, PLAN.until, 0.0), quiet).events()) != events


def test_a_dirty_feed_goes_to_sources_only_and_holds_events_in_other_sources_names() -> None:
    dirty = list(feed(Plan(200, 5, PLAN.until, 0.6), quiet).events())
    owners = {(event.owner, decode_single_object(event.value)[1]["source_id"]) for event in dirty}
    assert {owner for owner, _ in owners} <= set(sources())
    assert any(owner != named for owner, named in owners)
