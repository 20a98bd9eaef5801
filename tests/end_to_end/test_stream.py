"""The stream on the real things: whatever is killed on the way, it ends in the cells of a bounded run and the oracle.

ROLLOUT_KILLS is the number of kills that the long test makes (5, one of each kind), ROLLOUT_SEED draws them and the
order of messages.
"""

import io
import os
import random
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import fastavro
import pytest

from infra.flink.cluster import Folders
from pipelines.log.offsets import ranges
from pipelines.log.reading import messages
from pipelines.log.topics import rejected_topic, topic_of
from pipelines.store import open_store
from pipelines.stream.record import current
from pipelines.synthetic import Plan
from schemas.registry import SINGLE_OBJECT_MARKER, decode_single_object, encode_single_object, parsed
from schemas.sources import supplier_ids
from tests.builders import ACME, Event, installed, void
from tests.end_to_end.ledger import at_rest, cells_of, statuses
from tests.end_to_end.world import VICTIMS, Feeder, World, messages_of, send_all, soon, world
from tests.oracle.compare import differences
from tests.oracle.plain import recount
from tests.pipelines.whole_runs import britain

pytestmark = [
    pytest.mark.cluster,
    # A client of a broker that is killed under it leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KILLS = int(os.environ.get("ROLLOUT_KILLS", "5"))
SEED = int(os.environ.get("ROLLOUT_SEED", "1"))
POISON = b"this is no event"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def store_url(here: World) -> str:
    return here.server.url(here.server.new_database(), "pipeline_login")


def dumped(here: World, folder: Path) -> Path:
    """The log's events as files of their owners, single ones wrapped each by itself; what is no event is left out."""
    for one in ranges(here.log, [topic_of(name) for name in ("SDCC", *supplier_ids())]):
        owner = one.topic.removeprefix("supplier.").replace("dcc", "SDCC")
        (folder / owner).mkdir(parents=True, exist_ok=True)
        for message in (message for batch in messages(here.log, one) for message in batch):
            value = message.value or b""
            if value != POISON:
                (folder / owner / f"{one.partition}-{message.offset}.avro").write_bytes(wrapped(value))
    return folder


def wrapped(value: bytes) -> bytes:
    if value[:2] != SINGLE_OBJECT_MARKER:
        return value
    record, event = decode_single_object(value)
    out = io.BytesIO()
    fastavro.writer(out, parsed(record), [event])
    return out.getvalue()


def records_in(here: World) -> int:
    """How many records the log holds, by a bounded run over it."""
    url = f"sqlite:///{here.home}/counted-{time.monotonic_ns()}.db"
    here.rollout("run", "--kafka", here.bootstrap, "--store", url)
    return open_store(url).current_run().received


@pytest.fixture(scope="module")
def streamed(here: World, store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dirty Britain fed into a running stream, while what there is is killed; gives the ledger's cells at rest."""
    chance = random.Random(SEED)
    folder = britain(tmp_path_factory.mktemp("britain"), Plan(1_500, SEED, date(2020, 6, 30), 0.3))
    sent = messages_of(folder, chance)
    sent.insert(len(sent) // 2, (topic_of(ACME), POISON))
    here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", store_url, "--shards", 6)
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(KILLS)]
    chance.shuffle(victims)
    with Feeder(here.log, sent, seconds=12 * KILLS):
        for victim in victims:
            time.sleep(chance.uniform(4, 14))
            here.kill(victim)
    at_rest(store_url, records_in(here))
    return cells_of(here, store_url, "streamed")


def test_after_every_kill_the_cells_are_those_of_a_bounded_run_over_the_log(
    here: World, store_url: str, streamed: Path
) -> None:
    assert len(here.killed) >= KILLS
    assert set(VICTIMS) <= set(here.killed)
    assert "cells agree" in here.rollout("verify", "--kafka", here.bootstrap, "--store", store_url)
    bounded = f"sqlite:///{here.home}/bounded.db"
    here.rollout("run", "--kafka", here.bootstrap, "--store", bounded)
    assert cells_of(here, bounded, "bounded").read_bytes() == streamed.read_bytes()


def test_they_are_those_of_the_oracle(here: World, streamed: Path, tmp_path: Path) -> None:
    outcome = recount([dumped(here, tmp_path)])
    assert len(outcome.cells) > 10_000
    assert differences(streamed, outcome) == []


def test_a_poisoned_message_is_in_quarantine_and_its_sender_is_told(
    here: World, store_url: str, streamed: Path
) -> None:
    assert streamed
    rows = open_store(store_url).quarantine()
    poisoned = [row for row in rows.iter_rows(named=True) if row["owner"] == ACME and row["rows"] == 0]
    assert [row["reason_code"] for row in poisoned] == ["UNDECODABLE"]
    (told,) = ranges(here.log, [rejected_topic(ACME)])
    heard = b"\n".join(message.value or b"" for batch in messages(here.log, told) for message in batch)
    assert poisoned[0]["provenance"].encode() in heard
    assert b'"status": "REJECTED"' in heard


def test_a_tampered_cell_is_named(here: World, store_url: str, streamed: Path) -> None:
    database = store_url.rpartition("/")[2]
    change = "UPDATE ledger_cells SET value = value {} WHERE measure = 'visits' AND source_id = 'BGAS'"
    assert b"visits" in streamed.read_bytes()
    here.server.execute(change.format("+ 1000"), database)
    told = here.rollout("verify", "--kafka", here.bootstrap, "--store", store_url, fails=True)
    here.server.execute(change.format("- 1000"), database)
    assert "visits,2" in told
    assert ",BGAS," in told
    assert "differ" in told


def test_the_whole_log_sent_again_doubles_nothing(here: World, store_url: str, streamed: Path) -> None:
    before = statuses(open_store(store_url), open_store(store_url).current_run().run_id)["received"]
    again = [
        (message.topic, message.value or b"")
        for one in ranges(here.log, [topic_of(name) for name in ("SDCC", *supplier_ids())])
        for batch in messages(here.log, one)
        for message in batch
    ]
    send_all(here.log, again)
    at_rest(store_url, 2 * before)
    assert cells_of(here, store_url, "again").read_bytes() == streamed.read_bytes()


def test_of_lost_jobs_no_checkpoints_are_left(here: World, streamed: Path) -> None:
    assert streamed
    record = current(here.home)
    # One job may stand for several that were lost before they ran.
    assert len(record.jobs) > 1
    left = Folders(here.home).checkpoints
    soon("checkpoints of one job", lambda: [path.name for path in left.iterdir()] == [record.jobs[-1]], 60)


def test_a_second_stream_beside_it_is_refused_in_one_sentence(here: World, streamed: Path) -> None:
    assert streamed
    target = ("--kafka", here.bootstrap, "--store", here.home / "second.db")
    told = here.rollout("stream", "start", *target, fails=True)
    assert "runs; end it first with `rollout stream stop`" in told
    assert len(told.strip().splitlines()) == 1


def test_stopped_with_a_savepoint_and_gone_on_from_it(here: World, store_url: str, streamed: Path) -> None:
    told = here.rollout("stream", "stop", "--savepoint", here.home / "savepoint")
    place = told.partition("The savepoint is in ")[2].split()[0]
    here.rollout("stream", "status", fails=True)
    received = statuses(open_store(store_url), open_store(store_url).current_run().run_id)["received"]
    more = [installed(on=f"2019-02-{day:02}") for day in range(1, 6)]
    send_all(here.log, [(topic_of(ACME), single(event)) for event in more])
    here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", store_url, "--from-savepoint", place)
    at_rest(store_url, received + len(more))
    assert "cells agree" in here.rollout("verify", "--kafka", here.bootstrap, "--store", store_url)
    assert cells_of(here, store_url, "more").read_bytes() != streamed.read_bytes()


def single(event: Event) -> bytes:
    fields = {name: value for name, value in event.items() if name != "record"}
    return encode_single_object(event["record"], fields)


def test_gone_on_from_a_snapshot_with_what_came_since(here: World, store_url: str, streamed: Path) -> None:
    assert streamed
    here.rollout("stream", "stop")
    snapshot = here.home / "snapshot"
    here.rollout("run", "--kafka", here.bootstrap, "--store", store_url, "--snapshot", snapshot, "--shards", 3)
    received = open_store(store_url).current_run().received
    corrections = [void(installed(on="2019-02-03")), installed(on="2019-03-01")]
    send_all(here.log, [(topic_of(ACME), single(event)) for event in corrections])
    here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", store_url, "--from-snapshot", snapshot)
    at_rest(store_url, received + len(corrections))
    assert "cells agree" in here.rollout("verify", "--kafka", here.bootstrap, "--store", store_url)
    # Of the stream before it nothing secret is left, and no checkpoint.
    record = current(here.home)
    assert [path.parent.name for path in (here.home / "stream").rglob("secrets.json")] == [record.run_id]
    assert {path.name for path in Folders(here.home).checkpoints.iterdir()} == set(record.jobs)


def test_no_stale_cell_stays_where_a_kill_undoes_what_was_written(here: World, streamed: Path) -> None:
    """NEW is written but in no checkpoint; after the kill NEW and VOID are counted in one, so nothing changes."""
    assert streamed
    here.rollout("stream", "stop")
    url = here.server.url(here.server.new_database(), "pipeline_login")
    event = installed(on="2018-05-05", id="stale")
    snapshot = here.home / "before-stale"
    here.rollout("run", "--kafka", here.bootstrap, "--store", url, "--snapshot", snapshot)
    before, received = cells_of(here, url, "before-stale").read_bytes(), open_store(url).current_run().received
    never = ("--", "--checkpointing_interval=3600000")
    here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", url, "--from-snapshot", snapshot, *never)
    send_all(here.log, [(topic_of(ACME), single(event))])
    at_rest(url, received + 1)
    assert cells_of(here, url, "with-new").read_bytes() != before
    here.kill("task manager")
    send_all(here.log, [(topic_of(ACME), single(void(event)))])
    at_rest(url, received + 2)
    assert cells_of(here, url, "after-stale").read_bytes() == before
    assert "cells agree" in here.rollout("verify", "--kafka", here.bootstrap, "--store", url)


def test_a_broker_that_is_away_is_one_sentence(here: World, streamed: Path) -> None:
    assert streamed
    here.rollout("stream", "stop")
    told = here.rollout("stream", "start", "--kafka", "127.0.0.1:1", "--store", here.home / "no.db", fails=True)
    assert told.startswith("The log at 127.0.0.1:1 cannot be reached")
    assert len(told.strip().splitlines()) == 1
