"""Reads fixed ranges of the log, without a consumer group. Only committed messages are read."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from pipelines.log.connection import CLIENTS, ERRORS, PATIENCE_MS, KafkaSettings, LogError, consumer_of, explained
from pipelines.log.message import SYNTHETIC_HEADER, Message
from pipelines.log.offsets import Range, partitions_of
from pipelines.log.polling import POLL_MS, polled

MOST_MESSAGES: Final = 5_000
FETCH_BYTES: Final = 8_000_000
# Enough for the first message of a partition; a larger batch is still fetched whole.
FIRST_BYTES: Final = 65_536
# A partition that returns neither messages nor marks for this time is assumed to hold messages.
QUIET_SECONDS: Final = 2.0


def messages(settings: KafkaSettings, wanted: Range) -> Iterator[list[Message]]:
    """Yields all messages of a range in order, some thousand at a time. Raises LogError if the broker stays silent.

    Also raises LogError if the partition does not exist or the log no longer holds the start of the range.
    """
    at = CLIENTS.TopicPartition(wanted.topic, wanted.partition)
    with explained(settings, f"read topic {wanted.topic}"):
        try:
            with _reading_at(settings, {at: wanted.start}, FETCH_BYTES) as consumer:
                if at not in partitions_of(settings, consumer, wanted.topic):
                    raise LogError(f"The topic {wanted.topic} has no partition {wanted.partition}.")
                yield from _read(consumer, wanted)
        except ERRORS.OffsetOutOfRangeError as error:
            raise LogError(f"The log no longer holds all of {wanted.topic} from offset {wanted.start} on.") from error


@contextmanager
def _reading_at(settings: KafkaSettings, starts: Mapping[Any, int], fetch_bytes: int) -> Generator[Any]:
    """Yields a consumer placed at an offset in each of some partitions."""
    consumer = consumer_of(
        settings,
        max_poll_records=MOST_MESSAGES,
        max_partition_fetch_bytes=fetch_bytes,
        # Messages that the log no longer holds must not be skipped silently.
        auto_offset_reset="none",
    )
    try:
        consumer.assign(list(starts))
        for at, offset in starts.items():
            consumer.seek(at, offset)
        yield consumer
    finally:
        consumer.close()


def _read(consumer: Any, wanted: Range) -> Iterator[list[Message]]:
    at = CLIENTS.TopicPartition(wanted.topic, wanted.partition)
    heard, reached = time.monotonic(), wanted.start
    while reached < wanted.end:
        batch = [_message(record) for record in polled(consumer).get(at, []) if record.offset < wanted.end]
        if batch:
            yield batch
        # The position also moves past entries that are not messages, such as transaction marks.
        position = consumer.position(at, timeout_ms=POLL_MS)
        if position is not None and position > reached:
            heard, reached = time.monotonic(), position
        elif time.monotonic() - heard > PATIENCE_MS / 1000:
            raise LogError(f"The log was silent for {PATIENCE_MS // 1000} s at {wanted.topic}/{wanted.partition}.")


def unread(settings: KafkaSettings, ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Returns the ranges that hold messages, each from its first message on. Raises LogError.

    Ranges that are empty or hold only transaction marks are dropped.
    """
    rest = {CLIENTS.TopicPartition(one.topic, one.partition): one for one in ranges if one.start < one.end}
    if not rest:
        return ()
    with (
        explained(settings, "read the log"),
        _reading_at(settings, {at: one.start for at, one in rest.items()}, FIRST_BYTES) as consumer,
    ):
        return tuple(_firsts(consumer, rest))


def _firsts(consumer: Any, rest: dict[Any, Range]) -> Iterator[Range]:
    """Yields each range that holds a message, from its first message on; one that stays silent is yielded whole."""
    heard = time.monotonic()
    while rest and time.monotonic() - heard < QUIET_SECONDS:
        found = {at: records[0].offset for at, records in polled(consumer).items() if records}
        for at in list(rest):
            first = found.get(at, consumer.position(at, timeout_ms=POLL_MS))
            if at not in found and (first is None or first < rest[at].end):
                continue
            heard, one = time.monotonic(), rest.pop(at)
            consumer.pause(at)
            if first < one.end:
                yield replace(one, start=first)
    yield from rest.values()


def _message(record: Any) -> Message:
    marked = (SYNTHETIC_HEADER, b"true") in (record.headers or ())
    return Message(record.topic, record.partition, record.offset, record.timestamp, record.value, marked)
