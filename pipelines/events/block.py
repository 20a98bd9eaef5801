"""A block: up to 100,000 events of one record type as columns, with the origin of each row."""

from dataclasses import dataclass
from typing import Final

import polars as pl

BLOCK_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Origin:
    """The file or topic partition that rows came from: its path, its owner and, if a file states it, when received."""

    path: str
    owner: str
    received_at: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one record type.

    `frame` has the record's fields as they were on the wire (codes for enums, milliseconds, days) and two columns of
    provenance: `origin` (UInt32, a position in `origins`) and `row` (Int64, the row in that file or message, from 0).
    Rows from Kafka also have `offset` and `received_at` (Int64): the message's offset, and the broker's time in
    milliseconds.
    """

    record: str
    frame: pl.DataFrame
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """Records that were lost before validation; `records` is None if their number is unknown."""

    owner: str
    record: str
    reason: str
    provenance: str
    records: int | None


def provenance(origins: tuple[Origin, ...], rows: pl.DataFrame) -> pl.Series:
    """Returns the place of each row as text: the path (in the log, with the message's offset) and the row.

    `rows` has a block's columns of provenance.
    """
    paths = pl.Series([origin.path for origin in origins], dtype=pl.String).gather(rows["origin"])
    if "offset" in rows.columns:
        paths = paths + "/" + rows["offset"].cast(pl.String)
    return paths + " row " + rows["row"].cast(pl.String)
