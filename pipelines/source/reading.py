"""Reads a planned packet: bodies out of files, columns out of bodies, one block and its losses out of both."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.block import Block, Loss
from pipelines.decode import Body, Decoded, decode
from pipelines.quarterly.calendar import FIRST_MS, LAST_MS
from pipelines.source import container
from pipelines.source.files import UNDECODABLE, Packet, Piece


@dataclass(frozen=True, slots=True)
class Reading:
    """A block and what of its packet could not be read."""

    block: Block
    losses: tuple[Loss, ...]


def bodies_of(piece: Piece) -> list[Body]:
    """The plain bodies of a piece; a body that cannot be uncompressed is empty and not whole."""
    bodies = []
    with Path(piece.path).open("rb") as file:
        for start, end, records, whole in piece.blocks.tolist():
            file.seek(start)
            data = container.plain_body(file.read(end - start), piece.codec)
            bodies.append(Body(data or b"", records, bool(whole) and data is not None))
    return bodies


def read(packet: Packet, as_at: int | None = None) -> Reading:
    """The block of a packet; with `as_at`, without rows of undated files that were reported later."""
    bodies = [bodies_of(piece) for piece in packet.pieces]
    decoded = decode([body for group in bodies for body in group], packet.version)
    frame = _with_provenance(decoded, packet, [len(group) for group in bodies])
    if as_at is not None:
        frame = _as_at(frame, packet, as_at)
    sane = frame["effective_at"].is_between(FIRST_MS, LAST_MS) & frame["reported_at"].is_between(FIRST_MS, LAST_MS)
    origins = tuple(piece.origin for piece in packet.pieces)
    losses = [*_short(packet, bodies, decoded), *_beyond_calendar(frame.filter(~sane), packet)]
    return Reading(Block(packet.version.record, frame.filter(sane), origins), tuple(losses))


def _with_provenance(decoded: Decoded, packet: Packet, bodies: list[int]) -> pl.DataFrame:
    """The frame with `origin` and `row`; the rows of a body begin where its block begins in the file."""
    starts = np.concatenate([_first_rows(piece) for piece in packet.pieces])
    origins = np.repeat(np.arange(len(packet.pieces), dtype=np.uint32), bodies)
    read = np.array(decoded.read, dtype=np.int64)
    within = np.arange(read.sum()) - np.repeat(np.cumsum(read) - read, read)
    return decoded.frame.with_columns(
        origin=pl.Series(np.repeat(origins, read)),
        row=pl.Series(np.repeat(starts, read) + within),
    )


def _first_rows(piece: Piece) -> npt.NDArray[np.int64]:
    records = piece.blocks[:, 2]
    return piece.first_row + np.cumsum(records) - records


def _as_at(frame: pl.DataFrame, packet: Packet, as_at: int) -> pl.DataFrame:
    undated = [place for place, piece in enumerate(packet.pieces) if piece.origin.received_at is None]
    return frame.filter(~pl.col("origin").is_in(undated) | (pl.col("reported_at") <= as_at))


def _short(packet: Packet, bodies: list[list[Body]], decoded: Decoded) -> list[Loss]:
    """What each file lost to damage, by the counts in its block headers."""
    losses, at = [], 0
    for piece, group in zip(packet.pieces, bodies, strict=True):
        read = decoded.read[at : at + len(group)]
        lost = sum(body.records - got for body, got in zip(group, read, strict=True))
        if lost:
            losses.append(Loss(piece.origin.owner, packet.version.record, UNDECODABLE, piece.origin.path, lost))
        at += len(group)
    return losses


def _beyond_calendar(rows: pl.DataFrame, packet: Packet) -> list[Loss]:
    """Rows with an instant outside the calendar: no quarter and no date can be told of them."""
    return [
        Loss(origin.owner, packet.version.record, UNDECODABLE, f"{origin.path} row {row}", 1)
        for place, row in rows.select("origin", "row").iter_rows()
        for origin in [packet.pieces[place].origin]
    ]
