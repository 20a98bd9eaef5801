"""Offsets: the ends of the log's partitions, and the position of a consumer group."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kafka.structs import OffsetAndMetadata

from pipelines.log.connection import (
    CLIENTS,
    ERRORS,
    KafkaSettings,
    LogError,
    administering,
    consumer_of,
    explained,
    patiently,
)

# For every topic, an offset of each partition (as text, as in JSON).
Offsets = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Range:
    """Messages of one partition, from `start` up to but not including `end`."""

    topic: str
    partition: int
    start: int
    end: int


def ranges(settings: KafkaSettings, topics: Sequence[str]) -> tuple[Range, ...]:
    """Returns all that the partitions of some topics hold now, up to the first open transaction. Raises LogError."""
    with explained(settings, "read topics"):
        consumer = consumer_of(settings)
        try:
            partitions = [at for topic in topics for at in partitions_of(settings, consumer, topic)]
            begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        finally:
            consumer.close()
    return tuple(Range(at.topic, at.partition, begins[at], ends[at]) for at in partitions)


def partitions_of(settings: KafkaSettings, consumer: Any, topic: str) -> list[Any]:
    """Returns the partitions of a topic. Raises LogError if the topic does not exist or is hidden from us."""
    numbers = sorted(consumer.partitions_for_topic(topic) or ())
    if not numbers:
        hidden = f", or {settings.username} may not read it" if settings.username else ""
        raise LogError(f"The log at {settings.bootstrap} has no topic {topic}{hidden}.")
    return [CLIENTS.TopicPartition(topic, number) for number in numbers]


def beyond(offsets: Offsets, held: Iterable[Range]) -> tuple[Range, ...]:
    """Returns the part of each range beyond some offsets; the whole range if its partition has no offset."""
    return tuple(
        replace(one, start=max(one.start, offsets.get(one.topic, {}).get(str(one.partition), one.start)))
        for one in held
    )


def joined(offsets: Offsets, newer: Offsets) -> Offsets:
    """Returns offsets with newer ones in place of older ones."""
    return {topic: offsets.get(topic, {}) | newer.get(topic, {}) for topic in offsets | newer}


def end_offsets(settings: KafkaSettings, topics: Sequence[str]) -> Offsets:
    """Returns the offset at which each partition of some topics ends now. Raises LogError."""
    found: Offsets = {}
    for one in ranges(settings, topics):
        found.setdefault(one.topic, {})[str(one.partition)] = one.end
    return found


def set_group(settings: KafkaSettings, group: str, offsets: Mapping[str, Mapping[str, int]]) -> None:
    """Sets the offsets of a consumer group without members. Raises LogError."""
    wanted = {
        CLIENTS.TopicPartition(topic, int(partition)): OffsetAndMetadata(offset, "", -1)
        for topic, partitions in offsets.items()
        for partition, offset in partitions.items()
    }
    with administering(settings, f"set the offsets of group {group}") as admin:
        patiently(lambda: _alter(admin, group, wanted))


def _alter(admin: Any, group: str, wanted: Mapping[Any, OffsetAndMetadata]) -> None:
    # A partition's error is returned, not raised. Raised here, it is tried again if a new group has no coordinator yet.
    for error in admin.alter_group_offsets(group, wanted).values():
        if error is not ERRORS.NoError:
            raise error


def group_offsets(settings: KafkaSettings, group: str) -> Offsets:
    """Returns the offsets of a consumer group. Raises LogError."""
    with administering(settings, f"read the offsets of group {group}") as admin:
        told = patiently(lambda: admin.list_group_offsets(group))
    found: Offsets = {}
    for at, offset in told.get(group, told).items():
        found.setdefault(at.topic, {})[str(at.partition)] = offset.offset
    return found
