"""All that is PostgreSQL's own: how it is reached, which transactions are opened and what its faults mean.

The tables are made by migrations (infra/postgres), by who may make tables; who writes runs need not.
"""

from collections.abc import Generator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import exc

from pipelines.store.errors import StoreError
from pipelines.store.settings import StoreEnvironment

CONNECT_SECONDS = 10
MIGRATE = "run `rollout store migrate --store URL` as its owner first"
SENTENCES = {
    "28P01": "The store {name} does not take that name and password.",
    "28000": "The store {name} does not let that name in.",
    "3D000": "The server of the store {name} has no such database; make it first.",
    "42501": "The store {name} does not let that name do this; see docs/ledger.md for what each role may do.",
    "53100": "The disk of the store {name} is full; make room and try again.",
    "53300": "The store {name} has too many connections; try again later.",
    "42P01": "The database {name} lacks a table of ours; " + MIGRATE + ".",
}


class PostgresBackend:
    """A store in a database of PostgreSQL. Raises StoreError for an address without a database's name."""

    def __init__(self, url: sa.URL) -> None:
        if not url.database:
            raise StoreError("The store's address names no database; write it as postgresql://user@host/database.")
        self._name = url.set(password=None, drivername="postgresql").render_as_string()
        password = url.password or StoreEnvironment().secret()
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg", password=password),
            # A connection that a restart of the server has cut is not handed out.
            pool_pre_ping=True,
            pool_size=1,
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "rollout"},
        )

    @property
    def name(self) -> str:
        """The address without its password."""
        return self._name

    def exists(self) -> bool:
        """Whether there is a database: there must be one."""
        return True

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """One read transaction, which sees what was committed when it began."""
        with self._faults_as_sentences(), self._engine.connect() as connection:
            reader = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with reader.begin():
                yield reader

    @contextmanager
    def writing(self, live: bool = False) -> Generator[sa.Connection]:
        """One write transaction; others that write other rows go on beside it."""
        del live  # all are alike here
        with self._faults_as_sentences(), self._engine.begin() as connection:
            yield connection

    def make_tables(self, connection: sa.Connection) -> None:
        """Tables are made by migrations."""
        del connection
        raise StoreError(f"The database {self.name} has no tables yet; {MIGRATE}.")

    @contextmanager
    def _faults_as_sentences(self) -> Generator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            sentence = SENTENCES.get(state or "")
            if sentence is None and "password" in str(error.orig):
                sentence = SENTENCES["28P01"]
            if sentence is None and (isinstance(error, exc.OperationalError) or error.connection_invalidated):
                sentence = "The store {name} cannot be reached, or went away; check that its server runs."
            if sentence is None:
                raise
            raise StoreError(sentence.format(name=self.name)) from error
