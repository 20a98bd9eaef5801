"""Runs a local Kafka broker from Kafka's published Java artefacts: one node as broker and controller (KRaft)."""

import subprocess
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.installing import Say, installed, jars, require_java
from infra.processes import (
    ClusterError,
    Place,
    Program,
    State,
    alone,
    is_listening,
    running,
    start,
    state_of,
    stop,
    wait_until,
)
from infra.settings import LOOPBACK, ClusterSettings

POM: Final = Path(__file__).parent / "pom.xml"
LOG4J: Final = Path(__file__).parent / "log4j2.properties"
NAME: Final = "kafka"
READY_SECONDS: Final = 180.0


@dataclass(frozen=True, slots=True)
class Extra:
    """What a broker has beyond a plain one: lines of its properties, arguments to `format`, and a test of readiness.

    `listener` names the listener that replaces PLAINTEXT, such as SASL_SSL.
    """

    listener: str = "PLAINTEXT"
    properties: Sequence[str] = ()
    formatting: Sequence[str] = ()
    ready: Callable[[str], bool] | None = None


def place_of(home: Path) -> Place:
    """Returns where the broker keeps its files."""
    return Place(home / "kafka" / "run", home / "kafka" / "log")


def properties(home: Path, settings: ClusterSettings, extra: Extra) -> str:
    """Returns the text of the broker's server.properties."""
    lines = [
        "process.roles=broker,controller",
        "node.id=1",
        f"controller.quorum.voters=1@{LOOPBACK}:{settings.kafka_controller_port}",
        "controller.listener.names=CONTROLLER",
        f"listeners={extra.listener}://{settings.kafka},CONTROLLER://{LOOPBACK}:{settings.kafka_controller_port}",
        f"advertised.listeners={extra.listener}://{settings.kafka}",
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
        f"inter.broker.listener.name={extra.listener}",
        f"log.dirs={home / 'kafka' / 'data'}",
        "num.partitions=1",
        # A topic is created with its settings or not at all.
        "auto.create.topics.enable=false",
        "message.max.bytes=2097152",
        "offsets.topic.replication.factor=1",
        "offsets.topic.num.partitions=4",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.min.isr=1",
        "group.initial.rebalance.delay.ms=0",
        "log.message.timestamp.type=LogAppendTime",
        *extra.properties,
    ]
    return "\n".join(lines) + "\n"


def up(home: Path, settings: ClusterSettings, say: Say, extra: Extra | None = None) -> str:
    """Starts the broker unless it is running; returns its address once it answers. Raises ClusterError."""
    chosen, place, folder = extra or Extra(), place_of(home), home / "kafka"
    ready = chosen.ready or answers
    with alone(folder):
        if running(place, NAME) is None:
            require_java()
            say("Installing Kafka, where it is not yet")
            installed(folder / "lib", [POM], jars(POM))
            (folder / "server.properties").write_text(properties(home, settings, chosen), encoding="utf-8")
            _format(folder, chosen)
            say("Starting Kafka")
            start(place, _program(folder, settings))
    wait_until(lambda: ready(settings.kafka), place, NAME, READY_SECONDS)
    return settings.kafka


def _format(folder: Path, extra: Extra) -> None:
    """Formats the data folder for Kafka; a formatted one stays as it is. Raises ClusterError."""
    if (folder / "data" / "meta.properties").exists():
        return
    # Kafka requires 22 characters of base 64; the first must not be a minus sign.
    cluster = "A" + uuid.uuid4().hex[:21]
    tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(folder / "server.properties")]
    command = ["java", "-cp", f"{folder / 'lib'}/*", *tool, *extra.formatting]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ClusterError(
            f"Kafka's data folder {folder / 'data'} cannot be made: {said[-1] if said else 'no reason'}."
        )


def _program(folder: Path, settings: ClusterSettings) -> Program:
    options = [f"-Xmx{settings.kafka_memory}", f"-Xms{settings.kafka_memory}", f"-Dlog4j2.configurationFile={LOG4J}"]
    command = ["java", *options, "-cp", f"{folder / 'lib'}/*", "kafka.Kafka", str(folder / "server.properties")]
    return Program(NAME, command, (settings.kafka_port, settings.kafka_controller_port))


def answers(address: str) -> bool:
    """Whether the broker at an address lists its topics."""
    # Imported here, since it is slow and `rollout --help` imports this module.
    import kafka  # noqa: PLC0415
    from kafka.errors import KafkaError  # noqa: PLC0415

    # The type checkers' stubs describe an older release.
    clients: Any = kafka

    if not is_listening(int(address.rpartition(":")[2])):
        return False
    try:
        consumer = clients.KafkaConsumer(
            bootstrap_servers=address, request_timeout_ms=3_000, bootstrap_timeout_ms=3_000
        )
    except KafkaError:
        return False
    try:
        return consumer.topics() is not None
    except KafkaError:
        return False
    finally:
        consumer.close()


def down(home: Path) -> bool:
    """Stops the broker; returns whether it was running."""
    return stop(place_of(home), NAME)


def status(home: Path, settings: ClusterSettings) -> list[State]:
    """Returns the state of the broker."""
    return [state_of(place_of(home), NAME, settings.kafka)]
