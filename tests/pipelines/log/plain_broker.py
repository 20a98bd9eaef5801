"""A plain broker of a test's own, and the ports of which it listens at."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.kafka import cluster
from infra.settings import ClusterSettings
from pipelines.log.connection import KafkaSettings


def free_ports() -> tuple[int, int]:
    """Two ports of the loopback address that nobody listens at."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@dataclass(frozen=True)
class Broker:
    """A running broker; its home holds what `rollout` keeps, too."""

    home: Path
    cluster_settings: ClusterSettings
    extra: cluster.Extra = field(default_factory=cluster.Extra)

    @property
    def address(self) -> str:
        return self.cluster_settings.kafka

    def up(self) -> None:
        """It runs, and again if it was ended."""
        cluster.up(self.home, self.cluster_settings, print, self.extra)

    @property
    def settings(self) -> KafkaSettings:
        return KafkaSettings(self.address)


@contextmanager
def plain_broker(home: Path, *properties: str) -> Generator[Broker]:
    """A broker that ends with the test, with some lines of server.properties of its own."""
    ports = free_ports()
    settings = ClusterSettings(kafka_port=ports[0], kafka_controller_port=ports[1], kafka_memory="320m")
    made = Broker(home, settings, cluster.Extra(properties=properties))
    try:
        made.up()
        yield made
    finally:
        cluster.down(home)
