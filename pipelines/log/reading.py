"""Reads a fixed range of the log, without a consumer group, in large batches."""

import time
from collections.abc import Iterator
from typing import Any, Final

from pipelines.log.connection import CLIENTS, ERRORS, PATIENCE_MS, KafkaSettings, LogError, consumer_of, explained
from pipelines.log.message import SYNTHETIC_HEADER, Message
from pipelines.log.offsets import Range, partitions_of

MOST_MESSAGES: Final = 5_000
FETCH_BYTES: Final = 8_000_000
POLL_MS: Final = 500


def messages(settings: KafkaSettings, wanted: Range) -> Iterator[list[Message]]:
    """All messages of a range, in order, some thousand at a time. Raises LogError when the broker stays silent."""
    at = CLIENTS.TopicPartition(wanted.topic, wanted.partition)
    with explained(settings, f"read topic {wanted.topic}"):
        consumer = consumer_of(
            settings,
            max_poll_records=MOST_MESSAGES,
            max_partition_fetch_bytes=FETCH_BYTES,
            # What the log no longer holds must not be passed over in silence.
            auto_offset_reset="none",
        )
        try:
            if at not in partitions_of(settings, consumer, wanted.topic):
                raise LogError(f"The topic {wanted.topic} has no partition {wanted.partition}.")
            consumer.assign([at])
            consumer.seek(at, wanted.start)
            yield from _read(consumer, at, wanted)
        except ERRORS.OffsetOutOfRangeError as error:
            raise LogError(f"The log no longer holds all of {wanted.topic} from offset {wanted.start} on.") from error
        finally:
            consumer.close()


def _read(consumer: Any, at: Any, wanted: Range) -> Iterator[list[Message]]:
    heard, reached = time.monotonic(), wanted.start
    while reached < wanted.end:
        records = consumer.poll(timeout_ms=POLL_MS).get(at, [])
        batch = [_message(record) for record in records if record.offset < wanted.end]
        if batch:
            yield batch
        # The position also passes what is no message, such as the marks of transactions.
        position = consumer.position(at, timeout_ms=POLL_MS)
        if position is not None and position > reached:
            heard, reached = time.monotonic(), position
        elif time.monotonic() - heard > PATIENCE_MS / 1000:
            raise LogError(f"The log was silent for {PATIENCE_MS // 1000} s at {wanted.topic}/{wanted.partition}.")


def _message(record: Any) -> Message:
    marked = (SYNTHETIC_HEADER, b"true") in (record.headers or ())
    return Message(record.topic, record.partition, record.offset, record.timestamp, record.value, marked)
