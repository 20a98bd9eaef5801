"""Works out from its columns how many bytes each record took on the wire.

The reader of joined bodies ignores what is left over, so records of a body that holds more than it claims would be
taken for the next sender's. Only if the lengths add up to every body's end is each record attributed to the right
sender.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.events import columns
from schemas.registry import RecordSchema

Ints = npt.NDArray[np.int64]

# A zigzag varint of n bytes holds numbers below 2**(7 n).
_VARINTS: Final = np.array([1 << 7 * n for n in range(1, 10)], dtype=np.uint64)


def _varint_bytes(values: npt.ArrayLike) -> Ints:
    """Returns how many bytes signed numbers take as zigzag varints."""
    signed = np.asarray(values, dtype=np.int64)
    zigzag = ((signed << 1) ^ (signed >> 63)).view(np.uint64)
    return np.searchsorted(_VARINTS, zigzag, side="right").astype(np.int64) + 1


def _of_numbers(column: pl.Series) -> Ints | int:
    least, most = column.min(), column.max()
    if isinstance(least, int) and isinstance(most, int) and least >= 0:
        ends = _varint_bytes([least, most])
        if ends[0] == ends[1]:
            # The usual case: codes, and times of about the same date.
            return int(ends[0])
    return _varint_bytes(column.fill_null(0).to_numpy())


def _of_texts(column: pl.Series) -> Ints:
    lengths = column.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    sizes = _of_numbers(pl.Series(lengths)) if len(lengths) else 0
    return lengths + sizes


def _of_values(column: pl.Series) -> Ints | int:
    if column.dtype == pl.String:
        return _of_texts(column)
    return 1 if column.dtype == pl.Boolean else _of_numbers(column)


def record_bytes(frame: pl.DataFrame, version: RecordSchema) -> Ints:
    """Returns the encoded length of each row of a frame, as read under a version of a record's schema."""
    total = np.zeros(frame.height, dtype=np.int64)
    for field in version.schema["fields"]:
        total += _of_field(frame[field["name"]], field["type"])
    return total


def _of_field(column: pl.Series, kind: Any) -> Ints | int:
    if columns.plain_type(kind) is kind:
        return _of_values(column)
    # A union takes one byte for its branch, and null takes no more.
    lengths = _of_values(column)
    if column.null_count() == 0:
        return lengths + 1
    return np.where(column.is_not_null().to_numpy(), lengths, 0) + 1


def fills(frame: pl.DataFrame, version: RecordSchema, records: list[int], sizes: list[int]) -> bool:
    """Whether bodies with these numbers of records and bytes, one after another, are exactly the rows of the frame."""
    ends = np.concatenate([[0], np.cumsum(record_bytes(frame, version))])
    return bool(np.array_equal(ends[np.cumsum(records, dtype=np.int64)], np.cumsum(sizes, dtype=np.int64)))
