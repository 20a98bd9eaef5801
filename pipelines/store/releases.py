"""What a store keeps of releases: the published tables, one release a vintage."""

from dataclasses import asdict

import polars as pl
import sqlalchemy as sa

from pipelines.store.backend import Backend
from pipelines.store.records import ReleaseRecord
from pipelines.store.rows import fitted, with_first
from pipelines.store.tables import STORED
from schemas.tables import PUBLISHED_INSTALLATIONS, PUBLISHED_RELEASES, PUBLISHED_STOCK, PUBLISHED_TABLES, Table

Frames = dict[Table, pl.DataFrame]


def fitted_frames(stock: pl.DataFrame, installations: pl.DataFrame) -> Frames:
    """The frames of a release as its tables want them; raises ValueError for rows that cannot be right."""
    tables = ((PUBLISHED_STOCK, stock), (PUBLISHED_INSTALLATIONS, installations))
    return {table: fitted(table, frame, "vintage") for table, frame in tables}


def replace_release(backend: Backend, connection: sa.Connection, release: ReleaseRecord, frames: Frames) -> None:
    """The release stands in the published tables in place of any former one of its vintage."""
    for table in PUBLISHED_TABLES:
        stored = STORED[table.name]
        connection.execute(sa.delete(stored).where(stored.c.vintage == release.vintage))
    connection.execute(sa.insert(STORED[PUBLISHED_RELEASES.name]), asdict(release))
    for table, frame in frames.items():
        backend.insert(connection, table, with_first(table, ("vintage", release.vintage), frame))
