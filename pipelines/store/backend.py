"""What a store asks of a database, whichever it is."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import polars as pl
import sqlalchemy as sa

from schemas.tables import Table


class Backend(Protocol):
    """A database that keeps a store; every fault that a person can put right leaves it as StoreError."""

    @property
    def name(self) -> str:
        """How messages name the store; never with a password."""
        ...

    @property
    def remedy(self) -> str:
        """What to do about a store of an older layout, as the end of a sentence."""
        ...

    def exists(self) -> bool:
        """Whether there is a database; asking makes none."""
        ...

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """One read transaction: what is read in it stood so at one moment."""
        ...

    def writing(self, live: bool = False) -> AbstractContextManager[sa.Connection]:
        """One write transaction: all of it or, after an exception or a kill, nothing.

        Others wait for its end; those of live streams, which write rows of their own, need not wait for each other.
        """
        ...

    def part(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """A part of a write transaction: a refusal that only it meets leaves the rest standing, where that can be."""
        ...

    def require_ours(self, tables: list[str]) -> None:
        """Raises StoreError where the tables of a database without a store are not what a first write may find."""
        ...

    def make_tables(self, connection: sa.Connection) -> None:
        """A database without any table has ours."""
        ...

    def insert(self, connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
        """All rows, in the table's columns, are in the table."""
        ...

    def upsert(self, connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
        """As `insert`, but a row whose key is there already is replaced."""
        ...

    def replace(
        self, connection: sa.Connection, table: Table, rows: pl.DataFrame, alone: sa.ColumnElement[bool]
    ) -> None:
        """All rows are in the table, and no others for which `alone` holds, as it does for these."""
        ...

    def next_fence(self, connection: sa.Connection, run_id: str, key: str, now: datetime) -> int:
        """The number after the last one that a key of a stream was written under; the key is ours until the end."""
        ...
