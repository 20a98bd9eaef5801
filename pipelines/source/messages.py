"""Turns messages of the Kafka log into blocks: single-object events, or whole blocks as object containers.

All messages of one schema version become one block. A message that cannot be used loses only itself.
"""

import functools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pipelines.events.block import Block, Loss, Origin
from pipelines.log.message import Message
from pipelines.log.topics import owner_of
from pipelines.source import container
from pipelines.source.container import Trust
from pipelines.source.files import SYNTHETIC, UNDECODABLE, UNKNOWN_SCHEMA, judge, losses_by_headers, version_of
from pipelines.source.reading import Places, assemble, body_of
from pipelines.source.salvage import Body
from schemas.registry import HEADER_BYTES, SINGLE_OBJECT_MARKER, RecordSchema, by_fingerprint

# The most that the blocks of one message may hold; a message of 1,000 events has some 200,000 bytes.
MOST_PLAIN_BYTES: Final = 67_108_864


@dataclass(frozen=True, slots=True)
class Formed:
    """The blocks made of messages, one for each schema version, and what was lost.

    `unmarked` is the number of messages of each owner that are not marked as synthetic.
    """

    blocks: tuple[Block, ...]
    losses: tuple[Loss, ...]
    unmarked: Mapping[str, int]


@dataclass(slots=True)
class _Bodies:
    """Bodies of one schema version; `places` has the position of the origin, first row, offset and time of each."""

    bodies: list[Body] = field(default_factory=list)
    places: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Forming:
    """What is gathered while messages are read."""

    origins: dict[tuple[str, int], int] = field(default_factory=dict)
    versions: dict[RecordSchema, _Bodies] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    unmarked: Counter[str] = field(default_factory=Counter)

    def origin(self, message: Message) -> int:
        return self.origins.setdefault((message.topic, message.partition), len(self.origins))

    def mark(self, message: Message, header: Mapping[str, bytes] | None = None) -> None:
        if not (message.synthetic or (header or {}).get(SYNTHETIC) == b"true"):
            self.unmarked[owner_of(message.topic)] += 1

    def lose(self, message: Message, reason: str, record: str, records: int | None) -> None:
        at = f"{message.topic}/{message.partition}/{message.offset}"
        self.losses.append(Loss(owner_of(message.topic), record, reason, at, records))


def form(messages: Sequence[Message], as_at: int | None = None) -> Formed:
    """Returns the blocks of messages and what could not be used of them.

    With `as_at` (milliseconds), messages that the broker received later are excluded.
    """
    forming = _Forming()
    known = by_fingerprint()
    for message in messages:
        value = message.value or b""
        if as_at is not None and message.received_at > as_at:
            continue
        if value[:2] != SINGLE_OBJECT_MARKER:
            _take_container(message, value, forming)
            continue
        forming.mark(message)
        version = known.get(value[2:HEADER_BYTES])
        if version is None:
            forming.lose(message, UNKNOWN_SCHEMA, "", 1)
            continue
        listed = forming.versions.setdefault(version, _Bodies())
        listed.bodies.append(Body(value[HEADER_BYTES:], 1, Trust.CERTAIN))
        listed.places.append((forming.origin(message), 0, message.offset, message.received_at))
    return _formed(forming)


def _take_container(message: Message, value: bytes, forming: _Forming) -> None:
    try:
        header = container.read_header(value)
    except container.NotAvro:
        forming.mark(message)
        forming.lose(message, UNDECODABLE, "", None)
        return
    forming.mark(message, header.metadata)
    version = _version(header.metadata["avro.schema"])
    record = "" if version is None else version.record
    found = container.weighed(container.walk(value, header, judge(header, version)))
    blocks = [block for block in found if isinstance(block, container.Block)]
    for _ in range(len(found) - len(blocks)):
        forming.lose(message, UNDECODABLE, record, None)
    if version is None:
        for records in losses_by_headers(blocks):
            forming.lose(message, UNKNOWN_SCHEMA, "", records)
        return
    listed, origin = forming.versions.setdefault(version, _Bodies()), forming.origin(message)
    left = MOST_PLAIN_BYTES
    for block in blocks:
        body = body_of(value[block.body : block.end], header.packing, block.records, block.trust, left)
        left -= len(body.data)
        listed.bodies.append(body)
        listed.places.append((origin, block.first_row, message.offset, message.received_at))


@functools.lru_cache(maxsize=256)
def _version(schema: bytes) -> RecordSchema | None:
    # Senders repeat their schema in every message; working out which version it is costs more than reading the events.
    return version_of(json.loads(schema))


def _formed(forming: _Forming) -> Formed:
    origins = tuple(Origin(f"{topic}/{partition}", owner_of(topic)) for topic, partition in forming.origins)
    blocks: list[Block] = []
    for version, listed in forming.versions.items():
        origin, first_row, offset, received = np.array(listed.places, dtype=np.int64).reshape(-1, 4).T
        reading = assemble(version, listed.bodies, Places(origins, origin, first_row, offset, received))
        blocks.append(reading.block)
        forming.losses += reading.losses
    return Formed(tuple(blocks), tuple(forming.losses), forming.unmarked)
