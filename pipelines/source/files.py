"""Reads the headers and block headers of event files, and plans blocks of up to 100,000 events.

Planning reads a few bytes of every Avro block and nothing of its body unless the block does
not end where it should, so the number of events and the work are known before the run begins.
"""

import functools
import mmap
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipelines.events.block import BLOCK_ROWS, Loss, Origin
from pipelines.events.calendar import instant_ms, is_in_calendar
from pipelines.source import container, decode, salvage
from pipelines.source.finding import InputError, find
from pipelines.source.names import escaped, owner_of, provenances
from schemas.registry import RecordSchema, by_fingerprint

RECEIVED_AT: Final = "received_at"
# More digits than these are no instant of any calendar.
MILLISECONDS: Final = re.compile(r"-?[0-9]{1,18}")
SYNTHETIC: Final = "gb.smartmeter.synthetic"
UNDECODABLE: Final = "UNDECODABLE"
UNKNOWN_SCHEMA: Final = "UNKNOWN_SCHEMA"
# What a body may come to that is read to find out where its block ends.
MOST_JUDGED_BYTES: Final = 67_108_864


@dataclass(frozen=True, slots=True)
class Piece:
    """Some Avro blocks of one file. `blocks` has a row for each: start and end of its body, records, `Trust`."""

    path: str
    origin: Origin
    packing: container.Packing
    first_row: int
    blocks: npt.NDArray[np.int64]

    @property
    def records(self) -> int:
        """Records by the block headers."""
        return int(self.blocks[:, 2].sum())


@dataclass(frozen=True, slots=True)
class Packet:
    """What makes up one block: pieces whose files share one schema version."""

    version: RecordSchema
    pieces: tuple[Piece, ...]

    @property
    def records(self) -> int:
        """Records by the block headers."""
        return sum(piece.records for piece in self.pieces)


@dataclass(slots=True)
class Plan:
    """The work: packets, what is lost before it begins, and what the files say of themselves."""

    packets: list[Packet] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    files: int = 0
    dated_files: int = 0
    synthetic_files: int = 0

    @property
    def records(self) -> int:
        """Records in all packets, by the block headers."""
        return sum(packet.records for packet in self.packets)

    @property
    def synthetic(self) -> bool:
        """Whether every readable file says that it is synthetic."""
        return 0 < self.synthetic_files == self.files - self.unreadable

    unreadable: int = 0


def find_files(inputs: Iterable[Path]) -> list[Path]:
    """The event files among and under paths (see `finding`). Raises InputError."""
    return list(find(inputs).files)


def plan(files: Iterable[Path], as_at: int | None = None) -> Plan:
    """Plans the work over files; with `as_at` (milliseconds), without files received later. Raises InputError."""
    made, listed = Plan(), list(files)
    pieces: dict[RecordSchema, list[Piece]] = {}
    for path, provenance in zip(listed, provenances(listed), strict=True):
        made.files += 1
        for version, piece in _pieces(path, Origin(provenance, owner_of(path)), made, as_at):
            pieces.setdefault(version, []).append(piece)
    for version, of_version in pieces.items():
        made.packets += _packets(version, of_version)
    return made


def _packets(version: RecordSchema, pieces: list[Piece]) -> Iterator[Packet]:
    """Joins pieces, in order, into packets of at most BLOCK_ROWS records where the pieces allow it."""
    batch: list[Piece] = []
    rows = 0
    for piece in pieces:
        if batch and rows + piece.records > BLOCK_ROWS:
            yield Packet(version, tuple(batch))
            batch, rows = [], 0
        batch.append(piece)
        rows += piece.records
    if batch:
        yield Packet(version, tuple(batch))


def _pieces(path: Path, origin: Origin, made: Plan, as_at: int | None) -> Iterator[tuple[RecordSchema, Piece]]:
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise container.NotAvro("The file is empty.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield from _pieces_in(data, path, origin, made, as_at)
    except container.NotAvro:
        made.unreadable += 1
        made.losses.append(Loss(origin.owner, "", UNDECODABLE, origin.path, None))
    except OSError as error:
        raise InputError(f"The file {escaped(path)} cannot be read: {error.strerror}.") from error


def received_ms(metadata: dict[str, bytes]) -> int | None:
    """When a container says that it was received, in milliseconds since 1970; None if it does not say.

    It says so in milliseconds or as a time with its zone (ISO 8601), and in the years that have a calendar.
    """
    text = metadata.get(RECEIVED_AT, b"").decode("utf-8", "replace").strip()
    instant = int(text) if MILLISECONDS.fullmatch(text) else _moment_ms(text)
    return instant if instant is not None and is_in_calendar(instant) else None


def _moment_ms(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else instant_ms(moment)


def version_of(schema: Any) -> RecordSchema | None:
    """The version of ours that a writer schema is (names of enum types aside), or None."""
    if not isinstance(schema, dict) or schema.get("type") != "record":
        return None
    try:
        text = decode.structure(schema)
    except (KeyError, TypeError, IndexError, RecursionError):
        return None
    return _known_structures().get(text)


@functools.cache
def _known_structures() -> dict[str, RecordSchema]:
    return {decode.structure(version.schema): version for version in by_fingerprint().values()}


def _pieces_in(
    data: Any, path: Path, origin: Origin, made: Plan, as_at: int | None
) -> Iterator[tuple[RecordSchema, Piece]]:
    header = container.read_header(data)
    received = received_ms(header.metadata)
    made.synthetic_files += header.metadata.get(SYNTHETIC) == b"true"
    made.dated_files += received is not None
    if as_at is not None and received is not None and received > as_at:
        return
    version = version_of(header.schema)
    found = container.weighed(container.walk(data, header, judge(header, version)))
    blocks = [block for block in found if isinstance(block, container.Block)]
    gaps = len(found) - len(blocks)
    made.losses += [Loss(origin.owner, _name(version), UNDECODABLE, origin.path, None)] * gaps
    if version is None:
        lost = losses_by_headers(blocks)
        made.losses += [Loss(origin.owner, "", UNKNOWN_SCHEMA, origin.path, records) for records in lost]
        return
    whole = Origin(origin.path, origin.owner, received)
    for group in _groups([block for block in blocks if block.records or not block.trust.is_framed]):
        table = np.array([(b.body, b.end, b.records, b.trust) for b in group], dtype=np.int64)
        yield version, Piece(str(path), whole, header.packing, group[0].first_row, table)


def judge(header: container.Header, version: RecordSchema | None) -> container.Holds:
    """Whether a body of a container holds exactly a number of records; never where its schema is not known."""

    def holds(body: bytes, records: int) -> bool:
        plain = None if version is None else container.plain_body(body, header.codec, MOST_JUDGED_BYTES)
        return version is not None and plain is not None and salvage.holds(plain, records, version)

    return holds


def losses_by_headers(blocks: list[container.Block]) -> list[int | None]:
    """The records of blocks that nobody can read: one number by the headers, and None for each that tells none."""
    counted = [block for block in blocks if block.trust.is_framed]
    unknown: list[int | None] = [None] * (len(blocks) - len(counted))
    return [sum(block.records for block in counted), *unknown]


def _name(version: RecordSchema | None) -> str:
    return "" if version is None else version.record


def _groups(blocks: list[container.Block]) -> Iterator[list[container.Block]]:
    """Runs of blocks of at most BLOCK_ROWS records (or one block that is larger)."""
    group: list[container.Block] = []
    rows = 0
    for block in blocks:
        if group and rows + block.records > BLOCK_ROWS:
            yield group
            group, rows = [], 0
        group.append(block)
        rows += block.records
    if group:
        yield group
