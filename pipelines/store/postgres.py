"""The PostgreSQL back end: how it is reached, which transactions are opened and what its faults mean.

Migrations (infra/postgres) make the tables, run by a user who may create tables; the users that write runs need not.
"""

import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql

from pipelines.store.copying import copy_rows, merge_many, upsert_many
from pipelines.store.errors import NotAllowed, StoreConflict, StoreError
from pipelines.store.rows import execute, next_number, upsertion
from pipelines.store.settings import StoreEnvironment
from pipelines.store.tables import STORED
from schemas.tables import Table

# Up to this number, rows are written faster one by one than through a temporary table.
FEW_ROWS: Final = 50
# More rows than this are a good part of a table, so a merge is faster.
MANY_ROWS: Final = 20_000
DRIVERS: Final = ("postgresql", "postgresql+psycopg")
EXAMPLE: Final = "postgresql://user@host/database"
CONNECT_SECONDS: Final = 10
# A transaction left idle for longer is ended: a worker whose machine is lost must not block its replacement.
IDLE_SECONDS: Final = 60
# The advisory lock of writers: any number that no other program in the database uses.
ONE_WRITER: Final = 0x526F6C6C6F7574
MIGRATE: Final = "run `rollout store migrate --store URL` with the name of its owner"
AWAY: Final = "The store {name} cannot be reached, or went away; check that its server runs."
ENCODING: Final = "UTF8"
NOT_UTF8: Final = "The store {name} is in a database of the encoding {encoding}; make one with ENCODING 'UTF8'."
NOT_ALLOWED: Final = "42501"
# SQLSTATE classes and a code: connection failed, server ended it, server short of resources, server's disk failed,
# transaction idle for too long.
GONE: Final = ("08", "57", "53", "58", "25P03")
CONFLICTS: Final = ("40001", "40P01")
SENTENCES: Final = {
    "28P01": "The store {name} does not take that name and password.",
    "28000": "The store {name} does not accept that name.",
    "3D000": "The server of the store {name} has no such database; make it first.",
    "42P01": "The store {name} lacks a table of ours; " + MIGRATE + ".",
    "53100": "The disk of the store {name} is full; make room and try again.",
    "53300": "The store {name} has too many connections; try again later.",
    "40001": "Another program wrote the same rows of the store {name}; try again.",
    "40P01": "Another program wrote the same rows of the store {name}; try again.",
    "55P03": "The store {name} is in use by another program; try again when that has finished.",
    "25006": "The store {name} may only be read: its server is a copy of another.",
    NOT_ALLOWED: "The store {name} does not let that name do this; docs/ledger.md says what each role may do.",
}
# Before there is a connection, the server's answer has words but no code.
WORDS: Final = (
    ("password", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("authentication failed", "28000"),
    ("is not permitted to log in", "28000"),
    ("permission denied for database", "28000"),
    ('role "', "28000"),
    ('database "', "3D000"),
    ("too many", "53300"),
    ("remaining connection slots", "53300"),
)


class PostgresBackend:
    """A store in a PostgreSQL database. Raises StoreError for an address that is not understood."""

    def __init__(self, url: sa.URL) -> None:
        if url.drivername not in DRIVERS or not url.database:
            raise StoreError(f"The store's address is not understood or names no database; write it as {EXAMPLE}.")
        shown = url.set(password=None, drivername="postgresql").difference_update_query(["password", "sslpassword"])
        self._name = shown.render_as_string()
        password = url.password or (None if "password" in url.query else StoreEnvironment().secret())
        try:
            self._engine = sa.create_engine(
                url.set(drivername="postgresql+psycopg", password=password),
                # Tests each connection before use: a restart of the server may have cut it.
                pool_pre_ping=True,
                pool_size=1,
                connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "rollout"},
            )
        except ImportError as error:
            raise StoreError("The driver of PostgreSQL is not installed; install the extra `postgresql`.") from error
        # Runs before SQLAlchemy's own queries, whose answers may not be valid text in another encoding.
        event.listen(self._engine, "connect", _utf8_only(shown.render_as_string()), insert=True)
        weakref.finalize(self, self._engine.dispose)

    @property
    def name(self) -> str:
        """The address without its password."""
        return self._name

    @property
    def remedy(self) -> str:
        """The advice to let the database's owner migrate the store."""
        return MIGRATE

    def exists(self) -> bool:
        """True: a PostgreSQL database has to exist before it can be a store."""
        return True

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Opens a read transaction, which sees what was committed when it began."""
        with self._faults_as_sentences(), self._engine.connect() as connection:
            reader = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with reader.begin():
                yield reader

    @contextmanager
    def writing(self, live: bool = False) -> Generator[sa.Connection]:
        """Opens a write transaction; those of live streams run side by side, other writers are serialised."""
        with self._faults_as_sentences(), self._engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
            if not live:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ONE_WRITER)))
            yield connection

    @contextmanager
    def part(self, connection: sa.Connection) -> Generator[None]:
        """Opens a part of a write transaction; if the user may not do what it does, only this part is undone."""
        with self._faults_as_sentences(), connection.begin_nested():
            yield

    def require_ours(self, tables: list[str]) -> None:
        """Raises StoreError: the database has no store, and only a migration can make its tables."""
        del tables
        raise StoreError(f"The store {self.name} has no tables of ours yet; {MIGRATE}.")

    def make_tables(self, connection: sa.Connection) -> None:
        """Does nothing: migrations make the tables, and `require_ours` refuses a database without them."""
        del connection

    def insert(self, connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
        """Copies rows into the table."""
        copy_rows(connection, table.name, rows)

    def upsert(self, connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
        """Inserts rows or replaces those with the same key, in the fastest of three ways for their number."""
        if rows.height <= FEW_ROWS:
            execute(connection, upsertion(table, postgresql.insert, connection.dialect), rows)
        elif rows.height <= MANY_ROWS:
            upsert_many(connection, table, rows)
        else:
            merge_many(connection, table, rows)

    def replace(
        self, connection: sa.Connection, table: Table, rows: pl.DataFrame, alone: sa.ColumnElement[bool]
    ) -> None:
        """Replaces all of the table's rows for which `alone` holds by these rows."""
        if table.key and rows.height > MANY_ROWS and connection.scalar(sa.select(sa.exists().where(alone))):
            merge_many(connection, table, rows, alone)
            return
        connection.execute(sa.delete(STORED[table.name]).where(alone))
        self.insert(connection, table, rows)

    def next_fence(self, connection: sa.Connection, run_id: str, key: str, now: datetime) -> int:
        """Takes and returns the key's next fencing number."""
        return connection.execute(next_number(run_id, key, now, postgresql.insert)).scalar_one()

    @contextmanager
    def _faults_as_sentences(self) -> Generator[None]:
        try:
            yield
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as error:
            refusal = self._refusal(error)
            if refusal is None:
                raise
            raise refusal from error

    def _refusal(self, error: exc.DBAPIError) -> StoreError | None:
        """Returns the fault as a StoreError of one sentence, None if it is our fault."""
        state = getattr(error.orig, "sqlstate", None)
        if state is None and isinstance(error, exc.OperationalError):
            state = next((code for words, code in WORDS if words in str(error.orig)), GONE[0])
        sentence = SENTENCES.get(state or "", AWAY if (state or "").startswith(GONE) else None)
        if sentence is None:
            return None
        kind = NotAllowed if state == NOT_ALLOWED else StoreConflict if state in CONFLICTS else StoreError
        return kind(sentence.format(name=self.name))


def _utf8_only(name: str) -> Callable[[Any, object], None]:
    """Returns a hook for new connections that raises StoreError if the database's encoding is not UTF-8."""

    def require(connection: Any, _record: object) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != ENCODING:
            raise StoreError(NOT_UTF8.format(name=name, encoding=encoding))

    return require
