"""Encodes columns of numbers as Avro: bodies of records a column at a time, and containers around them.

Every field becomes a table of bytes (one row a record, as wide as the widest value) and the lengths in use. The tables
side by side, without the unused bytes, are the records' bodies. No loop goes over single records.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.registry import current
from schemas.tables import SYNTHETIC_NOTICE

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

MAGIC: Final = b"Obj\x01"
BLOCK_RECORDS: Final = 5000
# Rows encoded at a time: few enough for their tables to stay in the processor's cache.
_CHUNK: Final = 10_000
_UUID_BYTES: Final = 37
_HYPHENS: Final = (9, 14, 19, 24)
_UUID_PLACES: Final = np.array([p for p in range(1, _UUID_BYTES) if p not in _HYPHENS])
_EUI_BYTES: Final = 24
_HEX_LOWER: Final = np.frombuffer("".join(f"{n:02x}" for n in range(256)).encode(), dtype="<u2")
_HEX_UPPER: Final = np.frombuffer("".join(f"{n:02X}" for n in range(256)).encode(), dtype="<u2")


@dataclass(frozen=True, slots=True)
class Cells:
    """An encoded column: bytes of shape (rows, width), and how many of each row are in use (None: all)."""

    data: Bytes
    used: Ints | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Texts that columns refer to by place; row n of `data` is text n in Avro's encoding, `used` its length."""

    data: Bytes
    used: Ints

    def at(self, places: Array, *, nullable: bool = False) -> Cells:
        """Returns the texts at the places; with `nullable`, a negative place is null."""
        data, used = self.data[places], self.used[places]
        if not nullable:
            return Cells(data, used)
        there = places >= 0
        branch = np.where(there, 2, 0).astype(np.uint8)
        return Cells(np.column_stack([branch, data]), np.where(there, used + 1, 1))


def varint(value: int) -> bytes:
    """Returns a number encoded as an Avro long."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def words(texts: Iterable[str]) -> Words:
    """Encodes texts (shorter than 64 bytes). An empty list of texts becomes one empty text."""
    encoded = [text.encode() for text in texts] or [b""]
    width = max(map(len, encoded))
    data = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in encoded), dtype=np.uint8)
    lengths = np.array([len(text) for text in encoded], dtype=np.int64)
    return byte_words(data.reshape(len(encoded), width), lengths)


def byte_words(data: Bytes, lengths: Ints) -> Words:
    """Encodes texts given as bytes of shape (n, width) with their lengths (below 64)."""
    return Words(np.column_stack([(lengths * 2).astype(np.uint8), data]), lengths + 1)


def longs(values: Array) -> Cells:
    """Encodes whole numbers as zigzag varints."""
    signed = values.astype(np.int64)
    left = ((signed << 1) ^ (signed >> 63)).astype(np.uint64)
    most = int(left.max()) if len(left) else 0
    width = max(1, -(-most.bit_length() // 7))
    data = np.empty((len(left), width), dtype=np.uint8)
    used = np.ones(len(left), dtype=np.int64)
    for place in range(width):
        more = left >= 0x80
        data[:, place] = (left & np.uint64(0x7F)).astype(np.uint8) | more.astype(np.uint8) << 7
        used += more
        left >>= np.uint64(7)
    return Cells(data, None if int(used.min(initial=width)) == width else used)


def nullable(cells: Cells, there: npt.NDArray[np.bool_]) -> Cells:
    """Encodes cells as a union of null and their type; those not `there` are null."""
    data = np.column_stack([np.where(there, 2, 0).astype(np.uint8), cells.data])
    used = cells.data.shape[1] if cells.used is None else cells.used
    return Cells(data, np.where(there, used + 1, 1))


def uuids(high: Array, low: Array) -> Cells:
    """Encodes lower-case uuids, given as halves of 64 bits."""
    numbers = np.column_stack([high, low]).astype(">u8").view(np.uint8)
    data = np.empty((len(high), _UUID_BYTES), dtype=np.uint8)
    data[:, 0] = 72
    data[:, list(_HYPHENS)] = ord("-")
    data[:, _UUID_PLACES] = _HEX_LOWER[numbers].view(np.uint8).reshape(len(high), 32)
    return Cells(data)


def device_ids(numbers: Array) -> Cells:
    """Encodes EUI-64 ids in upper case with hyphens."""
    pairs = _HEX_UPPER[numbers.astype(">u8").view(np.uint8).reshape(-1, 8)].view(np.uint8).reshape(-1, 8, 2)
    data = np.full((len(numbers), 8, 3), ord("-"), dtype=np.uint8)
    data[:, :, :2] = pairs
    flat = data.reshape(-1, 24)[:, :23]
    return Cells(np.column_stack([np.full(len(flat), 46, dtype=np.uint8), flat]))


def case_ids(numbers: Array) -> Cells:
    """Encodes case and appointment numbers as sixteen hexadecimal digits."""
    digits = _HEX_LOWER[numbers.astype(">u8").view(np.uint8).reshape(-1, 8)].view(np.uint8).reshape(-1, 16)
    return Cells(np.column_stack([np.full(len(digits), 32, dtype=np.uint8), digits]))


def _coded(kind: Any, values: Array) -> Cells:
    """Encodes an enum, a boolean or a number, or a union of null with one of them; a negative value means null."""
    if isinstance(kind, list):
        return nullable(_coded(kind[1], np.maximum(values, 0)), values >= 0)
    if kind == "boolean":
        return Cells(values.astype(np.uint8)[:, None])
    if isinstance(kind, dict) and kind["type"] == "enum":
        return Cells((values * 2).astype(np.uint8)[:, None])
    return longs(values)


_BY_NUMBER: Final[dict[str, Callable[[Array], Cells]]] = {
    "device_id": device_ids,
    "hub_id": device_ids,
    "appointment_id": case_ids,
    "case_id": case_ids,
}


def _shouted(ids: Cells, frame: pl.DataFrame) -> Cells:
    """Changes ids to upper case in rows whose column `shout` is not 0; only frames with dirt have that column."""
    if "shout" in frame.columns:
        shouted = (frame["shout"].to_numpy() != 0)[:, None] & (ids.data >= ord("a"))
        ids.data[:, 1:] -= 32 * shouted[:, 1:].astype(np.uint8)
    return ids


def _cells(frame: pl.DataFrame, field: dict[str, Any], lists: dict[str, Words]) -> Cells:
    name, kind = field["name"], field["type"]
    if name == "event_id":
        return _shouted(uuids(frame["event_a"].to_numpy(), frame["event_b"].to_numpy()), frame)
    if name == "corrects":
        high, low = frame["corrects_a"].to_numpy(), frame["corrects_b"].to_numpy()
        there = (high | low) != 0
        return nullable(uuids(high, low), there) if there.any() else Cells(np.zeros((len(high), 1), dtype=np.uint8))
    values = frame[name].to_numpy()
    optional = isinstance(kind, list)
    if name in lists:
        return lists[name].at(values, nullable=optional)
    if name in _BY_NUMBER:
        cells = _BY_NUMBER[name](values)
        return nullable(cells, values != 0) if optional else cells
    return _coded(kind, values)


@dataclass(frozen=True, slots=True)
class Bodies:
    """Bodies of records, one after the other, and the start of each; the last entry of `starts` is the end."""

    data: Bytes
    starts: Ints


def encode(record: str, frame: pl.DataFrame, lists: dict[str, Words]) -> Bodies:
    """Encodes a record's frame in the frame's order; `lists` holds the texts of the columns that are places."""
    fields = current()[record].schema["fields"]
    chunks, lengths = [], []
    for start in range(0, frame.height, _CHUNK):
        part = frame.slice(start, _CHUNK)
        data, used = _rows([_cells(part, field, lists) for field in fields])
        chunks.append(data)
        lengths.append(used)
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return Bodies(np.concatenate(chunks), starts)


def _rows(columns: list[Cells]) -> tuple[Bytes, Ints]:
    """Returns the columns' bytes row by row, and the length of each row."""
    rows = len(columns[0].data)
    widths = [column.data.shape[1] for column in columns]
    table = np.concatenate([column.data for column in columns], axis=1)
    keep = np.ones(table.shape, dtype=bool)
    length = np.zeros(rows, dtype=np.int64)
    at = 0
    for column, width in zip(columns, widths, strict=True):
        if column.used is None:
            length += width
        else:
            keep[:, at : at + width] = np.arange(width) < column.used[:, None]
            length += column.used
        at += width
    return table[keep], length


def header(schema: Any, sync: bytes, metadata: dict[str, str] | None = None) -> bytes:
    """Returns the header of a container of uncompressed blocks, marked as synthetic, with more metadata if given."""
    entries = {
        "avro.codec": "null",
        "avro.schema": json.dumps(schema, separators=(",", ":")),
        "gb.smartmeter.synthetic": "true",
        "gb.smartmeter.notice": SYNTHETIC_NOTICE,
        **(metadata or {}),
    }
    pairs = [part.encode() for pair in entries.items() for part in pair]
    body = b"".join(varint(len(part)) + part for part in pairs)
    return MAGIC + varint(len(entries)) + body + varint(0) + sync


def blocks(bodies: Bodies, first: int, last: int, sync: bytes) -> Iterable[bytes | memoryview]:
    """Yields the blocks of the records from `first` up to but not including `last`, in pieces to be written in turn."""
    data = memoryview(bodies.data)  # pyright: ignore[reportArgumentType]
    for start in range(first, last, BLOCK_RECORDS):
        end = min(start + BLOCK_RECORDS, last)
        begin, stop = int(bodies.starts[start]), int(bodies.starts[end])
        yield varint(end - start) + varint(stop - begin)
        yield data[begin:stop]
        yield sync
