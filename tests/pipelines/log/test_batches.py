"""Every codec, transactions, gaps of offsets and damage, on a real broker."""

import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import crc32c
import kafka
import pytest
from kafka.admin import NewTopic

from infra.kafka import cluster
from pipelines.log.connection import CLIENTS, LogError, admin_of
from pipelines.log.message import Message
from pipelines.log.offsets import Range, beyond, end_offsets, ranges
from pipelines.log.polling import CODECS
from pipelines.log.reading import messages, unread
from pipelines.log.topics import made_again, of_no_source, topic_ids
from pipelines.source.kafka import plan_log, read_log
from tests.end_to_end.world import soon
from tests.pipelines.log.plain_broker import Broker, plain_broker

pytestmark = pytest.mark.cluster

PRODUCER: Any = kafka.KafkaProducer
# Several of the blocks of 32 kB into which Java's Snappy cuts a batch.
LINES = [f"line {number} " + "abcdefgh" * 40 for number in range(600)]
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": "1048576",
    "min.cleanable.dirty.ratio": "0.01",
    "segment.ms": "300",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with plain_broker(tmp_path_factory.mktemp("batches"), "log.cleaner.backoff.ms=200") as made:
        yield made


def topic_of(broker: Broker, name: str, configuration: Mapping[str, str] | None = None) -> str:
    with closing(admin_of(broker.settings)) as admin:
        admin.create_topics([NewTopic(name, 1, 1, topic_configs=dict(configuration or {}))])
        admin.wait_for_topics([name])
    return name


def all_of(broker: Broker, topic: str) -> list[Message]:
    return [
        message
        for one in ranges(broker.settings, [topic])
        for batch in messages(broker.settings, one)
        for message in batch
    ]


def values(found: list[Message]) -> list[str]:
    return [(message.value or b"").decode() for message in found]


def java_sends(broker: Broker, topic: str, codec: str) -> None:
    tool = ["org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", broker.address, "--topic", topic]
    command = ["java", "-cp", f"{broker.home / 'kafka' / 'lib'}/*", *tool, "--compression-codec", codec]
    subprocess.run(command, input="\n".join(LINES) + "\n", text=True, check=True, capture_output=True, timeout=60)


def codecs_on_disk(broker: Broker, topic: str) -> set[str]:
    data, found, at = segment_of(broker, topic).read_bytes(), set(), 0
    while at + 61 <= len(data):
        found.add(CODECS[data[at + 22] & 7])
        at += 12 + struct.unpack_from(">i", data, at + 8)[0]
    return found


def segment_of(broker: Broker, topic: str) -> Path:
    return broker.home / "kafka" / "data" / f"{topic}-0" / f"{0:020}.log"


@pytest.mark.parametrize("codec", CODECS)
def test_what_javas_own_producer_packs_is_read(broker: Broker, codec: str) -> None:
    topic = topic_of(broker, f"java-{codec}")
    java_sends(broker, topic, codec)
    assert codecs_on_disk(broker, topic) == {codec}
    assert values(all_of(broker, topic)) == LINES


@pytest.mark.parametrize("codec", CODECS[1:])
def test_what_pythons_producer_and_the_broker_pack_is_read(broker: Broker, codec: str) -> None:
    by_python = topic_of(broker, f"python-{codec}")
    by_broker = topic_of(broker, f"broker-{codec}", {"compression.type": codec})
    for topic, packed in ((by_python, codec), (by_broker, None)):
        with closing(PRODUCER(bootstrap_servers=broker.address, compression_type=packed)) as producer:
            for line in LINES:
                producer.send(topic, line.encode())
        assert codecs_on_disk(broker, topic) == {codec}
        assert values(all_of(broker, topic)) == LINES


class Transactions:
    """A producer whose messages come in transactions."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._topic = topic
        self.producer = PRODUCER(bootstrap_servers=broker.address, transactional_id=topic)
        self.producer.init_transactions()

    def send(self, text: str, count: int) -> None:
        self.producer.begin_transaction()
        for number in range(count):
            self.producer.send(self._topic, f"{text} {number}".encode())
        self.producer.flush()


def test_what_a_transaction_took_back_is_not_read(broker: Broker) -> None:
    topic = topic_of(broker, "aborted")
    writer = Transactions(broker, topic)
    with closing(writer.producer):
        writer.send("first", 100)
        writer.producer.commit_transaction()
        writer.send("taken back", 100)
        writer.producer.abort_transaction()
        writer.send("second", 100)
        writer.producer.commit_transaction()
    (whole,) = ranges(broker.settings, [topic])
    assert whole.end == 303
    wanted = [f"{text} {number}" for text in ("first", "second") for number in range(100)]
    assert values(all_of(broker, topic)) == wanted
    # In pieces, whose ends lie anywhere in a transaction.
    pieces = [Range(topic, 0, start, min(start + 37, whole.end)) for start in range(0, whole.end, 37)]
    found = [one for piece in pieces for batch in messages(broker.settings, piece) for one in batch]
    assert values(found) == wanted
    assert [one.offset for one in found] == [*range(100), *range(202, 302)]


def test_what_lies_beyond_the_last_message_is_not_unread(broker: Broker) -> None:
    topic = topic_of(broker, "marks")
    writer = Transactions(broker, topic)
    with closing(writer.producer):
        writer.send("one", 10)
        writer.producer.commit_transaction()
        writer.send("taken back", 500)
        writer.producer.abort_transaction()
        held = ranges(broker.settings, [topic])
        assert held == (Range(topic, 0, 0, 512),)
        assert unread(broker.settings, held) == held
        assert unread(broker.settings, beyond({topic: {"0": 7}}, held)) == (Range(topic, 0, 7, 512),)
        assert unread(broker.settings, beyond({topic: {"0": 10}}, held)) == ()
        assert unread(broker.settings, beyond({topic: {"0": 512}}, held)) == ()
        writer.send("two", 1)
        writer.producer.commit_transaction()
    # What was taken back is passed over to the first message.
    assert unread(broker.settings, beyond({topic: {"0": 10}}, ranges(broker.settings, [topic]))) == (
        Range(topic, 0, 512, 514),
    )


def test_a_transaction_that_is_under_way_is_not_waited_for(broker: Broker) -> None:
    topic = topic_of(broker, "under-way")
    writer = Transactions(broker, topic)
    with closing(writer.producer):
        writer.send("one", 3)
        writer.producer.commit_transaction()
        writer.send("under way", 5)
        assert end_offsets(broker.settings, [topic]) == {topic: {"0": 4}}
        assert values(all_of(broker, topic)) == ["one 0", "one 1", "one 2"]
        writer.producer.commit_transaction()
    assert len(all_of(broker, topic)) == 8


def test_a_plan_of_a_log_that_begins_with_marks_reads_from_its_first_message(broker: Broker) -> None:
    topic = topic_of(broker, "supplier.BGAS")
    writer = Transactions(broker, topic)
    with closing(writer.producer):
        writer.send("taken back", 5)
        writer.producer.abort_transaction()
        writer.send("one", 5)
        writer.producer.commit_transaction()
    planned = plan_log(broker.settings, [topic])
    assert planned.offsets == {topic: {"0": 12}}
    assert planned.topic_ids == {topic: topic_ids(broker.settings)[topic]}
    losses = [loss for packet in planned.packets for loss in read_log(broker.settings, packet, None).losses]
    assert [loss.provenance for loss in losses] == [f"{topic}/0/{offset}" for offset in range(6, 11)]


def test_a_log_without_its_beginning_is_read_from_where_it_begins(broker: Broker) -> None:
    topic = topic_of(broker, "shortened")
    with closing(PRODUCER(bootstrap_servers=broker.address)) as producer:
        for line in LINES[:20]:
            producer.send(topic, line.encode())
    with closing(admin_of(broker.settings)) as admin:
        admin.delete_records({CLIENTS.TopicPartition(topic, 0): 7})
    held = ranges(broker.settings, [topic])
    assert held == (Range(topic, 0, 7, 20),)
    assert values(all_of(broker, topic)) == LINES[7:20]
    assert beyond({topic: {"0": 3}}, held) == held
    assert unread(broker.settings, beyond({}, held)) == held


def test_a_compacted_topic_is_read_over_its_gaps(broker: Broker) -> None:
    topic = topic_of(broker, "compacted", COMPACTED)

    def send(key: bytes, value: str) -> None:
        with closing(PRODUCER(bootstrap_servers=broker.address)) as producer:
            producer.send(topic, value.encode(), key=key)

    for number in range(40):
        send(b"again and again", f"old {number}")
    send(b"last", "last")

    def has_gaps() -> bool:
        send(b"roll", "roll")
        return len(all_of(broker, topic)) < ranges(broker.settings, [topic])[0].end - 20

    soon("gaps", has_gaps, 60)
    found = all_of(broker, topic)
    assert "old 39" in values(found)
    assert "old 1" not in values(found)
    assert unread(broker.settings, ranges(broker.settings, [topic]))[0].start == found[0].offset


def test_a_topic_made_again_has_another_id(broker: Broker) -> None:
    topic, other = topic_of(broker, "supplier.ZZZZ"), topic_of(broker, "supplier.OVOE")
    ids = topic_ids(broker.settings)
    assert of_no_source(ids) == (topic,)
    with closing(admin_of(broker.settings)) as admin:
        admin.delete_topics([topic])
        soon("the topic gone", lambda: topic not in topic_ids(broker.settings), 20)
    kept = {name: ids[name] for name in (topic, other)}
    assert made_again(kept, topic_ids(broker.settings)) == (topic,)
    topic_of(broker, topic)
    assert made_again(kept, topic_ids(broker.settings)) == (topic,)


def damaged(data: bytes, start: int) -> bytes:
    """The batch at a place has another byte near its end."""
    end = start + 12 + struct.unpack_from(">i", data, start + 8)[0]
    return data[: end - 9] + bytes([data[end - 9] ^ 0x55]) + data[end - 8 :]


def renamed(data: bytes, start: int) -> bytes:
    """The batch at a place says that it has a codec that there is not, under the right checksum."""
    end = start + 12 + struct.unpack_from(">i", data, start + 8)[0]
    rest = data[start + 21 : start + 22] + bytes([data[start + 22] | 7]) + data[start + 23 : end]
    return data[: start + 17] + struct.pack(">I", crc32c.crc32c(rest)) + rest + data[end:]


def test_a_batch_that_cannot_be_read_is_told_by_place_and_codec(broker: Broker) -> None:
    kinds = {"damaged": damaged, "renamed": renamed}
    for topic in kinds:
        topic_of(broker, topic)
        for line in LINES[:3]:
            with closing(PRODUCER(bootstrap_servers=broker.address, compression_type="snappy")) as producer:
                producer.send(topic, line.encode())
    assert cluster.down(broker.home)
    for topic, change in kinds.items():
        path = segment_of(broker, topic)
        data = path.read_bytes()
        path.write_bytes(change(data, 12 + struct.unpack_from(">i", data, 8)[0]))
    broker.up()
    with pytest.raises(LogError) as told:
        all_of(broker, "damaged")
    assert str(told.value) == "The log holds a batch of messages that is damaged: damaged/0 at offset 1, codec snappy."
    with pytest.raises(LogError) as told:
        unread(broker.settings, [Range("damaged", 0, 1, 3)])
    assert "damaged/0 at offset 1, codec snappy" in str(told.value)
    with pytest.raises(LogError) as told:
        all_of(broker, "renamed")
    assert str(told.value) == (
        "The log holds a batch of messages with an unknown codec: renamed/0 at offset 1, codec number 7."
    )
    # What lies before it is read.
    assert len([one for batch in messages(broker.settings, Range("damaged", 0, 0, 1)) for one in batch]) == 1
