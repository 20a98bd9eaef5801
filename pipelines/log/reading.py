"""Reads a fixed range of the log, without a consumer group, in large batches."""

import time
from collections.abc import Iterator
from typing import Any, Final

from pipelines.log.connection import CLIENTS, PATIENCE_MS, KafkaSettings, LogError, consumer_of, explained
from pipelines.log.message import SYNTHETIC_HEADER, Message
from pipelines.log.offsets import Range

MOST_MESSAGES: Final = 5_000
FETCH_BYTES: Final = 8_000_000
POLL_MS: Final = 500


def messages(settings: KafkaSettings, wanted: Range) -> Iterator[list[Message]]:
    """All messages of a range, in order. Raises LogError when the broker stays silent."""
    at = CLIENTS.TopicPartition(wanted.topic, wanted.partition)
    with explained(settings, f"read topic {wanted.topic}"):
        consumer = consumer_of(settings, max_poll_records=MOST_MESSAGES, max_partition_fetch_bytes=FETCH_BYTES)
        try:
            consumer.assign([at])
            consumer.seek(at, wanted.start)
            yield from _read(consumer, at, wanted)
        finally:
            consumer.close()


def _read(consumer: Any, at: Any, wanted: Range) -> Iterator[list[Message]]:
    heard = time.monotonic()
    # The position also passes what is no message, such as the marks of transactions.
    while consumer.position(at) < wanted.end:
        records = consumer.poll(timeout_ms=POLL_MS).get(at, [])
        if records:
            heard = time.monotonic()
            yield [_message(record) for record in records if record.offset < wanted.end]
        elif time.monotonic() - heard > PATIENCE_MS / 1000:
            raise LogError(f"The log was silent for {PATIENCE_MS // 1000} s at {wanted.topic}/{wanted.partition}.")


def _message(record: Any) -> Message:
    marked = (SYNTHETIC_HEADER, b"true") in (record.headers or ())
    return Message(record.topic, record.partition, record.offset, record.timestamp, record.value, marked)
