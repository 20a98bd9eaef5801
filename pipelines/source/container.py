"""Walks an Avro object container block by block, so that damage costs only what is damaged.

Polars refuses a whole file for one bad byte, and its reader knows neither provenance nor
joining. This module finds the blocks (Avro specification, "Object Container Files") and
takes their bodies out; `decode.py` turns many bodies of one schema into columns at once.
"""

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import cramjam
import fastavro
import zstandard

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
# A block holds some thousand records of some hundred bytes; no honest one is near this.
MOST_BODY_BYTES = 536_870_912
METADATA = {"type": "map", "values": "bytes"}
# What comes of reading bytes that are no Avro, or Avro of a schema that is none.
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


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a container: writer schema, codec, other metadata, sync marker and where the blocks begin."""

    schema: Any
    codec: str
    metadata: dict[str, bytes]
    sync: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Block:
    """One block: where it begins and ends, the row of its first record in the file, and its record count.

    `whole` is False where the body is cut short or the sync marker behind it is wrong.
    """

    start: int
    body: int
    end: int
    first_row: int
    records: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes in which no block could be recognised: an unknown number of records is lost."""

    start: int
    end: int


def read_header(data: bytes) -> Header:
    """The header at the beginning of a container. Raises NotAvro."""
    if data[:4] != MAGIC:
        raise NotAvro("The file is not an Avro object container.")
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
    return Header(schema, codec, metadata, sync, stream.tell())


def _long(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint of at most ten bytes and the position behind it. Raises IndexError at the end of the data."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 63:
            raise IndexError("varint too long")


def _block_at(data: bytes, at: int, row: int, sync: bytes) -> Block | None:
    """The block that begins at a position, or None where no sensible block header stands."""
    try:
        records, body = _long(data, at)
        size, body = _long(data, body)
    except IndexError:
        return None
    # Every record takes at least one byte in these schemas; a compressed body may be far smaller.
    if records < 0 or size < 0 or records > max(size, 1) * 4096:
        return None
    end = body + size
    if end + SYNC_BYTES <= len(data) and data[end : end + SYNC_BYTES] == sync:
        return Block(at, body, end, row, records)
    return Block(at, body, min(end, len(data)), row, records, whole=False)


def _resume(data: bytes, block: Block | None, at: int, sync: bytes) -> tuple[int, int]:
    """Where the body of a damaged block ends at the latest, and where the walk goes on behind it."""
    if block is not None:
        behind = block.end + SYNC_BYTES
        following = _block_at(data, behind, 0, sync)
        if following is not None and following.whole:
            return block.end, behind
    found = data.find(sync, at)
    return (len(data), len(data)) if found < 0 else (found, found + SYNC_BYTES)


def walk(data: bytes, sync: bytes, at: int, row: int = 0) -> Iterator[Block | Gap]:
    """Blocks of a container from a position on, and the gaps where none could be recognised.

    `row` is the number of the first record there. After damage the walk goes on behind the next sync marker.
    """
    while at < len(data):
        block = _block_at(data, at, row, sync)
        if block is not None and block.whole:
            at = block.end + SYNC_BYTES
            yield block
        else:
            limit, behind = _resume(data, block, at, sync)
            yield Gap(at, behind) if block is None else replace(block, end=min(block.end, limit))
            at = behind
        row += 0 if block is None else block.records


def _deflate(body: bytes, most: int) -> bytes:
    return _whole(zlib.decompressobj(-15), body, most)


def _bzip2(body: bytes, most: int) -> bytes:
    return _whole(bz2.BZ2Decompressor(), body, most)


def _xz(body: bytes, most: int) -> bytes:
    return _whole(lzma.LZMADecompressor(), body, most)


def _whole(reader: Any, body: bytes, most: int) -> bytes:
    plain = bytes(reader.decompress(body, most))
    if not reader.eof:
        raise ValueError("the body is cut short, or more than is let in")
    return plain


def _snappy(body: bytes, most: int) -> bytes:
    # Avro puts a CRC-32 of the plain bytes behind a snappy body.
    if cramjam.snappy.decompress_raw_len(body[:-4]) > most:
        raise ValueError("more than is let in")
    plain = bytes(cramjam.snappy.decompress_raw(body[:-4]))
    if zlib.crc32(plain) != int.from_bytes(body[-4:], "big"):
        raise ValueError("checksum of a snappy block is wrong")
    return plain


def _zstandard(body: bytes, most: int) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(body) as reader:
        plain = reader.read(most + 1)
    if len(plain) > most:
        raise ValueError("more than is let in")
    return plain


def _null(body: bytes, most: int) -> bytes:
    del most
    return body


CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "null": _null,
    "deflate": _deflate,
    "bzip2": _bzip2,
    "xz": _xz,
    "snappy": _snappy,
    "zstandard": _zstandard,
}


def plain_body(data: bytes, codec: str, most: int = MOST_BODY_BYTES) -> bytes | None:
    """The uncompressed body of a block, or None where it cannot be uncompressed or the codec is unknown.

    A compressed body of which more than `most` bytes would come cannot be uncompressed: a few kilobytes may be made
    to stand for gigabytes.
    """
    try:
        return CODECS[codec](data, max(most, 1))
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
