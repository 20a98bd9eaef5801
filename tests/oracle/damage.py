"""What is made of a block that may be damaged: its records one by one, the slow obvious way.

A block is good if its bytes are exactly the records that it claims; a record with bad text, or with a number that
its type does not have, is then lost alone. Of any other block the records before the first strange one count, and the
rest is lost: as many as the header says if it can be believed, else an unknown number.
"""

import bz2
import lzma
import zlib
from dataclasses import dataclass
from typing import Any

import cramjam
import zstandard

BAD = object()
UUID_LENGTH = 36
# fastavro leaves three bytes behind what it deflates.
HARMLESS_REST = 4
REFUSED = (
    KeyError,
    ValueError,
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    cramjam.DecompressionError,
)


class NoEnd(Exception):
    """Where a record ends cannot be said."""


class Missing(NoEnd):
    """The bytes end before the record does."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the frame of a block is right ("framed"), cut by the end of the file ("cut") or wrong ("torn").

    `is_usual` says that all other blocks claim as many records.
    """

    frame: str
    is_usual: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The records of a block, how many are lost one by one, how many behind those, and whether that may not be all."""

    events: list[dict[str, Any]]
    bad: int = 0
    lost: int = 0
    more: bool = False


def uncompressed(codec: str, body: bytes) -> tuple[bytes, bool] | None:
    """The plain bytes of a body and whether it ends where it should; None where it is no body of its codec."""
    try:
        if codec == "null":
            return body, True
        if codec == "snappy":
            plain = bytes(cramjam.snappy.decompress_raw(body[:-4]))
            return (plain, True) if zlib.crc32(plain).to_bytes(4, "big") == body[-4:] else None
        makers: dict[str, Any] = {
            "deflate": lambda: zlib.decompressobj(-15),
            "bzip2": bz2.BZ2Decompressor,
            "xz": lzma.LZMADecompressor,
            "zstandard": lambda: zstandard.ZstdDecompressor().decompressobj(),
        }
        reader = makers[codec]()
        plain = bytes(reader.decompress(body))
    except REFUSED:
        return None
    return plain, reader.eof and len(reader.unused_data) <= HARMLESS_REST


def number(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag variable-length integer at a position, and the position after it."""
    end = at
    while end < len(data) and data[end] >= 0x80:
        end += 1
    if min(end, len(data)) - at >= 10:
        raise NoEnd
    if end >= len(data):
        raise Missing
    value = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data[at : end + 1]))
    return (value // 2 if value % 2 == 0 else -(value // 2) - 1), end + 1


def value_of(kind: Any, data: bytes, at: int) -> tuple[Any, int]:
    """The value of an Avro type at a position, BAD where its type has no such value, and the position after it."""
    if isinstance(kind, dict) and kind["type"] != "enum":
        return value_of(kind["type"], data, at)
    if kind == "null":
        return None, at
    if kind == "boolean":
        if at >= len(data):
            raise Missing
        return data[at] == 1, at + 1
    found, at = number(data, at)
    if isinstance(kind, list):
        # Any other number than the first ones stands for the last branch.
        return value_of(kind[found if found in range(len(kind)) else -1], data, at)
    if kind == "string":
        return text(found, data, at)
    return named(kind, found), at


def named(kind: Any, found: int) -> Any:
    """What a number stands for in an enum or in a type of integers, BAD where it is none of theirs."""
    if isinstance(kind, dict):
        symbols = kind["symbols"]
        return symbols[found] if found in range(len(symbols)) else BAD
    bits = {"int": 32, "long": 64}[kind]
    return found if -(2 ** (bits - 1)) <= found < 2 ** (bits - 1) else BAD


def text(length: int, data: bytes, at: int) -> tuple[Any, int]:
    """The text of some bytes, BAD where they are no UTF-8."""
    if length < 0:
        raise NoEnd
    if at + length > len(data):
        raise Missing
    try:
        return data[at : at + length].decode("utf-8"), at + length
    except UnicodeDecodeError:
        return BAD, at + length


@dataclass(slots=True)
class Sequence:
    """The records of plain bytes as far as their ends can be found: each as values (some perhaps BAD) and its start.

    `is_cut` says that the bytes end within a record that has nothing wrong so far, `is_full` that they end with one.
    """

    records: list[dict[str, Any]]
    starts: list[int]
    is_full: bool = False
    is_cut: bool = False


def sequence(schema: dict[str, Any], data: bytes) -> Sequence:
    """All records that can be told from each other."""
    found, at = Sequence([], []), 0
    while at < len(data):
        record: dict[str, Any] = {}
        found.starts.append(at)
        try:
            for field in schema["fields"]:
                record[field["name"]], at = value_of(field["type"], data, at)
        except Missing:
            found.is_cut = good(record) and data[found.starts[-1]] == 2 * UUID_LENGTH
            return found
        except NoEnd:
            return found
        found.records.append(record)
    found.starts.append(at)
    found.is_full = True
    return found


def good(record: dict[str, Any]) -> bool:
    """Whether every value of a record is one that its type has."""
    return all(value is not BAD for value in record.values())


def of_body(schema: dict[str, Any], data: bytes, claimed: int, standing: Standing) -> Found:
    """What is made of the plain bytes of a block that claims so many records."""
    found = sequence(schema, data)
    if standing.frame == "framed" and found.is_full and len(found.records) == claimed:
        kept = [record for record in found.records if good(record)]
        return Found(kept, claimed - len(kept))
    kept = []
    for record, start in zip(found.records, found.starts, strict=False):
        if not good(record) or data[start] != 2 * UUID_LENGTH:
            break
        kept.append(record)
    rest = claimed - len(kept)
    least = rest * (UUID_LENGTH + len(schema["fields"]))
    if standing.frame == "framed":
        is_known = rest > 0 and not found.is_full and len(data) - found.starts[len(kept)] >= least
    else:
        is_known = standing.frame == "cut" and rest > 0 and len(kept) == len(found.records)
        is_known = is_known and len(data) > 0 and (found.is_cut or found.is_full)
    return Found(kept, 0, rest, not standing.is_usual) if is_known else Found(kept, 0, 0, True)


def holds(schema: dict[str, Any], codec: str, body: bytes, claimed: int) -> bool:
    """Whether the bytes of a block are exactly the records that it claims."""
    plain = uncompressed(codec, body)
    if claimed <= 0 or plain is None or not plain[1]:
        return False
    found = sequence(schema, plain[0])
    return found.is_full and len(found.records) == claimed
