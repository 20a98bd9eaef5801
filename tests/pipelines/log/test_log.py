"""Topics, offsets, messages in and out, on a real broker."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from infra.kafka import cluster
from infra.processes import running
from pipelines.log import producing, reading
from pipelines.log.connection import LogError
from pipelines.log.message import SYNTHETIC_HEADER
from pipelines.log.offsets import Range, end_offsets, group_offsets, ranges, set_group
from pipelines.log.producing import Producer, Span
from pipelines.log.reading import messages
from pipelines.log.topics import ensure_topics, rejected_topic, require_topics, source_topics, without_append_time
from schemas.sources import source_ids
from tests.pipelines.log.plain_broker import Broker, plain_broker

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with plain_broker(tmp_path_factory.mktemp("log")) as made:
        ensure_topics(made.settings)
        yield made


def plain_topic(broker: Broker, name: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic(name, 1, 1, topic_configs={"message.timestamp.type": "CreateTime"})])
    admin.close()


def test_every_source_has_both_its_topics_and_they_keep_all_by_the_brokers_time(broker: Broker) -> None:
    wanted = [*source_topics(), *map(rejected_topic, source_ids())]
    assert ensure_topics(broker.settings) == ()
    assert {one.topic for one in ranges(broker.settings, wanted)} == set(wanted)
    assert without_append_time(broker.settings, wanted) == ()
    assert require_topics(broker.settings, None) == source_topics()


def test_a_topic_with_the_senders_time_is_found(broker: Broker) -> None:
    plain_topic(broker, "sender")
    assert without_append_time(broker.settings, ["sender", "dcc"]) == ("sender",)


def test_messages_come_back_as_they_were_sent_up_to_the_end_and_no_further(broker: Broker) -> None:
    producer = Producer(broker.settings)
    sent = [f"message {number}".encode() for number in range(12_000)]
    for number, value in enumerate(sent):
        producer.send("supplier.BGAS", None, value, [(SYNTHETIC_HEADER, b"true")] if number % 2 else [])
    producer.flush()
    assert producer.written() == (Span("supplier.BGAS", 0, 12_000, 0, 11_999),)
    (whole,) = ranges(broker.settings, ["supplier.BGAS"])
    found = [one for batch in messages(broker.settings, whole) for one in batch]
    assert [one.value for one in found] == sent
    assert [one.offset for one in found] == list(range(12_000))
    assert [one.synthetic for one in found[:4]] == [False, True, False, True]
    middle = [one for batch in messages(broker.settings, Range("supplier.BGAS", 0, 5_000, 5_003)) for one in batch]
    assert [one.offset for one in middle] == [5_000, 5_001, 5_002]
    producer.send("supplier.BGAS", None, b"one more")
    producer.close()
    assert producer.written() == (Span("supplier.BGAS", 0, 12_001, 0, 12_000),)


def test_a_broker_whose_process_is_stopped_is_told_as_one_that_does_not_answer(tmp_path: Path) -> None:
    with plain_broker(tmp_path) as broker:
        pid = running(cluster.place_of(tmp_path), cluster.NAME)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            command = [sys.executable, "-m", "pipelines.cli", "run", "--kafka", broker.address, "--store", "none.db"]
            told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=100)
        finally:
            os.kill(pid, signal.SIGCONT)
    assert told.returncode == 2
    assert told.stderr == (
        f"The log at {broker.address} takes connections, but does not answer within 3 s: does its process hang?\n"
    )


def test_an_empty_range_has_no_messages(broker: Broker) -> None:
    assert list(messages(broker.settings, Range("supplier.EENG", 0, 0, 0))) == []


def test_a_range_that_ends_in_the_mark_of_a_transaction_ends(broker: Broker) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.address, transactional_id="one")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send("supplier.LOND", value=b"within")
    producer.commit_transaction()
    producer.close()
    (whole,) = ranges(broker.settings, ["supplier.LOND"])
    assert whole.end == 2
    assert [one.value for batch in messages(broker.settings, whole) for one in batch] == [b"within"]


def test_offsets_that_the_log_does_not_hold_are_told_and_not_passed_over(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PATIENCE_MS", 1_000)
    with pytest.raises(LogError, match=r"no longer holds all of supplier\.OVOE from offset 7 on"):
        list(messages(broker.settings, Range("supplier.OVOE", 0, 7, 9)))
    with pytest.raises(LogError, match="The log was silent for 1 s"):
        list(messages(broker.settings, Range("supplier.OVOE", 0, 0, 3)))


@pytest.mark.parametrize("topic", ["supplier.XXXX", "nothing"])
def test_a_topic_that_there_is_not_is_told(broker: Broker, topic: str) -> None:
    with pytest.raises(LogError, match=f"has no topic {topic}"):
        ranges(broker.settings, [topic])
    with pytest.raises(LogError, match=f"has no topic {topic}"):
        list(messages(broker.settings, Range(topic, 0, 0, 1)))
    with pytest.raises(LogError, match="topics are"):
        require_topics(broker.settings, [topic])


def test_a_group_stands_where_it_was_put(broker: Broker) -> None:
    offsets = {"supplier.BGAS": {"0": 7}, "dcc": {"0": 0, "1": 0}}
    set_group(broker.settings, "rollout-test", offsets)
    assert group_offsets(broker.settings, "rollout-test") == offsets
    set_group(broker.settings, "rollout-test", {"dcc": end_offsets(broker.settings, ["dcc"])["dcc"]})
    assert group_offsets(broker.settings, "rollout-test") == offsets


def test_a_message_that_is_too_large_is_told(broker: Broker) -> None:
    producer = Producer(broker.settings)
    with pytest.raises(LogError, match="takes no message of that size"):
        producer.send("supplier.BGAS", None, b"x" * (producing.MOST_BYTES + 1))
    producer.abandon()


SENDER = """
import os, signal, sys
from pipelines.log import producing
from pipelines.log.connection import KafkaSettings, LogError
producing.DELIVERY_MS = 31_000
producer = producing.Producer(KafkaSettings(sys.argv[1]))
producer.send("supplier.BGAS", None, b"before")
producer.flush()
os.kill(int(sys.argv[2]), signal.SIGKILL)
producer.send("supplier.BGAS", None, b"after")
try:
    producer.flush()
except LogError as error:
    print(error)
producer.abandon()
print([(span.first, span.last) for span in producer.written()])
"""


def test_a_broker_that_goes_away_is_told_and_what_was_on_its_way_is_given_up(tmp_path: Path) -> None:
    with plain_broker(tmp_path) as broker:
        ensure_topics(broker.settings)
        pid = running(cluster.place_of(tmp_path), cluster.NAME)
        # In a process of its own, since kafka-python closes no socket whose connection is refused.
        command = [sys.executable, "-c", SENDER, broker.address, str(pid)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
        assert told.stdout.splitlines() == [
            f"The log at {broker.address} cannot be reached: nobody answers there.",
            "[(0, 0)]",
        ]
        # The broker's own files are whole: it goes on with what it had acknowledged.
        broker.up()
        assert end_offsets(broker.settings, ["supplier.BGAS"]) == {"supplier.BGAS": {"0": 1}}
