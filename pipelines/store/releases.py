"""Releases in a store: the published tables, and the restricted vintages that they were made from."""

import io
from dataclasses import asdict

import polars as pl
import sqlalchemy as sa

from pipelines.store.backend import Backend
from pipelines.store.records import ReleaseRecord, VintageRecord
from pipelines.store.rows import fitted, with_first
from pipelines.store.tables import STORED
from schemas.tables import (
    PUBLISHED_INSTALLATIONS,
    PUBLISHED_RELEASES,
    PUBLISHED_STOCK,
    PUBLISHED_TABLES,
    RELEASE_VINTAGES,
    Table,
)

Frames = dict[Table, pl.DataFrame]


def fitted_frames(stock: pl.DataFrame, installations: pl.DataFrame) -> Frames:
    """Returns the frames of a release in the columns of its tables; raises ValueError for impossible rows."""
    tables = ((PUBLISHED_STOCK, stock), (PUBLISHED_INSTALLATIONS, installations))
    return {table: fitted(table, frame, "vintage") for table, frame in tables}


def replace_release(backend: Backend, connection: sa.Connection, release: ReleaseRecord, frames: Frames) -> None:
    """Writes a release into the published tables, in place of any former one of its vintage."""
    forget_release(connection, release.vintage)
    connection.execute(sa.insert(STORED[PUBLISHED_RELEASES.name]), asdict(release))
    for table, frame in frames.items():
        backend.insert(connection, table, with_first(table, ("vintage", release.vintage), frame))


_VINTAGES = STORED[RELEASE_VINTAGES.name]
_RECORD = ("vintage", "quarter", "release_status", "created_at", "facts")


def vintages(connection: sa.Connection) -> tuple[VintageRecord, ...]:
    """Returns the vintages in the order in which they were made."""
    query = sa.select(*(_VINTAGES.c[name] for name in _RECORD)).order_by(_VINTAGES.c.created_at, _VINTAGES.c.vintage)
    return tuple(VintageRecord(**row._asdict()) for row in connection.execute(query))


def vintage_frame(connection: sa.Connection, vintage: str, name: str) -> pl.DataFrame | None:
    """Returns the `cells` or the `figures` of a vintage, None if there is no such vintage."""
    query = sa.select(_VINTAGES.c[name]).where(_VINTAGES.c.vintage == vintage)
    content = connection.scalar(query)
    return None if content is None else pl.read_parquet(io.BytesIO(content))


def keep_vintage(connection: sa.Connection, record: VintageRecord, cells: pl.DataFrame, figures: pl.DataFrame) -> None:
    """Writes a new vintage; the database refuses a second one of the same name."""
    frames = {"cells": _as_parquet(cells), "figures": _as_parquet(figures)}
    connection.execute(sa.insert(_VINTAGES), {**asdict(record), **frames})


def _as_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def forget_release(connection: sa.Connection, vintage: str) -> None:
    """Deletes a vintage's rows from the published tables."""
    for table in PUBLISHED_TABLES:
        stored = STORED[table.name]
        connection.execute(sa.delete(stored).where(stored.c.vintage == vintage))
