"""The interface that a store needs from any database."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import polars as pl
import sqlalchemy as sa

from schemas.tables import Table


class Backend(Protocol):
    """A database that keeps a store. Raises StoreError for every fault that a person can put right."""

    @property
    def name(self) -> str:
        """The store's name for messages, never with a password."""
        ...

    @property
    def remedy(self) -> str:
        """The advice for a store of an older layout, as the end of a sentence."""
        ...

    def exists(self) -> bool:
        """Whether the database exists; asking does not create it."""
        ...

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Opens a read transaction, in which all reads see the same moment."""
        ...

    def writing(self, live: bool = False) -> AbstractContextManager[sa.Connection]:
        """Opens a write transaction: all of it is written or, after an exception or a kill, nothing.

        Other writers wait for its end. Transactions of live streams (`live`) each write rows of their own, so they
        need not wait for each other.
        """
        ...

    def part(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """Opens a part of a write transaction; where the database can, a refusal within it undoes this part only."""
        ...

    def require_ours(self, tables: list[str]) -> None:
        """Checks the tables of a database without a store; raises StoreError unless a first write may use it."""
        ...

    def make_tables(self, connection: sa.Connection) -> None:
        """Creates the store's tables in a database without tables."""
        ...

    def insert(self, connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
        """Inserts rows, which have the table's columns."""
        ...

    def upsert(self, connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
        """Inserts rows, as `insert` does, and replaces those whose key is there already."""
        ...

    def replace(
        self, connection: sa.Connection, table: Table, rows: pl.DataFrame, alone: sa.ColumnElement[bool]
    ) -> None:
        """Replaces all of the table's rows for which `alone` holds by these rows, for which it also holds."""
        ...

    def next_fence(self, connection: sa.Connection, run_id: str, key: str, now: datetime) -> int:
        """Takes and returns the next fencing number of a stream's key; locks the key until the transaction ends."""
        ...
