"""Packs frames of one known layout into bytes and back, for Flink's state and for messages between steps.

A few rows of fifty columns would mostly consist of the columns' description, so that is omitted and the rest is
compressed: some 500 bytes for one row, 30 a row for many.
"""

import functools
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import zstandard

from pipelines.history.copies import distinct, empty_history, with_copies
from pipelines.shards.spilling import shard_of

_OLDEST: Final = pl.CompatLevel.oldest()
_LEVEL: Final = 1
# A segment is one message between Flink and a worker. Pieces of SEGMENT_BYTES are large enough to stay as they are.
SEGMENT_ROWS: Final = 100_000
SEGMENT_BYTES: Final = 32_000


def pack(history: pl.DataFrame) -> bytes:
    """Packs history rows (an event frame with `copies`) into bytes."""
    batch = _batch_of(history)
    return b"" if batch is None else _packed(batch)


def in_segments(history: pl.DataFrame) -> list[bytes]:
    """Packs history rows into frames of at most SEGMENT_ROWS rows, as state keeps them."""
    return [pack(part) for part in history.iter_slices(SEGMENT_ROWS)]


def joined(packed: list[bytes]) -> list[bytes]:
    """Merges packed frames into fewer, equal content in one row; returns them unchanged if large on average."""
    if len(packed) == 1 or sum(map(len, packed)) > SEGMENT_BYTES * len(packed):
        return packed
    return in_segments(distinct(unpack(packed)))


def pack_by_shard(events: pl.DataFrame, shards: int) -> list[tuple[int, bytes]]:
    """Packs events as history rows, one frame for each shard that occurs. Rows keep their order within a shard."""
    shard = shard_of(events, shards).to_numpy()
    batch = _batch_of(with_copies(events[np.argsort(shard, kind="stable")]))
    if batch is None:
        return []
    numbers, counts = np.unique(shard, return_counts=True)
    ends = np.cumsum(counts).tolist()
    return [
        (int(number), _packed(batch.slice(end - count, count)))
        for number, count, end in zip(numbers.tolist(), counts.tolist(), ends, strict=True)
    ]


def _batch_of(history: pl.DataFrame) -> "pa.RecordBatch | None":
    batches = history.rechunk().to_arrow(compat_level=_OLDEST).to_batches()
    return batches[0] if batches else None


def _packed(batch: "pa.RecordBatch") -> bytes:
    return zstandard.compress(batch.serialize(), _LEVEL)


def unpack(packed: Iterable[bytes]) -> pl.DataFrame:
    """Returns the history rows of several packed frames, in order."""
    batches = [pa.ipc.read_record_batch(pa.py_buffer(zstandard.decompress(data)), _schema()) for data in packed if data]
    frame: Any = pl.from_arrow(pa.Table.from_batches(batches, _schema()))
    return pl.concat([empty_history(), frame])


@functools.cache
def _schema() -> pa.Schema:
    return empty_history().to_arrow(compat_level=_OLDEST).schema
