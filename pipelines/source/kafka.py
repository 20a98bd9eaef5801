"""Plans a bounded read of the Kafka log: fixed ranges of offsets, put together into packets of about equal work."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines.events.block import Loss
from pipelines.log.connection import KafkaSettings
from pipelines.log.message import Message
from pipelines.log.offsets import Range, ranges
from pipelines.log.reading import messages
from pipelines.log.topics import topic_ids
from pipelines.source import container
from pipelines.source.messages import Formed, form

PACKET_RECORDS: Final = 200_000


@dataclass(frozen=True, slots=True)
class LogPacket:
    """Some ranges of the log that are read and judged together, and about how many records they hold."""

    ranges: tuple[Range, ...]
    records: int


@dataclass(frozen=True, slots=True)
class LogPlan:
    """A bounded read of the log: its whole ranges, and the same ranges cut and joined into packets.

    `topic_ids` are those of the topics read. `records` is an estimate from the first message of each range, used to
    spread the work.
    """

    settings: KafkaSettings
    ranges: tuple[Range, ...]
    packets: list[LogPacket]
    topic_ids: dict[str, str]
    losses: list[Loss] = field(default_factory=list)

    @property
    def records(self) -> int:
        """About how many records the log holds."""
        return sum(packet.records for packet in self.packets)

    @property
    def offsets(self) -> dict[str, dict[str, int]]:
        """For each topic and partition (as text), the first offset that is not read."""
        found: dict[str, dict[str, int]] = {}
        for one in self.ranges:
            found.setdefault(one.topic, {})[str(one.partition)] = one.end
        return found


def plan_log(settings: KafkaSettings, topics: Sequence[str]) -> LogPlan:
    """Plans the read of some topics up to the present end of each partition. Raises LogError."""
    # Read before the offsets, so that a topic that is made again in between has its older id here.
    ids = topic_ids(settings)
    whole = ranges(settings, topics)
    pieces = [piece for one in whole if one.end > one.start for piece in _pieces(settings, one)]
    return LogPlan(settings, whole, list(_packets(pieces)), {topic: ids[topic] for topic in topics if topic in ids})


def _pieces(settings: KafkaSettings, whole: Range) -> Iterator[LogPacket]:
    each = _records_a_message(settings, whole)
    step = max(1, PACKET_RECORDS // each)
    for start in range(whole.start, whole.end, step):
        end = min(start + step, whole.end)
        yield LogPacket((Range(whole.topic, whole.partition, start, end),), (end - start) * each)


def _records_a_message(settings: KafkaSettings, whole: Range) -> int:
    """Returns how many records the first message claims; 1 if it is a single event or claims none."""
    first = next((message.value or b"" for batch in messages(settings, whole) for message in batch), b"")
    try:
        header = container.read_header(first)
    except container.NotAvro:
        return 1
    return max(1, sum(found.records for found in container.walk(first, header, lambda *_: False)))


def _packets(pieces: Iterable[LogPacket]) -> Iterator[LogPacket]:
    """Yields packets of up to PACKET_RECORDS, joined from small pieces in order."""
    batch: list[Range] = []
    records = 0
    for piece in pieces:
        if batch and records + piece.records > PACKET_RECORDS:
            yield LogPacket(tuple(batch), records)
            batch, records = [], 0
        batch += piece.ranges
        records += piece.records
    if batch:
        yield LogPacket(tuple(batch), records)


def read_log(settings: KafkaSettings, packet: LogPacket, as_at: int | None) -> Formed:
    """Returns the blocks of a packet's messages, and what could not be used of them. Raises LogError."""
    listed: list[Message] = []
    for one in packet.ranges:
        for batch in messages(settings, one):
            listed += batch
    return form(listed, as_at)
