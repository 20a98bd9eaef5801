"""The stream and bounded runs over transactions, every codec, gaps, new partitions and a topic made again."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import kafka
import pytest
from kafka.admin import NewTopic

from infra.flink.jobs import job_named
from infra.processes import running
from pipelines.cli.supervising import NAME, place_of
from pipelines.log.connection import CLIENTS, admin_of
from pipelines.log.polling import CODECS
from pipelines.log.topics import CONFIGURATION, ensure_topics, topic_of
from pipelines.store import open_store
from pipelines.stream.record import current
from tests.builders import ACME, BOLT, CITY, DUKE, Event, installed, mpan
from tests.end_to_end.ledger import at_rest, cells_of, statuses
from tests.end_to_end.test_stream import single
from tests.end_to_end.world import FEW_WORKERS, World, send_all, soon, world

pytestmark = pytest.mark.cluster

PRODUCER: Any = kafka.KafkaProducer
STRAY = "supplier.ZZZZ"
OVO = "OVOE"
# Committed in transactions, of every codec, and left of five of which three were deleted.
RECEIVED = 200 + 10 * len(CODECS) + 2


def events(by: str, first: int, count: int) -> list[Event]:
    return [installed(mpan(number), by=by) for number in range(first, first + count)]


def make(here: World, topic: str) -> None:
    with closing(admin_of(here.log)) as admin:
        admin.create_topics([NewTopic(topic, 1, 1, topic_configs=dict(CONFIGURATION))])
        admin.wait_for_topics([topic])


def send(here: World, topic: str, told: Iterable[Event], **options: Any) -> None:
    with closing(PRODUCER(bootstrap_servers=here.bootstrap, **options)) as producer:
        for event in told:
            producer.send(topic, single(event))


class Writer:
    """A supplier whose producer sends in transactions."""

    def __init__(self, here: World, by: str) -> None:
        self._topic, self._by = topic_of(by), by
        self.producer = PRODUCER(bootstrap_servers=here.bootstrap, transactional_id=by)
        self.producer.init_transactions()

    def send(self, first: int, count: int) -> None:
        self.producer.begin_transaction()
        for event in events(self._by, first, count):
            self.producer.send(self._topic, single(event))
        self.producer.flush()


def shortened(here: World) -> None:
    """A log whose first offsets were deleted."""
    send(here, topic_of(DUKE), events(DUKE, 1_000, 5))
    with closing(admin_of(here.log)) as admin:
        admin.delete_records({CLIENTS.TopicPartition(topic_of(DUKE), 0): 3})


def filled(here: World) -> None:
    """What producers send: transactions, one of them given up, every codec, and one empty message."""
    writer = Writer(here, ACME)
    with closing(writer.producer):
        writer.send(1, 100)
        writer.producer.commit_transaction()
        writer.send(101, 100)
        writer.producer.abort_transaction()
        writer.send(201, 100)
        writer.producer.commit_transaction()
    for number, codec in enumerate(CODECS):
        packed = {} if codec == "none" else {"compression_type": codec}
        send(here, topic_of(BOLT), events(BOLT, 2_000 + 10 * number, 10), **packed)
    with closing(PRODUCER(bootstrap_servers=here.bootstrap)) as producer:
        producer.send(topic_of(CITY), key=b"tombstone", value=None)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("transactions")) as made:
        ensure_topics(made.log)
        yield made


@pytest.fixture(scope="module")
def store_url(here: World) -> str:
    return f"sqlite:///{here.home}/ledger.db"


@pytest.fixture(scope="module")
def streamed(here: World, store_url: str) -> str:
    """A running stream that has read all there is; gives what its start printed."""
    make(here, STRAY)
    shortened(here)
    told = here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", store_url, "--shards", 4, *FEW_WORKERS)
    filled(here)
    at_rest(store_url, RECEIVED)
    return told


def has_no_lag(here: World) -> bool:
    return "Lag: 0 messages not read yet" in here.rollout("stream", "status")


def test_what_was_committed_is_received_once_and_no_lag_is_left(here: World, store_url: str, streamed: str) -> None:
    assert streamed
    store = open_store(store_url)
    assert statuses(store, store.current_run().run_id)["received"] == RECEIVED
    soon("no lag", lambda: has_no_lag(here), 60)


def test_a_bounded_run_and_a_recount_find_the_same(here: World, store_url: str, streamed: str) -> None:
    assert streamed
    bounded = f"sqlite:///{here.home}/bounded.db"
    told = here.rollout("run", "--kafka", here.bootstrap, "--store", bounded)
    assert f"The log no longer holds the beginning of {topic_of(DUKE)}/0 (from offset 3)" in told
    assert open_store(bounded).current_run().received == RECEIVED
    assert cells_of(here, bounded, "bounded").read_bytes() == cells_of(here, store_url, "streamed").read_bytes()
    verified = here.rollout("verify", "--kafka", here.bootstrap, "--store", store_url)
    assert "cells agree" in verified
    assert "from offset 3" in verified


def test_a_topic_of_no_known_source_is_named_everywhere(here: World, streamed: str) -> None:
    line = f"Not counted, as their names are of no known source: {STRAY}."
    assert line in streamed
    assert line in here.rollout("stream", "status")
    other = f"sqlite:///{here.home}/other.db"
    assert line in here.rollout("run", "--kafka", here.bootstrap, "--store", other)
    assert line in here.rollout("verify", "--kafka", here.bootstrap, "--store", other)


def test_an_empty_message_is_told_as_one(store_url: str, streamed: str) -> None:
    assert streamed
    rows = open_store(store_url).quarantine().filter(owner=CITY).to_dicts()
    assert [(row["reason_code"], row["provenance"]) for row in rows] == [("UNDECODABLE", f"{topic_of(CITY)}/0/0")]
    assert "an empty message withdraws nothing" in rows[0]["sentence"]


def test_a_transaction_under_way_is_no_lag_and_counts_when_it_is_committed(
    here: World, store_url: str, streamed: str
) -> None:
    assert streamed
    writer = Writer(here, ACME)
    with closing(writer.producer):
        writer.send(301, 10)
        assert has_no_lag(here)
        assert "cells agree" in here.rollout("verify", "--kafka", here.bootstrap, "--store", store_url)
        writer.producer.commit_transaction()
    at_rest(store_url, RECEIVED + 10)
    soon("no lag", lambda: has_no_lag(here), 60)


@pytest.fixture(scope="module")
def gone_on(here: World, store_url: str, streamed: str) -> Path:
    """A stream that goes on from a snapshot of the log after a topic got another partition; gives the snapshot."""
    assert streamed
    topic, new = topic_of(OVO), f"{topic_of(OVO)}/1"
    with closing(admin_of(here.log)) as admin:
        admin.create_partitions({topic: 2})
        admin.wait_for_topics([topic])
    with closing(PRODUCER(bootstrap_servers=here.bootstrap)) as producer:
        for event in events(OVO, 3_000, 7):
            producer.send(topic, single(event), partition=1)
    line = f"Added since the stream began, and not read by it: {new}; stop the stream"
    told = here.rollout("stream", "status", fails=True)
    assert line in told
    assert "Lag: 7 messages not read yet" in told
    told = here.rollout("stream", "stop", "--savepoint", here.home / "savepoint")
    place = told.partition("The savepoint is in ")[2].split()[0]
    target = ("--kafka", here.bootstrap, "--store", store_url)
    told = here.rollout("stream", "start", *target, "--from-savepoint", place, fails=True)
    assert told.startswith(line)
    snapshot = here.home / "snapshot"
    here.rollout("run", *target, "--snapshot", snapshot)
    here.rollout("stream", "start", *target, "--from-snapshot", snapshot, *FEW_WORKERS)
    return snapshot


def test_partitions_that_were_added_are_read_after_stop_and_start(here: World, store_url: str, gone_on: Path) -> None:
    assert gone_on
    with closing(PRODUCER(bootstrap_servers=here.bootstrap)) as producer:
        for event in events(OVO, 3_007, 3):
            producer.send(topic_of(OVO), single(event), partition=1)
    at_rest(store_url, RECEIVED + 10 + 7 + 3)
    assert "Added since" not in here.rollout("stream", "status")
    soon("no lag", lambda: has_no_lag(here), 60)
    assert "cells agree" in here.rollout("verify", "--kafka", here.bootstrap, "--store", store_url)


def test_a_topic_that_is_made_again_ends_the_stream_and_makes_its_snapshot_useless(
    here: World, store_url: str, gone_on: Path
) -> None:
    topic = topic_of(ACME)
    with closing(admin_of(here.log)) as admin:
        admin.delete_topics([topic])
        soon("the topic gone", lambda: topic not in admin.list_topics(), 30)
    make(here, topic)
    send_all(here.log, [(topic, single(event)) for event in events(ACME, 1, 300)])
    record = current(here.home)
    soon("the supervisor gone", lambda: running(place_of(here.home, record.run_id), NAME) is None, 90)
    job = job_named(f"127.0.0.1:{here.environment['ROLLOUT_FLINK_REST_PORT']}", record.name)
    assert job is not None
    assert job.state == "CANCELED"
    told = here.rollout("stream", "status", fails=True)
    assert f"Deleted since the stream began, or deleted and made again: {topic}." in told
    assert "count the log again by `rollout run --kafka`" in told
    target = ("--kafka", here.bootstrap, "--store", store_url)
    told = here.rollout("stream", "start", *target, "--from-snapshot", gone_on, fails=True)
    assert told.splitlines()[-1].startswith(f"Deleted since the snapshot was made, or deleted and made again: {topic}.")
    # As the sentence says: a recount is right again.
    again = f"sqlite:///{here.home}/again.db"
    here.rollout("run", "--kafka", here.bootstrap, "--store", again)
    assert open_store(again).current_run().received == RECEIVED - 200 + 10 + 300
