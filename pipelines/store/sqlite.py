"""The SQLite back end: how the file is opened, how it is locked and what its faults mean.

While a run is written, and as long as a stream is live, the file keeps a write-ahead log, so that readers (the
dashboard opens the file read-only) still see the former state and a killed writer leaves them nothing to repair.
At rest it is one plain file again, which can be copied, and read from a folder without write permission.
"""

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import polars as pl
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import sqlite

from pipelines.store.errors import StoreError, StoreMissing
from pipelines.store.rows import execute, insertion, next_number, upsertion
from pipelines.store.tables import LAYOUT, METADATA, STORE_VERSION, STORED
from schemas.tables import Table

BUSY_SECONDS = 30.0
# Bounds the memory of a run's transaction; further pages go to the log.
CACHE_KIB = 65_536
LIVE = "SELECT 1 FROM streams WHERE live"
PRIMARY_CODE = 0xFF
IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
SENTENCES = {
    sqlite3.SQLITE_BUSY: "The store {name} is in use by another program; try again when that has finished.",
    sqlite3.SQLITE_LOCKED: "The store {name} is in use by another program; try again when that has finished.",
    sqlite3.SQLITE_PERM: "The store {name} may not be written; check who owns the file and its folder.",
    sqlite3.SQLITE_READONLY: "The store {name} may not be written; check who owns the file and its folder.",
    sqlite3.SQLITE_CANTOPEN: "The store {name} cannot be opened; check who may read and write the file and its folder.",
    sqlite3.SQLITE_FULL: "The disk with the store {name} is full; make room and run again.",
    sqlite3.SQLITE_IOERR: "The disk with the store {name} is full or faulty; check it and run again.",
    sqlite3.SQLITE_CORRUPT: "The store {name} is damaged; restore a copy, or run again into a new store.",
    sqlite3.SQLITE_NOTADB: "The file {name} is not a store; give the path of a store that `rollout run` wrote.",
}


def _primary_code(error: BaseException | None) -> int:
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE


class SqliteBackend:
    """A store in one file; with `create` the first write may make the file."""

    def __init__(self, path: Path, create: bool) -> None:
        self._path = path
        self._create = create
        self._reader = self._engine(self._connect, "BEGIN")
        self._writer = self._engine(self._connect_to_write, "BEGIN IMMEDIATE")

    @property
    def name(self) -> str:
        """The path of the file, as it was given."""
        return str(self._path)

    @property
    def remedy(self) -> str:
        """The advice to run again: the contents can be counted again."""
        return "run again into a new one"

    def exists(self) -> bool:
        """Whether the file exists."""
        return self._path.exists()

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Opens a read transaction on the file, which must exist."""
        with self._faults_as_sentences(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, live: bool = False) -> Generator[sa.Connection]:
        """Opens a write transaction; other writers wait for its end, readers do not."""
        with self._faults_as_sentences(), self._gone_if_new_and_empty():
            with self._writer.begin() as connection:
                self._require_in_place()
                yield connection
            if not live:
                self._settle()

    @contextmanager
    def part(self, connection: sa.Connection) -> Generator[None]:
        """Opens a part of a write transaction; a fault in it, such as a full disk, ends the whole transaction."""
        del connection
        yield

    def require_ours(self, tables: list[str]) -> None:
        """Raises StoreError unless the database is empty, as a killed first run may leave it."""
        if tables:
            raise StoreError(f"{self.name} is a database, but not a store that this program wrote.")

    def make_tables(self, connection: sa.Connection) -> None:
        """Creates all tables and writes the number of their layout."""
        METADATA.create_all(connection)
        connection.execute(sa.insert(STORE_VERSION), {"number": LAYOUT})

    def insert(self, connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
        """Inserts rows into the table."""
        execute(connection, insertion(table, connection.dialect), rows)

    def upsert(self, connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
        """Inserts rows or replaces those with the same key."""
        execute(connection, upsertion(table, sqlite.insert, connection.dialect), rows)

    def replace(
        self, connection: sa.Connection, table: Table, rows: pl.DataFrame, alone: sa.ColumnElement[bool]
    ) -> None:
        """Replaces all of the table's rows for which `alone` holds by these rows."""
        connection.execute(sa.delete(STORED[table.name]).where(alone))
        self.insert(connection, table, rows)

    def next_fence(self, connection: sa.Connection, run_id: str, key: str, now: datetime) -> int:
        """Takes and returns the key's next fencing number."""
        return connection.execute(next_number(run_id, key, now, sqlite.insert)).scalar_one()

    def _engine(self, connect: Callable[[], sqlite3.Connection], begin: str) -> sa.Engine:
        # No pool: an idle connection would keep the file in write-ahead mode.
        engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.NullPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _connect(self, mode: str = "rw") -> sqlite3.Connection:
        # mode=rw never makes a file, and falls back to read-only if writing is not allowed. isolation_level None
        # leaves it to the listener for SQLAlchemy's "begin" to open the transaction.
        address = f"file:{quote(os.fsencode(self._path.absolute()))}?mode={mode}"
        return sqlite3.connect(address, uri=True, isolation_level=None, timeout=BUSY_SECONDS)

    def _connect_to_write(self) -> sqlite3.Connection:
        connection = self._connect("rwc" if self._create else "rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # One sync of the log at the commit: a power cut loses the whole run or nothing of it.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _gone_if_new_and_empty(self) -> Generator[None]:
        """After an exception, deletes a file that did not exist before, unless another program has filled it."""
        was_there = self._path.exists()
        try:
            yield
        except BaseException:
            if not was_there and self._path.exists():
                self._unlink_if_empty()
            raise

    def _unlink_if_empty(self) -> None:
        with closing(self._connect()) as connection, suppress(sqlite3.Error):
            # A writer that waits for this lock checks afterwards that the file still exists (_require_in_place).
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("BEGIN EXCLUSIVE")
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
                self._path.unlink()

    def _require_in_place(self) -> None:
        """Raises StoreError if the file has been deleted, as another program's failed first run does."""
        if not self._path.exists():
            raise StoreError(f"The store {self.name} was taken away as it was opened; try again.")

    def _settle(self) -> None:
        """Leaves one plain file; if it is open elsewhere or the disk is full, the next writer tries again."""
        with closing(self._connect()) as connection:
            try:
                # A live stream soon writes again, so the file stays in write-ahead mode.
                if connection.execute(LIVE).fetchone() is None:
                    connection.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError as error:
                if _primary_code(error) not in (*IN_USE, *NO_ROOM):
                    raise

    @contextmanager
    def _faults_as_sentences(self) -> Generator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            sentence = SENTENCES.get(_primary_code(error.orig))
            if sentence is None:
                raise
            if not self._create and not self.exists():
                raise StoreMissing(f"There is no store at {self.name} any more.") from error
            raise StoreError(sentence.format(name=self.name)) from error
