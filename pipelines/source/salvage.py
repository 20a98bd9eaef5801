"""Reads the records of one body one by one if reading columns fails; far slower, so for damaged blocks only.

A string is skipped by its length and an enum by its varint, so a record that holds bad text or a code that its schema
does not have costs only itself. If the records do not add up to what the block's header says, more is wrong: then only
those before the first doubtful record are kept.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from pipelines.source.container import Trust
from schemas.registry import RecordSchema

# Every record begins with an event id, and this is the length of a uuid as a varint. Zeros would pass for records.
UUID_FOLLOWS: Final = 0x48
UUID_BYTES: Final = 36
MOST_VARINT_BITS: Final = 70


class Body(NamedTuple):
    """The plain bytes of one Avro block and the count in its header.

    `is_plain` is False, and there are no bytes, if the block cannot be uncompressed.
    """

    data: bytes
    records: int
    trust: Trust = Trust.FRAMED
    is_plain: bool = True


class End(Enum):
    """How the reading of a body ended: at its last byte, within a sound record, or where no record can follow."""

    FILLED = auto()
    RAN_OUT = auto()
    BROKEN = auto()


@dataclass(frozen=True, slots=True)
class Passed:
    """The records of a body in order: the values of each, or None for a bad one.

    `bounds` has the position where each begins, and where the last one ends.
    """

    values: list[tuple[Any, ...] | None]
    bounds: list[int]
    end: End

    def is_sound(self, data: bytes, row: int) -> bool:
        """Whether a record is good and begins with the length of a uuid, as ours do."""
        return self.values[row] is not None and data[self.bounds[row]] == UUID_FOLLOWS


@dataclass(frozen=True, slots=True)
class Salvage:
    """What is kept of a damaged body: its good and bad rows, how many more are lost, and whether yet more may be.

    A number that a header gives and nothing confirms is in `lost` with `more` true: it may not be the whole loss.
    """

    passed: Passed
    good: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()
    lost: int = 0
    more: bool = False

    @property
    def values(self) -> list[tuple[Any, ...]]:
        """The values of the good rows."""
        rows = (self.passed.values[row] for row in self.good)
        return [row for row in rows if row is not None]

    @property
    def runs(self) -> list[list[int]]:
        """The bounds of the good rows in the body, one list for each run of rows without a bad one."""
        edges = [-1, *self.bad, len(self.good) + len(self.bad)]
        runs = [self.passed.bounds[before + 1 : after + 1] for before, after in itertools.pairwise(edges)]
        return [run for run in runs if len(run) > 1]


class _Broken(Exception):
    """The end of a record cannot be found."""


class _RanOut(_Broken):
    """The data ends within a record."""


class _Bad:
    """Takes the place of a value that cannot be read although its end is known."""


_BAD: Final = _Bad()
Reader = Callable[[bytes, int], tuple[Any, int]]


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < MOST_VARINT_BITS:
        if at == len(data):
            raise _RanOut
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise _Broken


def _text(data: bytes, at: int) -> tuple[Any, int]:
    length, at = _number(data, at)
    if length < 0:
        raise _Broken
    if at + length > len(data):
        raise _RanOut
    try:
        return str(data[at : at + length], "utf-8"), at + length
    except UnicodeDecodeError:
        return _BAD, at + length


def _truth(data: bytes, at: int) -> tuple[Any, int]:
    if at == len(data):
        raise _RanOut
    # Numbers other than 0 and 1 are read as Polars reads them in columns.
    return data[at] == 1, at + 1


def _within(least: int, most: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        value, at = _number(data, at)
        return (value if least <= value <= most else _BAD), at

    return read


def _either(branches: list[Reader]) -> Reader:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch, at = _number(data, at)
        # A branch that the union does not have is read as the last one, as Polars does in columns.
        return branches[branch if 0 <= branch < len(branches) else -1](data, at)

    return read


def _nothing(data: bytes, at: int) -> tuple[None, int]:
    del data
    return None, at


_PLAIN: Final[dict[str, Reader]] = {
    "null": _nothing,
    "string": _text,
    "boolean": _truth,
    "int": _within(-(1 << 31), (1 << 31) - 1),
    "long": _within(-(1 << 63), (1 << 63) - 1),
}


def _reader(kind: Any) -> Reader:
    if isinstance(kind, list):
        return _either([_reader(branch) for branch in kind])
    if isinstance(kind, dict):
        return _within(0, len(kind["symbols"]) - 1) if kind["type"] == "enum" else _reader(kind["type"])
    return _PLAIN[kind]


@functools.lru_cache(maxsize=64)
def _readers(version: RecordSchema) -> tuple[Reader, ...]:
    return tuple(_reader(field["type"]) for field in version.schema["fields"])


def passed(data: bytes, version: RecordSchema) -> Passed:
    """Reads the records of a body until it ends or the end of a record cannot be found."""
    readers, found, at = _readers(version), Passed([], [0], End.FILLED), 0
    while at < len(data):
        values: list[Any] = []
        try:
            for read in readers:
                value, at = read(data, at)
                values.append(value)
        except _RanOut:
            is_sound = _BAD not in values and data[found.bounds[-1]] == UUID_FOLLOWS
            return Passed(found.values, found.bounds, End.RAN_OUT if is_sound else End.BROKEN)
        except _Broken:
            return Passed(found.values, found.bounds, End.BROKEN)
        found.values.append(None if _BAD in values else tuple(values))
        found.bounds.append(at)
    return found


def salvage(body: Body, version: RecordSchema) -> Salvage:
    """Returns what can be kept of a body that cannot be read as columns, and what of it is lost."""
    if not body.is_plain:
        return _lost(Passed([], [0], End.BROKEN), 0, body.records if body.trust.is_framed else 0, body.trust)
    found = passed(body.data, version)
    if body.trust.is_framed and _is_exact(found, body.records):
        rows = range(body.records)
        good = tuple(row for row in rows if found.values[row] is not None)
        return Salvage(found, good, tuple(row for row in rows if found.values[row] is None))
    if body.trust == Trust.CERTAIN:
        return _lost(found, 0, body.records, body.trust)
    sound = next((row for row in range(len(found.values)) if not found.is_sound(body.data, row)), len(found.values))
    is_known = _is_cut(found, body, sound) if body.trust == Trust.CUT else _is_torn(found, body, sound, version)
    return _lost(found, sound, body.records - sound if is_known else 0, body.trust)


def _lost(found: Passed, good: int, lost: int, trust: Trust) -> Salvage:
    """Returns a salvage of the first `good` rows, in which `lost` rows after them, or more, are lost."""
    is_all = lost > 0 and trust in {Trust.CERTAIN, Trust.CONFIRMED}
    return Salvage(found, tuple(range(good)), (), lost, not is_all)


def holds(data: bytes, records: int, version: RecordSchema) -> bool:
    """Whether exactly this number of records, good or bad, fill a body."""
    return len(data) >= records * len(version.field_names) and _is_exact(passed(data, version), records)


def _is_exact(found: Passed, records: int) -> bool:
    return found.end == End.FILLED and len(found.values) == records


def _is_cut(found: Passed, body: Body, sound: int) -> bool:
    """Whether a body's only fault is that it ends too early, so that the count in its header can be believed."""
    return bool(body.data) and found.end != End.BROKEN and sound == len(found.values) < body.records


def _is_torn(found: Passed, body: Body, sound: int, version: RecordSchema) -> bool:
    """Whether a body is damaged from some record on and has room for the other records that its header claims."""
    if not body.trust.is_framed or found.end == End.FILLED or sound >= body.records:
        return False
    room = len(body.data) - found.bounds[sound]
    return room >= (body.records - sound) * (UUID_BYTES + len(version.field_names))
