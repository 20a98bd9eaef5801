"""A secured broker of a test's own, with forty suppliers, and what can be asked of it."""

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import kafka.admin
from kafka.protocol.producer import ProduceRequest
from kafka.record.memory_records import MemoryRecordsBuilder

from infra.kafka.access import ADMIN
from infra.kafka.secured import MECHANISM, PROTOCOL, Secured
from infra.settings import ClusterSettings
from pipelines.log.connection import KafkaSettings
from schemas.sources import supplier_ids

CLIENTS: Final[Any] = kafka.admin
# All real suppliers, and as many more as make forty; one's id begins with another's whole id.
SUPPLIERS: Final = (*supplier_ids(), "BGASX", "QQQA", "QQQB", "QQQC", "QQQD", "QQQE")[:40]
DENIED: Final = 29


def free_ports() -> tuple[int, int]:
    """Two ports of the loopback address that nobody listens at."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def settings_on(ports: tuple[int, int]) -> ClusterSettings:
    """Settings of a small broker."""
    return ClusterSettings(kafka_port=ports[0], kafka_controller_port=ports[1], kafka_memory="320m")


@dataclass(frozen=True)
class Broker:
    """A running secured broker."""

    home: Path
    settings: ClusterSettings

    @property
    def secured(self) -> Secured:
        return Secured(self.home)

    def as_principal(self, name: str, password: str = "", ca: Path | None = None) -> KafkaSettings:
        """How `rollout` logs in as a principal, with its own password if no other is given."""
        wanted = password or self.secured.password(name)
        return KafkaSettings(self.settings.kafka, PROTOCOL, MECHANISM, name, wanted, str(ca or self.secured.ca))

    def admin(self, name: str = ADMIN) -> Any:
        """A client for administration, logged in as a principal."""
        return CLIENTS.KafkaAdminClient(**self.secured.client(self.settings.kafka, name))

    def written(self, principal: str, topics: Iterable[str]) -> dict[str, int]:
        """Tries to write a message to each topic, past all that a client checks itself: the broker's code for each."""
        client = self.admin(principal)
        try:
            answer = client._manager.run(client._manager.send, _request(topics))
        finally:
            client.close()
        return {
            topic.name: partition.error_code for topic in answer.responses for partition in topic.partition_responses
        }


def _request(topics: Iterable[str]) -> Any:
    records: Any = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1000)
    records.append(timestamp=int(time.time() * 1000), key=None, value=b"an event", headers=[])
    records.close()
    data: Any = ProduceRequest.TopicProduceData
    each = [
        data(name=topic, partition_data=[data.PartitionProduceData(index=0, records=records.buffer())])
        for topic in topics
    ]
    return ProduceRequest(
        transactional_id=None, acks=-1, timeout_ms=10_000, topic_data=each, min_version=3, max_version=9
    )
