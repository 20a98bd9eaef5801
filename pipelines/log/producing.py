"""Sends messages to the log: each once and in order, and none lost without an error."""

from collections.abc import Sequence
from typing import Any, Final

from pipelines.log.connection import CLIENTS, KafkaSettings, client_config, explained

BATCH_BYTES: Final = 262_144
LINGER_MS: Final = 20
MOST_BYTES: Final = 1_900_000

Headers = Sequence[tuple[str, bytes]]


class Producer:
    """An idempotent producer that waits for all replicas; made when it is first used."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._sent: list[Any] = []

    def send(self, topic: str, key: bytes | None, value: bytes, headers: Headers = ()) -> Any:
        """The message is on its way; gives its future. Raises LogError."""
        with explained(self._settings, f"write to topic {topic}"):
            if self._producer is None:
                self._producer = CLIENTS.KafkaProducer(
                    **client_config(self._settings),
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=LINGER_MS,
                    batch_size=BATCH_BYTES,
                    max_request_size=MOST_BYTES,
                )
            future = self._producer.send(topic, key=key, value=value, headers=list(headers))
        self._sent.append(future)
        return future

    def flush(self) -> None:
        """All messages sent are in the log. Raises LogError for any that is not."""
        sent, self._sent = self._sent, []
        if self._producer is not None and sent:
            with explained(self._settings, "write to the log"):
                self._producer.flush()
                for future in sent:
                    future.get(timeout=30)

    def close(self) -> None:
        """The producer is gone; what was sent is in the log."""
        self.flush()
        if self._producer is not None:
            self._producer.close()
            self._producer = None
