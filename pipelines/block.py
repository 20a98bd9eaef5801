"""A block: up to 100,000 events of one record type as columns, with where each row came from."""

from dataclasses import dataclass
from typing import Final

import polars as pl

BLOCK_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Origin:
    """A file that rows of a block came from: its path as given, its owner and when it was received, if it says so."""

    path: str
    owner: str
    received_at: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one record type.

    `frame` has the record's fields as they were on the wire (codes for enums, milliseconds, days) and two columns of
    provenance: `origin` (UInt32, a position in `origins`) and `row` (Int64, the row in that file, from 0).
    """

    record: str
    frame: pl.DataFrame
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """Records that could not be used before validation; `records` is None where nobody can tell how many."""

    owner: str
    record: str
    reason: str
    provenance: str
    records: int | None
