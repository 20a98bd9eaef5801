"""The core: whatever the order, the batches and the duplicates, the deltas add up to what the events say."""

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.fold import Counted, Fold, added, fold, recount
from pipelines.history.copies import distinct, empty_history, with_copies
from pipelines.shards.spilling import shard_of
from tests.builders import ACME, BOLT, Event, Layout, amend, installed, opening, removed, visited, write_files
from tests.pipelines.columnar import (
    by_oracle,
    cells,
    counted,
    differences,
    identified,
    identified_in,
    intake,
    rejections,
)
from tests.strategies import histories

chances = st.randoms(use_true_random=False)


def batches(count: int, chance: random.Random) -> list[list[int]]:
    """The places of so many events in a random order, cut into one to five batches, of which some may be empty."""
    mixed = chance.sample(range(count), count)
    cuts = sorted(chance.randint(0, count) for _ in range(chance.randint(0, 4)))
    return [mixed[begin:end] for begin, end in zip([0, *cuts], [*cuts, count], strict=True)]


def grown(history: pl.DataFrame, events: pl.DataFrame) -> Fold:
    """The history after some events, and the deltas."""
    return fold(history, with_copies(events))


def folded(*parts: pl.DataFrame) -> tuple[pl.DataFrame, Counted]:
    """The history after all parts, and the sum of the deltas."""
    history, deltas = empty_history(), []
    for part in parts:
        step = grown(history, part)
        history = step.history
        deltas.append(step.deltas)
    return history, added(deltas)


def whole(events: pl.DataFrame) -> Counted:
    """All events counted at once, without a fold."""
    return added([recount(distinct(with_copies(events)))])


def nothing(found: Counted) -> bool:
    return found.cells.is_empty() and found.intake.is_empty() and found.rejections.is_empty()


@settings(max_examples=40)
@given(histories())
def test_events_counted_at_once_are_what_the_oracle_counts(events: list[Event]) -> None:
    assert differences(whole(identified(events)), by_oracle(events)) == []


@settings(max_examples=25)
@given(histories(), chances)
def test_any_order_batches_and_duplicates_end_in_the_same_counts(events: list[Event], chance: random.Random) -> None:
    sent = [*events, *chance.choices(events, k=chance.randint(0, 8))]
    frame = identified(sent)
    history, total = folded(*(frame[batch] for batch in batches(len(sent), chance)))
    assert nothing(total.minus(recount(history)))
    assert differences(total, by_oracle(sent)) == []
    assert cells(total) == cells(whole(frame[: len(events)]))


@settings(max_examples=10)
@given(histories(max_new=10, max_consequences=8), chances)
def test_after_every_batch_the_deltas_add_up_to_what_has_come(events: list[Event], chance: random.Random) -> None:
    frame, history, total, come = identified(events), empty_history(), added([]), []
    for batch in batches(len(events), chance):
        step = grown(history, frame[batch])
        history, total = step.history, added([total, step.deltas])
        come += batch
        assert differences(total, by_oracle([events[place] for place in come])) == []


@settings(max_examples=15)
@given(histories(), chances)
def test_the_deltas_are_the_difference_of_two_recounts(events: list[Event], chance: random.Random) -> None:
    frame = identified(chance.sample(events, len(events)))
    before, after = frame[: len(frame) // 2], frame[len(frame) // 2 :]
    history, known = folded(before)
    assert nothing(grown(history, after).deltas.minus(whole(frame).minus(known)))


@settings(max_examples=12)
@given(histories(), chances)
def test_events_sent_again_change_only_the_number_of_duplicates(events: list[Event], chance: random.Random) -> None:
    frame = identified(events)
    again = chance.sample(range(len(events)), chance.randint(1, len(events)))
    deltas = grown(folded(frame)[0], frame[again]).deltas
    assert deltas.cells.is_empty()
    assert deltas.rejections.is_empty()
    sent = [events[place]["source_id"] for place in again]
    assert intake(deltas) == {(source, "duplicate"): sent.count(source) for source in set(sent)}


@settings(max_examples=12)
@given(histories(), st.integers(1, 7))
def test_counts_of_shards_add_up_to_the_counts_of_all(events: list[Event], shards: int) -> None:
    frame = identified(events)
    parts = [frame.filter(shard_of(frame, shards) == shard) for shard in range(shards)]
    assert sum(part.height for part in parts) == frame.height
    assert nothing(added([whole(part) for part in parts]).minus(whole(frame)))


@settings(max_examples=5)
@given(histories(max_new=14), st.sampled_from(["null", "deflate"]), st.integers(1, 3))
def test_events_out_of_files_count_as_the_oracle_counts_them(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], codec: str, parts: int
) -> None:
    folder: Path = tmp_path_factory.mktemp("files")
    write_files(folder, events, Layout(block_records=3, codec=codec, parts=parts, shuffle=len(events)))
    assert differences(whole(identified_in(folder)), by_oracle(events)) == []


def test_no_events_change_nothing() -> None:
    history, _ = folded(identified([installed()]))
    step = grown(history, identified([]))
    assert nothing(step.deltas)
    assert step.history.height == 1
    assert nothing(grown(empty_history(), identified([])).deltas)


def test_a_late_install_lifts_what_came_before_it() -> None:
    late, early = installed(on="2026-04-03"), removed(on="2026-05-01")
    history, first = folded(identified([early]))
    assert [key[0] for key in cells(first) if key[0] != "reporting_delay"] == ["inconsistent"]
    deltas = cells(grown(history, identified([late])).deltas)
    assert {key[0]: value for key, value in deltas.items() if key[0] in {"inconsistent", "removals"}} == {
        "inconsistent": -1,
        "removals": 1,
    }


def test_a_correction_may_come_before_what_it_corrects() -> None:
    first = opening(by=ACME)
    correction = amend(first, payment_mode="PREPAYMENT")
    history, pending = folded(identified([correction]))
    assert cells(pending) == {}
    assert intake(pending) == {(ACME, "pending"): 1}
    step = grown(history, identified([first]))
    assert intake(step.deltas) == {(ACME, "pending"): -1, (ACME, "superseded"): 1, (ACME, "accepted"): 1}
    assert {key[8] for key in cells(step.deltas) if key[0] == "meters"} == {"PREPAYMENT"}


def test_a_rejection_by_history_is_lifted_by_the_copy_that_was_first() -> None:
    later = visited(by=BOLT, id="one", reported="2026-04-05")
    earlier = visited(by=BOLT, id="one", reported="2026-04-04", outcome="NO_ACCESS")
    history, _ = folded(identified([later]))
    step = grown(history, identified([earlier]))
    assert rejections(step.deltas) == {(BOLT, "InstallationVisit", "EVENT_ID_REUSED"): 1}
    assert {key[-1]: value for key, value in cells(step.deltas).items() if key[0] == "visits"} == {
        "COMPLETED": -1,
        "NO_ACCESS": 1,
    }
    assert nothing(step.deltas.minus(counted([later, earlier]).minus(counted([later]))))
