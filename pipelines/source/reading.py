"""Reads a planned packet: bodies from files, columns from bodies, and from both one block and its losses.

Files share `assemble` with messages of the Kafka log (`messages.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.events.block import Block, Loss, Origin, provenance
from pipelines.events.calendar import FIRST_MS, LAST_MS
from pipelines.source import container
from pipelines.source.container import Trust
from pipelines.source.decode import Decoded, Fault, decode
from pipelines.source.files import UNDECODABLE, Packet, Piece
from pipelines.source.salvage import Body
from schemas.registry import RecordSchema

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A block, and the losses of what could not be read for it."""

    block: Block
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """Where bodies lie: for each, the position of its origin in `origins` and the row of its first record there.

    Bodies from Kafka also have `offset`, the message's, and `received_at`, the broker's time in milliseconds; files
    have neither.
    """

    origins: tuple[Origin, ...]
    origin: Ints
    first_row: Ints
    offset: Ints | None = None
    received_at: Ints | None = None


def bodies_of(piece: Piece) -> list[Body]:
    """Returns the plain bodies of a piece."""
    bodies = []
    with Path(piece.path).open("rb") as file:
        for start, end, records, trust in piece.blocks.tolist():
            file.seek(start)
            bodies.append(body_of(file.read(end - start), piece.packing, records, Trust(trust)))
    return bodies


def body_of(
    raw: bytes, packing: container.Packing, records: int, trust: Trust, most: int = container.MOST_BODY_BYTES
) -> Body:
    """Returns the plain body of a block, of at most `most` bytes, with the count in its header and the trust in it."""
    data = container.plain_body(raw, packing.codec, most, cut=trust == Trust.CUT)
    # If the size is too large, the body includes the next blocks, which the count does not cover.
    takes_in_more = data is None and packing.sync in raw
    return Body(data or b"", records, Trust.TORN if takes_in_more else trust, data is not None)


def read(packet: Packet, as_at: int | None = None) -> Reading:
    """Returns the block of a packet; with `as_at`, without rows of undated files that were reported later."""
    bodies = [bodies_of(piece) for piece in packet.pieces]
    places = Places(
        tuple(piece.origin for piece in packet.pieces),
        np.repeat(np.arange(len(bodies)), [len(group) for group in bodies]),
        np.concatenate([_first_rows(piece) for piece in packet.pieces]),
    )
    return assemble(packet.version, [body for group in bodies for body in group], places, as_at)


def _first_rows(piece: Piece) -> Ints:
    records = piece.blocks[:, 2]
    return piece.first_row + np.cumsum(records) - records


def assemble(version: RecordSchema, bodies: Sequence[Body], places: Places, as_at: int | None = None) -> Reading:
    """Returns the block of bodies of one schema version, and their losses; see `Places`.

    With `as_at` (milliseconds), excludes what the broker received later and, from undated files, what was reported
    later.
    """
    decoded = decode(bodies, version)
    frame = _with_provenance(decoded, places)
    if as_at is not None:
        frame = _as_at(frame, places.origins, as_at)
    sane = frame["effective_at"].is_between(FIRST_MS, LAST_MS) & frame["reported_at"].is_between(FIRST_MS, LAST_MS)
    losses = [*_lost(version, decoded, places), *_beyond_calendar(version, frame.filter(~sane), places)]
    return Reading(Block(version.record, frame.filter(sane), places.origins), tuple(losses))


def _with_provenance(decoded: Decoded, places: Places) -> pl.DataFrame:
    """Returns the frame with its columns of provenance; a body's rows count from its first row."""
    read = np.array(decoded.read, dtype=np.int64)
    begins = np.cumsum(read) - read
    within = np.arange(read.sum()) - np.repeat(begins, read)
    for fault in decoded.faults:
        first, rows = begins[fault.place], read[fault.place]
        within[first : first + rows] = np.delete(np.arange(rows + len(fault.bad)), fault.bad)
    columns = {
        "origin": pl.Series(np.repeat(places.origin, read), dtype=pl.UInt32),
        "row": pl.Series(np.repeat(places.first_row, read) + within),
    }
    if places.offset is not None and places.received_at is not None:
        columns["offset"] = pl.Series(np.repeat(places.offset, read))
        columns["received_at"] = pl.Series(np.repeat(places.received_at, read))
    return decoded.frame.with_columns(**columns)


def _as_at(frame: pl.DataFrame, origins: tuple[Origin, ...], as_at: int) -> pl.DataFrame:
    if "received_at" in frame.columns:
        return frame.filter(pl.col("received_at") <= as_at)
    undated = [place for place, origin in enumerate(origins) if origin.received_at is None]
    return frame.filter(~pl.col("origin").is_in(undated) | (pl.col("reported_at") <= as_at))


def _lost(version: RecordSchema, decoded: Decoded, places: Places) -> list[Loss]:
    """Returns what each file or message lost to damage: records by row, numbers of records, and unknown numbers."""
    named: list[Loss] = []
    counted: dict[tuple[str, str], int] = {}
    for fault in decoded.faults:
        owner, at = _lies(fault, places)
        first = int(places.first_row[fault.place])
        named += [Loss(owner, version.record, UNDECODABLE, f"{at} row {first + row}", 1) for row in fault.bad]
        if fault.more:
            named.append(Loss(owner, version.record, UNDECODABLE, at, None))
        if fault.lost:
            counted[owner, at] = counted.get((owner, at), 0) + fault.lost
    return [*named, *(Loss(owner, version.record, UNDECODABLE, at, lost) for (owner, at), lost in counted.items())]


def _lies(fault: Fault, places: Places) -> tuple[str, str]:
    """Returns the owner of a faulty body, and the file or message in which it lies."""
    origin = places.origins[int(places.origin[fault.place])]
    message = "" if places.offset is None else f"/{places.offset[fault.place]}"
    return origin.owner, origin.path + message


def _beyond_calendar(version: RecordSchema, rows: pl.DataFrame, places: Places) -> list[Loss]:
    """Returns a loss for each row with an instant outside the calendar, which has no quarter or date."""
    lies = provenance(places.origins, rows).to_list()
    owners = [places.origins[at].owner for at in rows["origin"].to_list()]
    return [Loss(owner, version.record, UNDECODABLE, at, 1) for owner, at in zip(owners, lies, strict=True)]
