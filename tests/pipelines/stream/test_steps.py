"""The stream's steps without Flink: states undone, workers that forget, timers late or early; cells stay exact.

The states here do what Beam's do. A checkpoint is a copy of them and of how far the events were read; when a worker is
lost, all goes back to the newest copy and is read again, while the ledger keeps what was written.
"""

import copy
import pickle
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.events.conservation import BalanceBroken
from pipelines.events.outcome import INTAKE_TYPES
from pipelines.events.outcome import Outcome as Judged
from pipelines.fold import Counted, Fold
from pipelines.log.producing import Headers
from pipelines.log.topics import topic_of
from pipelines.quarterly.cellkeys import empty_cells
from pipelines.store import Store, StoreMissing, open_store
from pipelines.stream import fold_arrivals, kept, sink, waiting
from pipelines.stream.dealing import keys_of
from pipelines.stream.fold_arrivals import FoldArrivals
from pipelines.stream.keep_totals import KeepTotals
from pipelines.stream.packing import pack_by_shard
from pipelines.stream.settings import StreamSettings, histories_of
from pipelines.stream.sink import LIFTED, REJECTED, Sink
from pipelines.stream.totals import Share, dealt, shares_of_outcome, with_offsets
from pipelines.stream.waiting import BRISK_SECONDS, FEW_EVENTS, LOOK_SECONDS, STILL_LOOKS, WAITS, wait_of
from tests.builders import ACME, BOLT, Event, amend, installed, removed, void
from tests.oracle.event import Outcome
from tests.pipelines.columnar import by_oracle, by_reason, cells_by_key, identified, unequal
from tests.pipelines.store.streams import begun
from tests.strategies import histories

RUN = "live"
INTAKE = {"source": pl.UInt16, "status": pl.String, "records": pl.Int64}
chances = st.randoms(use_true_random=False)


@dataclass(slots=True)
class Bag:
    """A bag of bytes."""

    items: list[bytes] = field(default_factory=list)

    def read(self) -> list[bytes]:
        return list(self.items)

    def add(self, item: bytes) -> None:
        self.items.append(item)

    def clear(self) -> None:
        self.items = []


@dataclass(slots=True)
class Value:
    """One value or none."""

    value: Any = None

    def read(self) -> Any:
        return self.value

    def write(self, value: Any) -> None:
        self.value = value

    def clear(self) -> None:
        self.value = None


@dataclass(slots=True)
class Timer:
    """When something is due, if it is."""

    due: Any = None

    def set(self, due: Any) -> None:
        self.due = due


@dataclass(slots=True)
class States:
    """The states of one key of one step."""

    segments: Bag = field(default_factory=Bag)
    token: Value = field(default_factory=Value)
    arrived: Bag = field(default_factory=Bag)
    armed: Value = field(default_factory=Value)
    timer: Timer = field(default_factory=Timer)


@dataclass(slots=True)
class Topic:
    """What was told to suppliers."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)

    def send(self, topic: str, key: bytes | None, value: bytes, headers: Headers = ()) -> None:
        del key, headers
        self.messages.append((topic, value))

    def flush(self) -> None:
        pass


@dataclass(slots=True)
class Written:
    """Up to where the log was said to be in the ledger."""

    offsets: dict[tuple[str, int], int] = field(default_factory=dict)

    def note(self, topic: str, partition: int, offset: int) -> None:
        self.offsets[topic, partition] = offset


def forget() -> None:
    """What a worker has in its memory is gone, as when its process is killed."""
    kept._KEPT.clear()
    histories_of.cache_clear()


@dataclass(slots=True)
class Job:
    """Both keyed steps over one store, a bundle at a time."""

    store: Store
    shards: int = 3
    folds: dict[int, States] = field(default_factory=dict)
    totals: dict[int, States] = field(default_factory=dict)
    read: int = 0
    saved: Any = None
    told: Topic = field(default_factory=Topic)
    written: Written = field(default_factory=Written)

    def __post_init__(self) -> None:
        self.checkpoint()

    def checkpoint(self) -> None:
        """From here all goes on when a worker is lost."""
        self.saved = copy.deepcopy((self.folds, self.totals, self.read))

    def lose_worker(self) -> None:
        """All goes back to the checkpoint, and the new worker knows nothing; the ledger keeps what was written."""
        forget()
        self.folds, self.totals, self.read = copy.deepcopy(self.saved)

    def take(self, events: pl.DataFrame, wait: float) -> None:
        """A bundle of events goes through both steps."""
        self.read += events.height
        step = self._fold_step()
        for shard, packed in pack_by_shard(events, self.shards):
            at = self.folds.setdefault(shard, States())
            step.process((keys_of(self.shards)[shard], (wait, packed)), at.segments, at.token, at.arrived, at.timer)
        self._keep(step)

    def look(self) -> None:
        """The timers of what waits to be counted fire, those that are set."""
        step = self._fold_step()
        for shard, at in self.folds.items():
            if at.timer.due is not None:
                at.timer.due = None
                step.due(keys_of(self.shards)[shard], at.segments, at.token, at.arrived, at.timer)
        self._keep(step)

    def fold_due(self) -> None:
        """What waits to be counted is, as nothing more comes."""
        for _ in range(STILL_LOOKS + 1):
            self.look()
        assert all(at.timer.due is None for at in self.folds.values())

    def write_due(self) -> None:
        """What waits to be written is."""
        step = self._keep_step()
        for key, at in self.totals.items():
            if at.timer.due is not None:
                at.timer.due = None
                step.due(key, at.segments, at.token, at.armed)
        step.finish_bundle()

    def end(self) -> None:
        """All timers fire."""
        self.fold_due()
        self.write_due()

    def _settings(self) -> StreamSettings:
        return StreamSettings(RUN, "key", self.shards, "")

    def _fold_step(self) -> FoldArrivals:
        step = FoldArrivals(self._settings())
        step.setup()
        step.start_bundle()
        return step

    def _keep_step(self) -> KeepTotals:
        step = KeepTotals(self._settings())
        told: Any = self.told
        written: Any = self.written
        step._sink = Sink(RUN, self.store, told, written)
        step.start_bundle()
        return step

    def _keep(self, folding: FoldArrivals) -> None:
        step = self._keep_step()
        for windowed in folding.finish_bundle():
            key, share = windowed.value
            at = self.totals.setdefault(key, States())
            step.process((key, share), at.segments, at.token, at.armed, at.timer)
        step.finish_bundle()


def wrong(store: Store, outcome: Outcome) -> list[str]:
    """One line for each figure of the ledger in which it differs from the oracle."""
    cells, intake = store.standing(RUN)
    found = {(owner, status): records for owner, status, records in intake.iter_rows() if status != "received"}
    wanted = {key: value for key, value in outcome.intake.items() if value and key[1] != "received"}
    rejected = by_reason(store.quarantine())
    return [
        *unequal("cell", cells_by_key(cells), outcome.cells),
        *unequal("intake", found, wanted),
        *unequal("rejected", rejected, outcome.rejected),
    ]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    forget()
    return Job(begun(open_store(f"sqlite:///{tmp_path}/ledger.db", create=True), RUN))


def bundles(frame: pl.DataFrame, chance: random.Random) -> list[pl.DataFrame]:
    """An event frame cut into some bundles."""
    cuts = sorted(chance.randint(0, frame.height) for _ in range(chance.randint(0, 6)))
    ends = [*cuts, frame.height]
    return [frame[begin:end] for begin, end in zip([0, *cuts], ends, strict=True) if end > begin]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), chances, st.booleans())
def test_whatever_is_lost_waits_or_comes_twice_the_ledger_is_what_the_oracle_counts(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], chance: random.Random, compacts: bool
) -> None:
    sent = [*events, *chance.choices(events, k=chance.randint(0, 6))]
    chance.shuffle(sent)
    frame = identified(sent)
    forget()
    job = Job(begun(open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/ledger.db", create=True), RUN))
    with pytest.MonkeyPatch.context() as patch:
        if compacts:
            patch.setattr(kept, "MOST_SEGMENTS", 1)
            patch.setattr("pipelines.stream.history.RECENT_ROWS", 2)
            patch.setattr("pipelines.stream.history.MOST_RUNS", 2)
            patch.setattr("pipelines.stream.history.LARGE_ROWS", 6)
            patch.setattr(fold_arrivals, "MOST_BYTES", 3_000)
            patch.setattr("pipelines.stream.history.MOST_METERS", 1)
            patch.setattr("pipelines.stream.packing.SEGMENT_ROWS", 2)
            patch.setattr(kept, "SEGMENT_BYTES", 1_000_000_000)
        losses = 0
        while job.read < frame.height:
            for bundle in bundles(frame[job.read :], chance):
                job.take(bundle, chance.choice((0.0, *WAITS)))
                if chance.random() < 0.3:
                    chance.choice((job.look, job.fold_due, job.write_due))()
                if chance.random() < 0.3:
                    job.checkpoint()
                if losses < 4 and chance.random() < 0.3:
                    losses += 1
                    job.lose_worker()
                    break
        job.end()
    assert wrong(job.store, by_oracle(sent)) == []


def test_a_cell_written_before_a_checkpoint_that_is_undone_does_not_stay(job: Job) -> None:
    meter = installed()
    job.take(identified([meter]), 0.0)
    assert not wrong(job.store, by_oracle([meter]))
    job.lose_worker()
    # Both in one bundle now: what the installation gave and what its withdrawal takes come to nothing at all.
    both = [meter, void(meter, id="gone")]
    job.take(identified(both), 0.0)
    assert wrong(job.store, by_oracle(both)) == []


def test_what_waits_is_written_when_it_is_due_and_not_before(job: Job) -> None:
    events = [installed()]
    job.take(identified(events), WAITS[-1])
    assert job.store.standing(RUN)[0].is_empty()
    job.fold_due()
    # Counted, and to be written together with what is counted soon.
    assert job.store.standing(RUN)[0].is_empty()
    job.write_due()
    assert wrong(job.store, by_oracle(events)) == []


def test_a_live_event_takes_with_it_what_waits_for_its_meter(job: Job) -> None:
    first, second = installed(), removed()
    job.take(identified([first]), WAITS[-1])
    job.take(identified([second]), 0.0)
    assert wrong(job.store, by_oracle([first, second])) == []


def test_a_timer_that_is_armed_is_left_alone(job: Job) -> None:
    job.take(identified([installed()]), WAITS[0])
    (at,) = job.folds.values()
    first = at.timer.due
    job.take(identified([removed()]), WAITS[-1])
    assert at.timer.due is first


def test_a_supplier_is_told_what_was_rejected_and_what_was_lifted_since(job: Job) -> None:
    target = installed()
    wrong_owner = amend(target, id="not theirs", source_id=BOLT, reported="2026-05-01")
    job.take(identified([target, wrong_owner]), 0.0)
    told = Counter((topic, b'"status": "%s"' % REJECTED.encode() in value) for topic, value in job.told.messages)
    assert told == {(f"rejected.{BOLT}", True): 1}
    assert not any(LIFTED.encode() in value for _, value in job.told.messages)


def shared(job: Job, share: Share) -> None:
    """A share of what ACME sent reaches the totals in a bundle of its own."""
    step = job._keep_step()
    for key, some in dealt({ACME: share}).items():
        at = job.totals.setdefault(key, States())
        step.process((key, pickle.dumps(some)), at.segments, at.token, at.armed, at.timer)
    step.finish_bundle()


def read_of(wait: float, *offsets: tuple[int, int], received: int = 1) -> Share:
    """The share of messages of some partitions of ACME's topic, each up to an offset."""
    intake = pl.DataFrame({"owner": [ACME], "status": ["received"], "records": [received]}, schema=INTAKE_TYPES)
    made = shares_of_outcome(replace(Judged.of([]), intake=intake.filter(pl.col("records") > 0)), wait)
    newest = {(topic_of(ACME), partition): offset for partition, offset in offsets}
    return with_offsets(made, newest, wait)[ACME]


def test_the_log_is_told_of_messages_once_they_are_in_the_ledger_and_not_before(job: Job) -> None:
    shared(job, read_of(WAITS[-1], (0, 4), (1, 9)))
    assert job.written.offsets == {}
    job.write_due()
    assert job.written.offsets == {(topic_of(ACME), 0): 4, (topic_of(ACME), 1): 9}


def test_messages_without_a_record_are_told_of_too(job: Job) -> None:
    shared(job, read_of(0.0, (0, 4)))
    shared(job, read_of(0.0, (0, 5), received=0))
    assert job.written.offsets == {(topic_of(ACME), 0): 5}
    shared(job, read_of(WAITS[-1], (0, 6), received=0))
    job.write_due()
    assert job.written.offsets == {(topic_of(ACME), 0): 6}


def test_while_the_store_cannot_be_written_the_log_is_not_told(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "PATIENCE_SECONDS", 0.0)
    # As a worker opens it.
    job.store = open_store(job.store.name)
    Path(job.store.name).unlink()
    with pytest.raises(StoreMissing, match="that the stream wrote is gone: move it back"):
        shared(job, read_of(0.0, (0, 4)))
    assert job.written.offsets == {}
    assert not Path(job.store.name).exists()


def test_what_a_lost_worker_had_in_its_totals_is_told_by_the_next_one(job: Job) -> None:
    shared(job, read_of(WAITS[-1], (0, 4)))
    job.checkpoint()
    job.lose_worker()
    job.write_due()
    assert job.written.offsets == {(topic_of(ACME), 0): 4}


def test_a_fold_out_of_balance_is_raised_and_nothing_of_its_bundle_is_shared(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.take(identified([installed()]), 0.0)
    before, told = job.store.standing(RUN), list(job.totals)
    lost = Counted(empty_cells(), pl.DataFrame(schema=INTAKE), pl.DataFrame())
    with monkeypatch.context() as broken:
        broken.setattr(fold_arrivals, "fold", lambda history, _: Fold(history, lost))
        with pytest.raises(BalanceBroken, match="A fold of 1 records accounts for 0"):
            job.take(identified([removed()]), 0.0)
    assert list(job.totals) == told
    after = job.store.standing(RUN)
    assert [frame.rows() for frame in after] == [frame.rows() for frame in before]
    job.lose_worker()
    events = [installed(), removed()]
    job.take(identified(events), 0.0)
    assert wrong(job.store, by_oracle(events)) == []


@pytest.mark.parametrize(
    ("age", "wait"), [(-3.0, 0.0), (0.0, 0.0), (4.9, 0.0), (5.0, 1.0), (15.0, 3.0), (30.0, 10.0), (86_400.0, 240.0)]
)
def test_older_messages_wait_longer_up_to_a_limit(age: float, wait: float) -> None:
    assert wait_of(age, 1) == wait


def test_live_events_in_number_wait_for_a_second() -> None:
    assert wait_of(1.0, FEW_EVENTS) == 0.0
    assert wait_of(1.0, FEW_EVENTS + 1) == BRISK_SECONDS


def test_what_waited_for_a_second_is_written_at_once(job: Job) -> None:
    events = [installed()]
    job.take(identified(events), BRISK_SECONDS)
    assert job.store.standing(RUN)[0].is_empty()
    job.fold_due()
    assert wrong(job.store, by_oracle(events)) == []


def test_what_waits_is_counted_when_no_more_has_come_for_some_looks(job: Job) -> None:
    job.take(identified([installed()]), WAITS[-1])
    for _ in range(STILL_LOOKS):
        job.look()
    # More has come, so it is worth waiting for the next again.
    job.take(identified([removed()]), WAITS[-1])
    for _ in range(STILL_LOOKS):
        job.look()
    assert not job.totals
    job.look()
    assert job.totals


def test_what_waits_is_counted_at_the_limit_though_more_comes(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_003.5
    monkeypatch.setattr(waiting.time, "time", lambda: now)
    events = [installed(), *(removed(id=f"number {number}") for number in range(99))]
    for event in events:
        if job.totals:
            break
        job.take(identified([event]), WAITS[-1])
        now += LOOK_SECONDS
        job.look()
    # The next full multiple of four minutes.
    assert now - LOOK_SECONDS < 1_000_080 <= now


def test_what_waits_is_counted_when_there_is_very_much_of_it(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_BYTES_WAITING", 2_000)
    for number in range(3):
        job.look()
        assert not job.totals
        job.take(identified([installed(), *(removed(id=f"number {number}.{each}") for each in range(9))]), WAITS[-1])
    job.look()
    assert job.totals


def test_who_may_wait_less_makes_all_of_the_shard_due_earlier(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting.time, "time", lambda: 1_000_002.5)
    job.take(identified([installed()]), WAITS[-1])
    (at,) = job.folds.values()
    assert at.timer.due == 1_000_004
    job.take(identified([removed()]), BRISK_SECONDS)
    assert at.timer.due == 1_000_003
    job.look()
    assert job.totals


def test_all_keys_are_looked_at_at_one_moment(job: Job) -> None:
    for number in range(20):
        job.take(identified([installed(id=f"number {number}", by=ACME)]), 10.0)
    many = {at.timer.due for at in job.folds.values()}
    assert len(many) <= 2
    assert all(due.micros % (LOOK_SECONDS * 1e6) == 0 for due in many)
