"""A store of runs: what a run counted is written whole or not at all, and read as it stood at one moment.

Retention: the rows of the current run and of the one before it are kept, of older runs only the header. Older rows
go in the transaction that writes a run.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import polars as pl
import sqlalchemy as sa

from pipelines.store.backend import Backend
from pipelines.store.errors import StoreError
from pipelines.store.lines import in_byte_order
from pipelines.store.records import ReleaseRecord, RunRecord
from pipelines.store.rows import fitted, insert_rows, read_rows
from pipelines.store.tables import CURRENT_RUN, LAYOUT, METADATA, RUNS, STORE_VERSION, STORED
from schemas.tables import (
    LEDGER_CELLS,
    LEDGER_INTAKE,
    LEDGER_QUARANTINE,
    LEDGER_TABLES,
    PUBLISHED_INSTALLATIONS,
    PUBLISHED_RELEASES,
    PUBLISHED_STOCK,
    PUBLISHED_TABLES,
    Table,
)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The runs whose rows are kept; None where there is none."""

    current: str | None = None
    former: str | None = None


class Store:
    """Runs and published tables in one database; every fault that a person can put right is a StoreError."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def name(self) -> str:
        """How messages name the store."""
        return self._backend.name

    def require_layout(self) -> None:
        """Raises StoreError where there is a database, but not one of our layout."""
        if self._backend.exists():
            with self._backend.reading() as connection:
                self._has_tables(connection)

    def current_run(self) -> RunRecord:
        """The header of the run that readers see; raises StoreError where there is none yet."""
        with self._reading() as connection:
            return _header(connection, self._wanted(connection, None))

    def runs(self) -> tuple[RunRecord, ...]:
        """The headers of all runs ever written, oldest first."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(RUNS).order_by(RUNS.c.finished_at, RUNS.c.run_id))
            return tuple(RunRecord(**row._asdict()) for row in rows)

    def cells(self, run_id: str | None = None, measures: Sequence[str] = ()) -> pl.DataFrame:
        """The cells of a run, the current one by default: CELL_COLUMNS, in byte order of their CSV lines.

        With `measures`, the cells of these only.
        """
        column = STORED[LEDGER_CELLS.name].c.measure
        return self._ledger(LEDGER_CELLS, run_id, *([column.in_(measures)] if measures else []))

    def intake(self, run_id: str | None = None) -> pl.DataFrame:
        """What became of each owner's records: owner, status, records, in byte order of their CSV lines."""
        return self._ledger(LEDGER_INTAKE, run_id)

    def quarantine(self, run_id: str | None = None) -> pl.DataFrame:
        """What was rejected and why: LEDGER_QUARANTINE without the run, in byte order of its CSV lines."""
        return self._ledger(LEDGER_QUARANTINE, run_id)

    def write_run(self, run: RunRecord, cells: pl.DataFrame, intake: pl.DataFrame, quarantine: pl.DataFrame) -> None:
        """The run is the current one, with all its rows; or, after an exception or a kill, nothing has changed.

        Frames have the columns of the ledger tables without run_id. Raises StoreError, and ValueError for rows that
        cannot be right (see `fitted`).
        """
        frames = {
            table: fitted(table, frame, "run_id")
            for table, frame in zip(LEDGER_TABLES, (cells, intake, quarantine), strict=True)
        }
        with self._writing() as connection:
            former = _kept(connection).current
            _enter(connection, run, former)
            for table, frame in frames.items():
                _forget_older(connection, table, _Kept(run.run_id, former))
                insert_rows(connection, table, ("run_id", run.run_id), frame)

    def write_release(self, release: ReleaseRecord, stock: pl.DataFrame, installations: pl.DataFrame) -> None:
        """The release stands in the published tables in place of any former one of its vintage, or nothing changed.

        Frames have the columns of published_stock and published_installations without vintage.
        """
        frames = {
            table: fitted(table, frame, "vintage")
            for table, frame in ((PUBLISHED_STOCK, stock), (PUBLISHED_INSTALLATIONS, installations))
        }
        with self._writing() as connection:
            for table in PUBLISHED_TABLES:
                stored = STORED[table.name]
                connection.execute(sa.delete(stored).where(stored.c.vintage == release.vintage))
            connection.execute(sa.insert(STORED[PUBLISHED_RELEASES.name]), asdict(release))
            for table, frame in frames.items():
                insert_rows(connection, table, ("vintage", release.vintage), frame)

    def _ledger(self, table: Table, run_id: str | None, *further: sa.ColumnElement[bool]) -> pl.DataFrame:
        with self._reading() as connection:
            rows = read_rows(connection, table, ("run_id", self._wanted(connection, run_id)), *further)
        return in_byte_order(rows)

    @contextmanager
    def _reading(self) -> Generator[sa.Connection]:
        if not self._backend.exists():
            raise self._no_run_yet()
        with self._backend.reading() as connection:
            if not self._has_tables(connection):
                raise self._no_run_yet()
            yield connection

    @contextmanager
    def _writing(self) -> Generator[sa.Connection]:
        with self._backend.writing() as connection:
            if not self._has_tables(connection):
                METADATA.create_all(connection)
                connection.execute(sa.insert(STORE_VERSION), {"number": LAYOUT})
            yield connection

    def _has_tables(self, connection: sa.Connection) -> bool:
        """False for a database without any table, which a killed first run may leave; raises StoreError for others."""
        tables = sa.inspect(connection).get_table_names()
        if not tables:
            return False
        if STORE_VERSION.name not in tables:
            raise StoreError(f"{self.name} is a database, but not a store that this program wrote.")
        number = connection.scalar(sa.select(STORE_VERSION.c.number)) or 0
        if number > LAYOUT:
            raise StoreError(f"The store {self.name} was written by a newer version of this program; use that version.")
        if number < LAYOUT:
            raise StoreError(f"The store {self.name} was written by an older version of this program; run again.")
        return True

    def _wanted(self, connection: sa.Connection, run_id: str | None) -> str:
        kept = _kept(connection)
        if kept.current is None:
            raise self._no_run_yet()
        if run_id is not None and run_id not in (kept.current, kept.former):
            raise StoreError(f"The store {self.name} keeps no rows of a run {run_id}.")
        return run_id or kept.current

    def _no_run_yet(self) -> StoreError:
        return StoreError(f"The store {self.name} holds no run yet; write one with `rollout run`.")


def _kept(connection: sa.Connection) -> _Kept:
    row = connection.execute(sa.select(CURRENT_RUN.c.run_id, CURRENT_RUN.c.former_run_id)).one_or_none()
    return _Kept(*row) if row else _Kept()


def _header(connection: sa.Connection, run_id: str) -> RunRecord:
    row = connection.execute(sa.select(RUNS).where(RUNS.c.run_id == run_id)).one()
    return RunRecord(**row._asdict())


def _enter(connection: sa.Connection, run: RunRecord, former: str | None) -> None:
    connection.execute(sa.insert(RUNS), asdict(run))
    connection.execute(sa.delete(CURRENT_RUN))
    connection.execute(sa.insert(CURRENT_RUN), {"slot": 1, "run_id": run.run_id, "former_run_id": former})


def _forget_older(connection: sa.Connection, table: Table, kept: _Kept) -> None:
    stored = STORED[table.name]
    keep = [run_id for run_id in (kept.current, kept.former) if run_id is not None]
    connection.execute(sa.delete(stored).where(stored.c.run_id.not_in(keep)))
