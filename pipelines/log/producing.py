"""Sends messages to the log: each once and in order, and none lost without an error."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.log.connection import CLIENTS, ERRORS, PATIENCE_MS, KafkaSettings, client_of, explained

BATCH_BYTES: Final = 262_144
LINGER_MS: Final = 20
MOST_BYTES: Final = 1_900_000
# How much may be in flight before `send` waits.
PENDING_BYTES: Final = 32_000_000
PENDING_MESSAGES: Final = 50_000
# The time that a broker has to restart; until then the client itself tries again.
DELIVERY_MS: Final = 60_000
CLOSING_SECONDS: Final = 5.0

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Span:
    """What a producer has written to a partition: the number of messages, the first offset and the last."""

    topic: str
    partition: int
    messages: int
    first: int
    last: int

    def joined(self, offset: int) -> "Span":
        """Returns the span with one more message."""
        return Span(self.topic, self.partition, self.messages + 1, min(self.first, offset), max(self.last, offset))


class Producer:
    """An idempotent producer that waits for all replicas; it connects when it is first used."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._pending: deque[tuple[Any, int]] = deque()
        self._pending_bytes = 0
        self._written: dict[tuple[str, int], Span] = {}

    def send(self, topic: str, key: bytes | None, value: bytes, headers: Headers = ()) -> None:
        """Sends a message, and waits if too much is in flight. Raises LogError, also for messages sent before."""
        with explained(self._settings, f"write to topic {topic}"):
            if self._producer is None:
                self._producer = self._made()
            future = self._producer.send(topic, key=key, value=value, headers=list(headers))
        self._pending.append((future, len(value)))
        self._pending_bytes += len(value)
        if self._pending_bytes > PENDING_BYTES or len(self._pending) > PENDING_MESSAGES:
            self._settle(PENDING_BYTES // 2, PENDING_MESSAGES // 2)

    def flush(self) -> None:
        """Waits until all sent messages are in the log. Raises LogError for any that is not."""
        if self._pending:
            with explained(self._settings, "write to the log"):
                self._producer.flush(timeout=(DELIVERY_MS + PATIENCE_MS) / 1000)
        self._settle(0, 0)

    def written(self) -> tuple[Span, ...]:
        """Returns what is known to be in each partition of the log since the producer was made."""
        return tuple(self._written.values())

    def close(self) -> None:
        """Waits until all sent messages are in the log, then closes the producer. Raises LogError if any is not."""
        try:
            self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Closes the producer without waiting; messages in flight may or may not reach the log."""
        self._pending.clear()
        self._pending_bytes = 0
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=0)
        except ERRORS.KafkaTimeoutError:
            # Even with a timeout of 0 it waits for messages in flight until its sender gives them up.
            producer._sender.force_close()  # noqa: SLF001 - there is no other way
            producer.close(timeout=CLOSING_SECONDS)

    def _made(self) -> Any:
        return client_of(
            CLIENTS.KafkaProducer,
            self._settings,
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            max_request_size=MOST_BYTES,
            delivery_timeout_ms=DELIVERY_MS,
            max_block_ms=DELIVERY_MS,
        )

    def _settle(self, most_bytes: int, most_messages: int) -> None:
        """Waits for the oldest messages until no more than these numbers are in flight. Raises LogError."""
        while self._pending and (self._pending_bytes > most_bytes or len(self._pending) > most_messages):
            future, size = self._pending.popleft()
            self._pending_bytes -= size
            with explained(self._settings, "write to the log"):
                told = future.get(timeout=(DELIVERY_MS + PATIENCE_MS) / 1000)
            at = (told.topic, told.partition)
            before = self._written.get(at)
            self._written[at] = Span(*at, 1, told.offset, told.offset) if before is None else before.joined(told.offset)
