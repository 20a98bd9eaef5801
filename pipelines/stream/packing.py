"""Frames of one known layout as bytes and back: what stands in Flink's state and goes between steps.

A few rows of fifty columns would mostly be a description of the columns, so it is left out and the rest compressed:
some 500 bytes for one row, 30 a row for many.
"""

import functools
from collections.abc import Iterable
from typing import Any, Final

import polars as pl
import pyarrow as pa
import zstandard

from pipelines.fold import empty_history

_OLDEST: Final = pl.CompatLevel.oldest()
_LEVEL: Final = 1


def pack(history: pl.DataFrame) -> bytes:
    """History rows (an event frame with `copies`) as bytes."""
    batches = history.rechunk().to_arrow(compat_level=_OLDEST).to_batches()
    return zstandard.compress(batches[0].serialize(), _LEVEL) if batches else b""


def unpack(packed: Iterable[bytes]) -> pl.DataFrame:
    """The history rows of several packed frames, in order."""
    frames = [_frame(data) for data in packed if data]
    return pl.concat([empty_history(), *frames])


def _frame(data: bytes) -> pl.DataFrame:
    frame: Any = pl.from_arrow(pa.ipc.read_record_batch(pa.py_buffer(zstandard.decompress(data)), _schema()))
    return frame


@functools.cache
def _schema() -> pa.Schema:
    return empty_history().to_arrow(compat_level=_OLDEST).schema
