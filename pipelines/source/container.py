"""Walks an Avro object container block by block, so that damage costs only what is damaged.

Polars refuses a whole file for one bad byte, and its reader neither keeps provenance nor joins files. This module finds
the blocks (Avro specification, "Object Container Files") and takes their bodies out; `decode.py` turns many bodies of
one schema into columns at once. Every byte after the header of a file lies in exactly one block or gap. A file that
does not end with a whole sync marker ends in a gap or in a block that is cut.
"""

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final, NamedTuple

import cramjam
import fastavro
import zstandard

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
# A block holds some thousand records of some hundred bytes; no valid one comes near this.
MOST_BODY_BYTES = 536_870_912
# The length within which the header of a file is usually found; one with much metadata is longer.
USUAL_HEADER_BYTES: Final = 65_536
# How far before a sync marker the beginning of its block is searched for if damage hides it.
MOST_SEARCHED_BYTES: Final = 1_048_576
# fastavro leaves three bytes of zlib's checksum after a deflated body.
LEFT_BEHIND: Final = 4
# Whether a body, as it stands in the file, holds exactly this number of records.
Holds = Callable[[bytes, int], bool]
METADATA = {"type": "map", "values": "bytes"}
# The errors raised by bytes that are not Avro, or by Avro with an invalid schema.
UNREADABLE = (
    EOFError,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
    RecursionError,
)


class NotAvro(ValueError):
    """The bytes do not begin as an Avro object container."""


class Packing(NamedTuple):
    """How the bodies of a container are packed: the codec, and the sync marker between them."""

    codec: str
    sync: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a container: writer schema, codec, all metadata, sync marker and where the blocks begin."""

    schema: Any
    codec: str
    metadata: dict[str, bytes]
    sync: bytes
    end: int

    @property
    def packing(self) -> Packing:
        """How the bodies after it are packed."""
        return Packing(self.codec, self.sync)


class Trust(IntEnum):
    """How far the record count in the header of a block can be trusted."""

    # A message that is one event.
    CERTAIN = 0
    # The size is right, and the count is that of all other blocks.
    CONFIRMED = 1
    # The size leads to a sync marker or to another block, or the body was read and holds that count.
    FRAMED = 2
    # The size is right, but no block can have that count: `records` is 0.
    ABSURD = 3
    # The file ends within the body.
    CUT = 4
    # The size leads to no marker or block, so the end of the body is a guess.
    TORN = 5

    @property
    def is_framed(self) -> bool:
        """Whether the size of the block is right and its count is possible."""
        return self <= Trust.FRAMED


@dataclass(frozen=True, slots=True)
class Block:
    """One block: where it begins, where its body begins and ends, and where the next block begins.

    `records` is the count in its header, or 0 for an impossible one, and `first_row` the row of its first record.
    """

    start: int
    body: int
    end: int
    behind: int
    records: int
    first_row: int
    trust: Trust = Trust.FRAMED


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes in which no block could be recognised: an unknown number of records is lost.

    An empty gap follows a sync marker with missing bytes, since whole blocks may be missing there.
    """

    start: int
    behind: int
    records: int = 0


def read_header(data: bytes) -> Header:
    """Returns the header at the beginning of a container. Raises NotAvro if there is no sound one."""
    if data[:4] != MAGIC:
        raise NotAvro("The file is not an Avro object container.")
    length = USUAL_HEADER_BYTES
    while length < len(data):
        try:
            return _header_in(data[:length])
        except NotAvro:
            length *= 16
    return _header_in(data[:])


def _header_in(data: bytes) -> Header:
    stream = io.BytesIO(data)
    stream.seek(4)
    try:
        metadata: Any = fastavro.schemaless_reader(stream, METADATA, None)
        schema = json.loads(metadata["avro.schema"])
        codec = metadata.get("avro.codec", b"null").decode("ascii")
    except UNREADABLE as error:
        raise NotAvro("The file's Avro header cannot be read.") from error
    sync = stream.read(SYNC_BYTES)
    if len(sync) < SYNC_BYTES:
        raise NotAvro("The file's Avro header is cut short.")
    if not any(sync):
        # In a file overwritten with zeros, every 18 of them would pass for a block without records.
        raise NotAvro("The file's sync marker was overwritten with zeros.")
    return Header(schema, codec, metadata, sync, stream.tell())


def _long(data: bytes, at: int) -> tuple[int, int]:
    """Returns a zigzag varint of at most ten bytes and the position after it.

    Raises IndexError if the data ends first or the varint is longer.
    """
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 63:
            raise IndexError("varint too long")


def _claimed(data: bytes, at: int, row: int = 0) -> Block | None:
    """Returns the block that a header at a position claims, whatever follows it; None if no header can be there."""
    try:
        records, body = _long(data, at)
        size, body = _long(data, body)
    except IndexError:
        return None
    if size < 0:
        return None
    end = body + size
    # Every record takes at least a byte, though a well compressed body may take less than a byte for each.
    if 0 < records <= MOST_BODY_BYTES and size:
        return Block(at, body, end, end + SYNC_BYTES, records, row)
    return Block(at, body, end, end + SYNC_BYTES, 0, row, Trust.FRAMED if records == size == 0 else Trust.ABSURD)


@dataclass(slots=True)
class _Walk:
    """A container that is being walked; `marker` is where the sync marker last searched for was found."""

    data: bytes
    sync: bytes
    holds: Holds
    marker: int = -1

    def next_marker(self, at: int) -> int:
        """Returns where the next sync marker begins, or the end of the data if there is no other."""
        if self.marker < at:
            found = self.data.find(self.sync, at)
            self.marker = len(self.data) if found < 0 else found
        return self.marker

    def is_marked(self, block: Block) -> bool:
        return self.data[block.end : block.behind] == self.sync

    def sound(self, at: int, row: int = 0) -> Block | None:
        """Returns the block at a position if its marker or its records confirm where its body ends, else None."""
        block = _claimed(self.data, at, row)
        if block is None or self.is_marked(block):
            return block
        marker = self.next_marker(at)
        if block.end <= marker and self._is_held(block):
            return replace(block, behind=self._behind(block.end))
        # The size may be wrong and the rest right.
        block = replace(block, end=marker, behind=marker + SYNC_BYTES)
        return block if marker < len(self.data) and self._is_held(block) else None

    def _is_held(self, block: Block) -> bool:
        return block.records > 0 and self.holds(self.data[block.body : block.end], block.records)

    def _behind(self, end: int) -> int:
        """Returns where the next block begins after a damaged sync marker, of which bytes may be missing."""
        for skipped in range(SYNC_BYTES, -1, -1):
            block = _claimed(self.data, end + skipped)
            if block is not None and self.is_marked(block):
                return end + skipped
        return min(end + SYNC_BYTES, len(self.data))

    def damaged(self, at: int, row: int) -> Block | Gap:
        """Returns what lies at a position without a sound block, up to where the next one may begin."""
        block, marker = _claimed(self.data, at, row), self.next_marker(at)
        if block is not None and block.end <= marker and self.sound(block.behind) is not None:
            return block
        end, behind = marker, min(marker + SYNC_BYTES, len(self.data))
        found = self._resumed(at, marker) if marker < len(self.data) else None
        if found is not None:
            end = behind = found
        if block is None or block.body > end:
            return Gap(at, behind)
        is_cut = block.end > len(self.data) == marker and block.records > 0
        return replace(block, end=end, behind=behind, trust=Trust.CUT if is_cut else Trust.TORN)

    def _resumed(self, at: int, marker: int) -> int | None:
        """Returns where, after damage, a block begins that ends at the next marker and holds its records, or None."""
        for begin in range(max(at + 1, marker - MOST_SEARCHED_BYTES), marker):
            block = _claimed(self.data, begin)
            if block is not None and block.end == marker and self._is_held(block):
                return begin
        return None


def walk(data: bytes, header: Header, holds: Holds) -> Iterator[Block | Gap]:
    """Yields the blocks and gaps of a container in order; together they are every byte after its header.

    `holds` is called only if the size of a block does not lead to a sync marker.
    """
    walking, at, row = _Walk(data, header.sync, holds), header.end, 0
    while at < len(data):
        found = walking.sound(at, row) or walking.damaged(at, row)
        yield found
        at, row = found.behind, row + found.records
        if isinstance(found, Block) and found.trust.is_framed and found.behind - found.end < SYNC_BYTES:
            yield Gap(at, at)


def weighed(found: Iterable[Block | Gap]) -> list[Block | Gap]:
    """Returns what a walk found, with counts confirmed that are equal in all blocks; the last may have fewer records.

    If a body cannot be read, nothing else tells how many records it held.
    """
    listed = list(found)
    blocks = [one for one in listed if isinstance(one, Block) and one.records and one.trust == Trust.FRAMED]
    *earlier, last = blocks or [None]
    counts = {block.records for block in earlier if block}
    confirmed = {block.start for block in earlier if block and len(counts) == 1 < len(earlier)}
    if last is not None and counts == {last.records}:
        confirmed.add(last.start)
    return [
        replace(one, trust=Trust.CONFIRMED) if isinstance(one, Block) and one.start in confirmed else one
        for one in listed
    ]


class _Plain(NamedTuple):
    """The bytes from a compressed body, whether its end was reached, and how many bytes followed its end."""

    data: bytes
    ended: bool = True
    behind: int = 0


def _deflate(body: bytes, most: int) -> _Plain:
    return _streamed(zlib.decompressobj(-15), body, most)


def _bzip2(body: bytes, most: int) -> _Plain:
    return _streamed(bz2.BZ2Decompressor(), body, most)


def _xz(body: bytes, most: int) -> _Plain:
    return _streamed(lzma.LZMADecompressor(), body, most)


def _streamed(reader: Any, body: bytes, most: int) -> _Plain:
    plain = bytes(reader.decompress(body, most))
    if not reader.eof and len(plain) >= most:
        raise ValueError("more than is allowed")
    return _Plain(plain, reader.eof, len(reader.unused_data))


def _snappy(body: bytes, most: int) -> _Plain:
    # Avro puts a CRC-32 of the plain bytes after a snappy body.
    if cramjam.snappy.decompress_raw_len(body[:-4]) > most:
        raise ValueError("more than is allowed")
    plain = bytes(cramjam.snappy.decompress_raw(body[:-4]))
    if zlib.crc32(plain) != int.from_bytes(body[-4:], "big"):
        raise ValueError("checksum of a snappy block is wrong")
    return _Plain(plain)


def _zstandard(body: bytes, most: int) -> _Plain:
    # This reader has no limit on its output, so it gets little input at a time.
    reader, parts, size, at = zstandard.ZstdDecompressor().decompressobj(), list[bytes](), 0, 0
    while at < len(body) and not reader.eof:
        parts.append(reader.decompress(body[at : at + _ZSTANDARD_STEP]))
        at, size = at + _ZSTANDARD_STEP, size + len(parts[-1])
        if size > most:
            raise ValueError("more than is allowed")
    return _Plain(b"".join(parts), reader.eof, max(0, len(body) - at) + len(reader.unused_data))


def _null(body: bytes, most: int) -> _Plain:
    del most
    return _Plain(body)


_ZSTANDARD_STEP: Final = 4_096
CODECS: Final[dict[str, Callable[[bytes, int], _Plain]]] = {
    "null": _null,
    "deflate": _deflate,
    "bzip2": _bzip2,
    "xz": _xz,
    "snappy": _snappy,
    "zstandard": _zstandard,
}


def plain_body(data: bytes, codec: str, most: int = MOST_BODY_BYTES, *, cut: bool = False) -> bytes | None:
    """Returns the uncompressed body of a block, or None if it cannot be uncompressed or the codec is unknown.

    A compressed body that would come to more than `most` bytes is not uncompressed, since a few kilobytes can be made
    to stand for gigabytes. With `cut`, a body that ends too early returns what comes before the cut.
    """
    try:
        plain = CODECS[codec](data, max(most, 1))
    except (
        KeyError,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        lzma.LZMAError,
        zstandard.ZstdError,
        cramjam.DecompressionError,
    ):
        return None
    # If the size is too large, the body includes what follows it, which may be whole blocks.
    is_whole = plain.ended and plain.behind <= LEFT_BEHIND
    return plain.data if is_whole or cut else None
