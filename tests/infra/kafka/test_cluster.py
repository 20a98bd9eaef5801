"""The local broker's properties, and what is said where there is none."""

import socket
from pathlib import Path

import pytest

from infra.kafka import cluster
from infra.kafka.cluster import Extra, answers, down, properties, status, up
from infra.processes import ClusterError
from infra.settings import ClusterSettings

SETTINGS = ClusterSettings(kafka_port=19192, kafka_controller_port=19193)


def read(text: str) -> dict[str, str]:
    """Properties by their names; where one stands twice the later counts, as it does for the broker."""
    return dict(line.split("=", 1) for line in text.splitlines())


def test_the_broker_listens_on_the_loopback_address_only() -> None:
    told = read(properties(Path("/home"), SETTINGS, Extra()))
    assert told["listeners"] == "PLAINTEXT://127.0.0.1:19192,CONTROLLER://127.0.0.1:19193"
    assert told["advertised.listeners"] == "PLAINTEXT://127.0.0.1:19192"
    assert told["controller.quorum.voters"] == "1@127.0.0.1:19193"


def test_topics_are_made_on_purpose_only() -> None:
    assert read(properties(Path("/home"), SETTINGS, Extra()))["auto.create.topics.enable"] == "false"


def test_a_broker_of_one_node_has_one_copy_of_what_it_keeps_for_itself() -> None:
    told = read(properties(Path("/home"), SETTINGS, Extra()))
    assert told["offsets.topic.replication.factor"] == told["transaction.state.log.replication.factor"] == "1"


def test_a_message_may_be_twice_as_large_as_a_block() -> None:
    assert int(read(properties(Path("/home"), SETTINGS, Extra()))["message.max.bytes"]) == 2 * 1024 * 1024


def test_messages_lie_under_the_home() -> None:
    assert read(properties(Path("/some/home"), SETTINGS, Extra()))["log.dirs"] == "/some/home/kafka/data"


def test_further_properties_come_last_and_so_count() -> None:
    extra = Extra(listener="SASL_SSL", properties=("num.partitions=3", "sasl.enabled.mechanisms=SCRAM-SHA-256"))
    told = read(properties(Path("/home"), SETTINGS, extra))
    assert told["listeners"].startswith("SASL_SSL://127.0.0.1:19192,")
    assert told["inter.broker.listener.name"] == "SASL_SSL"
    assert told["num.partitions"] == "3"
    assert told["sasl.enabled.mechanisms"] == "SCRAM-SHA-256"


def test_nobody_answers_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert not answers(f"127.0.0.1:{free.getsockname()[1]}")


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "installed", lambda *_: None)
    monkeypatch.setattr(cluster, "_format", lambda *_: None)
    monkeypatch.setattr(cluster, "require_java", lambda: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"^Port {port}, which kafka wants, is taken by another program"):
            up(tmp_path, ClusterSettings(kafka_port=port), lambda _: None)
    assert status(tmp_path, SETTINGS)[0].pid is None


def test_ending_a_broker_that_does_not_run_is_no_mistake(tmp_path: Path) -> None:
    assert not down(tmp_path)
