"""Files of visits that are damaged at random, and what becomes of their records.

The header of a file, its blocks and their bodies are put together here and not by a library, so that every codec and
any count can be written, and so that a file can be said to be well formed without the code that is tested.
"""

import bz2
import functools
import io
import json
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cramjam
import fastavro
import zstandard

from pipelines.events.calendar import FIRST_MS, LAST_MS
from pipelines.events.outcome import Outcome, of_losses
from pipelines.source import container
from pipelines.source.files import judge, plan, version_of
from pipelines.source.reading import read
from schemas.registry import current, parsed
from tests.builders import ACME, visited
from tests.oracle import container as oracle
from tests.oracle import damage as by_oracle
from tests.oracle.event import Lost

RECORD: Final = "InstallationVisit"
SYNC: Final = b"sixteen letters."
# How many records the blocks of a file hold: one size with a rest, one block, sizes by bytes, single records, two.
SHAPES: Final = ((11, 11, 11, 11, 11, 4), (30,), (7, 9, 8, 8, 10, 7, 5), (1,) * 9, (6, 6))
# Draws a number from one to another, both included.
Draw = Callable[[int, int], int]
Row = tuple[Any, ...]


def raw_deflate(data: bytes) -> bytes:
    """The bytes as Avro's codec deflate has them."""
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def snappy(data: bytes) -> bytes:
    """The bytes as Avro's codec snappy has them."""
    return bytes(cramjam.snappy.compress_raw(data)) + zlib.crc32(data).to_bytes(4, "big")


PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "null": bytes,
    "deflate": raw_deflate,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "snappy": snappy,
    "zstandard": lambda data: zstandard.ZstdCompressor().compress(data),
}


def encoded(kind: Any, value: Any) -> bytes:
    """A value as Avro."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, kind, value)
    return stream.getvalue()


def head(codec: str, **more: bytes) -> bytes:
    """The header of a container of visits."""
    metadata = {"avro.schema": json.dumps(current()[RECORD].schema).encode(), "avro.codec": codec.encode(), **more}
    return container.MAGIC + encoded(container.METADATA, metadata) + SYNC


def block(codec: str, records: int, body: bytes, *, size: int | None = None, marker: bytes = SYNC) -> bytes:
    """A block of a plain body, its header as told."""
    packed = PACKERS[codec](body)
    return encoded("long", records) + encoded("long", len(packed) if size is None else size) + packed + marker


@functools.cache
def visit(number: int) -> bytes:
    """One of many visits, some of which are longer than others."""
    event = visited(
        on=f"2026-04-{number % 28 + 1:02}", appointment_id="V-" + "1234567890" * (number % 4), id=f"{number}"
    )
    return encoded(parsed(RECORD), {name: value for name, value in event.items() if name != "record"})


def bodies(counts: Sequence[int]) -> list[bytes]:
    """Plain bodies of so many visits each, no two alike."""
    starts = [sum(counts[:place]) for place in range(len(counts))]
    return [b"".join(visit(start + row) for row in range(count)) for start, count in zip(starts, counts, strict=True)]


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written, or as damage left it: its bytes, for each the block that it lies in, and their records.

    Blocks are numbered from 1; the header of the file and what was put in lie in block 0, which holds no record.
    """

    codec: str
    data: bytes
    owners: bytes
    counts: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def records(self) -> int:
        """The records of all blocks as they were written."""
        return sum(self.counts)


@functools.cache
def written(codec: str, counts: tuple[int, ...]) -> Written:
    """A file of visits in blocks of so many."""
    data = head(codec)
    owners = bytes(len(data))
    for place, (count, body) in enumerate(zip(counts, bodies(counts), strict=True)):
        data += block(codec, count, body)
        owners += bytes([place + 1]) * (len(data) - len(owners))
    sizes = Counter(owners)
    return Written(codec, data, owners, (0, *counts), tuple(sizes[place] for place in range(len(counts) + 1)))


def damaged(whole: Written, draw: Draw) -> Written:
    """The file with one or two damages."""
    once = hurt(whole, draw)
    return hurt(once, draw) if draw(0, 1) else once


def hurt(whole: Written, draw: Draw) -> Written:
    """The file with one damage: anywhere, in the blocks, or close to where one block ends and the next begins."""
    data, owners = whole.data, whole.owners
    edges = [at for at in range(1, len(owners)) if owners[at] != owners[at - 1]]
    ranges = [(0, len(data)), (edges[0] if edges else 0, len(data))]
    ranges += [(max(0, edge - len(SYNC) - 4), edge + 6) for edge in edges]
    least, most = ranges[draw(0, len(ranges) - 1)]
    start = draw(least, max(least, min(most, len(data))))
    length = draw(1, (1, 4, 40, 600, 4_096)[draw(0, 4)])
    removed, new = KINDS[draw(0, len(KINDS) - 1)](data, start, length, draw)
    # What is overwritten still lies where its block lay.
    owner = owners[start : start + removed] if len(new) == removed else bytes(len(new))
    return replace(
        whole,
        data=data[:start] + new + data[start + removed :],
        owners=owners[:start] + owner + owners[start + removed :],
    )


def _over(data: bytes, start: int, new: bytes) -> tuple[int, bytes]:
    new = new[: max(0, len(data) - start)]
    return len(new), new


def _elsewhere(data: bytes, length: int, draw: Draw) -> bytes:
    """A stretch of the file."""
    start = draw(0, len(data))
    return data[start : start + length]


def _to_marker(data: bytes, start: int, draw: Draw) -> int:
    """How far it is to somewhere in the second or third sync marker from a position."""
    marker = start
    for _ in range(draw(2, 3)):
        marker = data.find(SYNC, marker + 1)
    return max(0, min(marker + draw(0, len(SYNC)), len(data)) - start) if marker >= 0 else 0


def _noise(length: int, draw: Draw) -> bytes:
    # One number is enough, and quicker to draw than each byte.
    seed = draw(0, 2**32 - 1)
    return b"".join(zlib.crc32(b"%d" % at, seed).to_bytes(4, "big") for at in range(length // 4 + 1))[:length]


def _masked(data: bytes, start: int, length: int, mask: int) -> tuple[int, bytes]:
    new = bytes(byte ^ mask for byte in data[start : start + length])
    return len(new), new


# Of the data, a position, a length and what draws numbers: how many bytes are removed there, and what is put there.
KINDS: Final[tuple[Callable[[bytes, int, int, Draw], tuple[int, bytes]], ...]] = (
    lambda data, start, _, draw: _masked(data, start, 1, 1 << draw(0, 7)),
    lambda data, start, length, _: _masked(data, start, length, 0xFF),
    lambda data, start, length, _: _over(data, start, bytes(length)),
    lambda data, start, length, _: _over(data, start, b"\xff" * length),
    lambda data, start, length, draw: _over(data, start, _noise(length, draw)),
    lambda data, start, length, draw: _over(data, start, _elsewhere(data, length, draw)),
    lambda data, start, length, _: (len(data[start : start + length]), b""),
    lambda data, start, _, draw: (_to_marker(data, start, draw), b""),
    lambda _, __, length, draw: (0, _noise(length, draw)),
    lambda data, _, length, draw: (0, _elsewhere(data, length, draw)),
    lambda data, start, _, __: (len(data) - start, b""),
)


def framed(data: bytes) -> list[bool] | None:
    """Of each block of a file whether it holds what it claims, whatever stands in place of its marker.

    None if the blocks do not lead from the header to the end, one after the other.
    """
    header = oracle.read_header(data)
    schema = {} if header is None else oracle.schema_of(header)
    if header is None or oracle.known_record(schema) != RECORD:
        return None
    at, codec, held = header.blocks_at, header.metadata.get("avro.codec", b"null").decode("utf-8", "replace"), []
    while at < len(data):
        claimed = oracle.claim(data, at)
        if claimed is None or claimed[2] + len(SYNC) > len(data):
            return None
        records, begin, end = claimed
        held.append(data[at:begin] == b"\0\0" or by_oracle.holds(schema, codec, data[begin:end], records))
        at = end + len(SYNC)
    return held


def traceable(spoilt: Written) -> int:
    """How many records a damaged file must account for: nobody can tell that a block was cut out as a whole."""
    held = framed(spoilt.data)
    if held is None:
        return sum(spoilt.counts)
    if all(held):
        return 0
    left = Counter(spoilt.owners)
    return sum(count for place, count in enumerate(spoilt.counts) if 2 * left[place] > spoilt.sizes[place])


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a file: its rows, the records told as lost, and how many places may hide more."""

    rows: Counter[Row]
    known: int
    unknown: int


def found_in(path: Path) -> Found:
    """What planning and reading make of a file. Raises AssertionError where received and rejected do not agree."""
    planned = plan([path])
    readings = [read(packet) for packet in planned.packets]
    outcome = Outcome.of([*(of_losses(one.losses) for one in readings), of_losses(planned.losses)])
    told = {status: records for _, status, records in outcome.intake.iter_rows()}
    assert told.get("received", 0) == told.get("rejected", 0) == outcome.quarantined["rows"].sum()
    rows = Counter(row for one in readings for row in one.block.frame.drop("origin", "row").iter_rows())
    return Found(rows, told.get("rejected", 0), told.get("unknown", 0))


def found_by_oracle(path: Path) -> tuple[Counter[tuple[str, int]], int, int]:
    """What the oracle makes of a file: ids and times of its events, records lost, and places that may hide more."""
    listed = list(oracle.read(path))
    events = [one for one in listed if not isinstance(one, Lost)]
    dated = [e for e in events if all(FIRST_MS <= ms <= LAST_MS for ms in (e.effective_at, e.reported_at))]
    lost = [one.records for one in listed if isinstance(one, Lost)]
    kept = Counter((event.event_id, event.effective_at) for event in dated)
    # An event outside the calendar is no event.
    return kept, sum(filter(None, lost)) + len(events) - len(dated), lost.count(None)


def check_partition(data: bytes) -> None:
    """Raises AssertionError unless every byte behind the header lies in exactly one block or gap."""
    try:
        header = container.read_header(data)
    except container.NotAvro:
        return
    at = header.end
    for one in container.walk(data, header, judge(header, version_of(header.schema))):
        assert one.start == at
        assert one.behind > at or isinstance(one, container.Gap)
        at = one.behind
    assert at == len(data)


def placed(folder: Path, data: bytes) -> Path:
    """A file with these bytes in a supplier's folder."""
    path = folder / ACME / "damaged.avro"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


@functools.cache
def rows_of(whole: Written, folder: Path) -> tuple[Row, ...]:
    """The rows of a whole file in order."""
    rows = tuple(found_in(placed(folder, whole.data)).rows)
    assert len(rows) == whole.records
    return rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """What damage did: records neither read nor told, records that say something else now, and the word for it."""

    silent: int
    changed: int
    word: str


def judged(whole: Written, spoilt: Written, folder: Path) -> Verdict:
    """What damage did. Raises AssertionError where anything but the number of silent losses is wrong."""
    rows = rows_of(whole, folder)
    found = made_of(folder, spoilt.data)
    _check_beginning(whole, spoilt, rows, found)
    own = sum((Counter(rows) & found.rows).values())
    changed = sum((found.rows - Counter({row: found.rows[row] for row in rows})).values())
    if found.unknown:
        return Verdict(0, changed, "told as unknown")
    short = max(0, traceable(spoilt) - own - changed - found.known)
    if own + changed + found.known + short < whole.records:
        return Verdict(short, changed, "without a trace")
    return Verdict(short, changed, "told by number" if found.known else "harmless")


def made_of(folder: Path, data: bytes) -> Found:
    """What becomes of a file of these bytes. Raises AssertionError if the oracle sees it otherwise."""
    check_partition(data)
    path = placed(folder, data)
    found = found_in(path)
    _check_oracle(path, found)
    return found


def _check_oracle(path: Path, found: Found) -> None:
    theirs, known, unknown = found_by_oracle(path)
    names = current()[RECORD].field_names
    event_id, effective_at = names.index("event_id"), names.index("effective_at")
    ours = Counter((row[event_id], row[effective_at]) for row in found.rows.elements())
    assert (ours, found.known, found.unknown) == (theirs, known, unknown)


def _check_beginning(whole: Written, spoilt: Written, rows: Sequence[Row], found: Found) -> None:
    """All blocks before the first damaged byte are read."""
    pairs = zip(whole.data, spoilt.data, strict=False)
    same = next((at for at, (one, other) in enumerate(pairs) if one != other), len(spoilt.data))
    hurt_first = whole.owners[same] if same < len(whole.owners) else len(whole.counts)
    assert all(row in found.rows for row in rows[: sum(whole.counts[:hurt_first])])
