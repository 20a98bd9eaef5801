"""Events spilled by shard: one Arrow file per spill, one compressed record batch per shard, read back by batch.

Elements between Beam steps are `Segment`s, each a path and a position, since DirectRunner keeps everything that it
shuffles in memory. Paths may be on any Beam filesystem.
"""

import functools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

import numpy as np
import polars as pl
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from pipelines.events import columns

_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4")
OPEN_FILES: Final = 64


@dataclass(frozen=True, slots=True)
class Segment:
    """The events of one shard in one spill file."""

    path: str
    batch: int
    rows: int


def shard_of(events: pl.DataFrame, shards: int) -> pl.Series:
    """Returns the shard of every event: the digest of fuel and meter point modulo the number of shards."""
    return (events["meter_a"] % shards).cast(pl.UInt32)


def spill(events: pl.DataFrame, shards: int, folder: str) -> Iterator[tuple[int, Segment]]:
    """Writes an event frame as one file in a folder and yields each shard that occurs with its segment."""
    shard = shard_of(events, shards)
    order = shard.arg_sort()
    counts = np.bincount(shard.to_numpy(), minlength=shards)
    table = events[order].to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    path = FileSystems.join(folder, f"events-{uuid.uuid4().hex}.arrow")
    start = 0
    with FileSystems.create(path) as file, pa.ipc.new_file(file, table.schema, options=_OPTIONS) as writer:
        for batch, number in enumerate(np.flatnonzero(counts)):
            rows = int(counts[number])
            writer.write_batch(table.slice(start, rows).to_batches()[0])
            start += rows
            yield int(number), Segment(path, batch, rows)


@functools.lru_cache(maxsize=OPEN_FILES)
def _reader(path: str) -> "pa.ipc.RecordBatchFileReader":
    file: IO[bytes] = FileSystems.open(path)
    return pa.ipc.open_file(file)


def gather(segments: Iterable[Segment]) -> pl.DataFrame:
    """Returns the events of all segments as one event frame."""
    frames = [pl.from_arrow(_reader(s.path).get_batch(s.batch), rechunk=False) for s in segments]
    typed = [frame for frame in frames if isinstance(frame, pl.DataFrame)]
    return pl.concat(typed, rechunk=True) if typed else columns.empty_events()
