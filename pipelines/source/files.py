"""Reads the headers and block headers of event files, and plans blocks of up to 100,000 events.

Planning reads a few bytes of every Avro block, and its body only if the block does not end where it should, so the
number of events and the work are known before the run begins.
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
# A number with more digits lies outside the calendar.
MILLISECONDS: Final = re.compile(r"-?[0-9]{1,18}")
SYNTHETIC: Final = "gb.smartmeter.synthetic"
UNDECODABLE: Final = "UNDECODABLE"
UNKNOWN_SCHEMA: Final = "UNKNOWN_SCHEMA"
# The largest plain body that is read to find out where its block ends.
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
        """The number of records by the block headers."""
        return int(self.blocks[:, 2].sum())


@dataclass(frozen=True, slots=True)
class Packet:
    """The pieces that make up one block; their files share one schema version."""

    version: RecordSchema
    pieces: tuple[Piece, ...]

    @property
    def records(self) -> int:
        """The number of records by the block headers."""
        return sum(piece.records for piece in self.pieces)


@dataclass(slots=True)
class Plan:
    """The planned work: packets, what is lost already, and how many files there are of each kind."""

    packets: list[Packet] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    files: int = 0
    dated_files: int = 0
    synthetic_files: int = 0

    @property
    def records(self) -> int:
        """The number of records in all packets, by the block headers."""
        return sum(packet.records for packet in self.packets)

    @property
    def synthetic(self) -> bool:
        """Whether there is a readable file, and all such files are marked as synthetic."""
        return 0 < self.synthetic_files == self.files - self.unreadable

    unreadable: int = 0


def find_files(inputs: Iterable[Path]) -> list[Path]:
    """Returns the event files among and under paths (see `finding`). Raises InputError."""
    return list(find(inputs).files)


def plan(files: Iterable[Path], as_at: int | None = None) -> Plan:
    """Plans the work over files. Raises InputError if a file cannot be read.

    With `as_at` (milliseconds), files received later are excluded.
    """
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
    """Yields packets of at most BLOCK_ROWS records, joined from pieces in order; a larger piece is a packet itself."""
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
    """Returns when a container says that it was received, in milliseconds since 1970; None if it does not say.

    The text is in milliseconds, or a time with its zone (ISO 8601), and counts only if it lies in the calendar.
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
    """Returns our version of a writer schema (names of enum types aside), or None if there is no such version."""
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
    """Returns a check whether a body holds exactly a number of records; it fails if the schema is unknown."""

    def holds(body: bytes, records: int) -> bool:
        plain = None if version is None else container.plain_body(body, header.codec, MOST_JUDGED_BYTES)
        return version is not None and plain is not None and salvage.holds(plain, records, version)

    return holds


def losses_by_headers(blocks: list[container.Block]) -> list[int | None]:
    """Returns the losses for unreadable blocks: one number by the headers, and None for each without a count."""
    counted = [block for block in blocks if block.trust.is_framed]
    unknown: list[int | None] = [None] * (len(blocks) - len(counted))
    return [sum(block.records for block in counted), *unknown]


def _name(version: RecordSchema | None) -> str:
    return "" if version is None else version.record


def _groups(blocks: list[container.Block]) -> Iterator[list[container.Block]]:
    """Yields runs of blocks of at most BLOCK_ROWS records (or one block that is larger)."""
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
