"""Offsets: how far the log goes, and where a consumer group stands."""

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
    """Messages of one partition: from `start` up to, exclusively, `end`."""

    topic: str
    partition: int
    start: int
    end: int


def ranges(settings: KafkaSettings, topics: Sequence[str]) -> tuple[Range, ...]:
    """All that the partitions of some topics hold now, up to the first transaction under way. Raises LogError."""
    with explained(settings, "read topics"):
        consumer = consumer_of(settings)
        try:
            partitions = [at for topic in topics for at in partitions_of(settings, consumer, topic)]
            begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        finally:
            consumer.close()
    return tuple(Range(at.topic, at.partition, begins[at], ends[at]) for at in partitions)


def partitions_of(settings: KafkaSettings, consumer: Any, topic: str) -> list[Any]:
    """The partitions of a topic. Raises LogError for a topic that is not there, or not for us to see."""
    numbers = sorted(consumer.partitions_for_topic(topic) or ())
    if not numbers:
        hidden = f", or {settings.username} may not read it" if settings.username else ""
        raise LogError(f"The log at {settings.bootstrap} has no topic {topic}{hidden}.")
    return [CLIENTS.TopicPartition(topic, number) for number in numbers]


def beyond(offsets: Offsets, held: Iterable[Range]) -> tuple[Range, ...]:
    """What partitions hold beyond some offsets; all of a partition of which the offsets say nothing."""
    return tuple(
        replace(one, start=max(one.start, offsets.get(one.topic, {}).get(str(one.partition), one.start)))
        for one in held
    )


def joined(offsets: Offsets, newer: Offsets) -> Offsets:
    """Offsets with newer ones in place of older."""
    return {topic: offsets.get(topic, {}) | newer.get(topic, {}) for topic in offsets | newer}


def end_offsets(settings: KafkaSettings, topics: Sequence[str]) -> Offsets:
    """Where each partition of some topics ends now. Raises LogError."""
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
    # What is wrong with a partition is returned, not raised; a group that has just begun may yet find its coordinator.
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
