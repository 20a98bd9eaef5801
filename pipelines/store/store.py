"""A store of runs: what a run counted is written whole or not at all, and read as it stood at one moment.

Retention: the rows of the current run and of the one before it are kept, and of the runs that these go on from; of
older runs only the header. Older rows go in the transaction that writes a run.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl
import sqlalchemy as sa

from pipelines.store.backend import Backend
from pipelines.store.errors import StoreConflict, StoreError
from pipelines.store.lines import in_byte_order
from pipelines.store.live import Fenced, Portion, summed, write
from pipelines.store.records import ReleaseRecord, RunRecord
from pipelines.store.rows import fitted, insert_rows, read_rows
from pipelines.store.tables import CURRENT_RUN, FENCES, LAYOUT, RUNS, STORE_VERSION, STORED, STREAMS, UtcDateTime
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

STREAM: Final = "stream"
# Transactions that a deadlock ends are begun again so often.
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class _Kept:
    """The runs whose rows are kept; None where there is none."""

    current: str | None = None
    former: str | None = None


class Store:
    """Runs and published tables in one database; every fault that a person can put right is a StoreError."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._joint: sa.Connection | None = None

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
            rows = connection.execute(sa.select(RUNS).order_by(RUNS.c.finished_at, RUNS.c.run_id)).all()
        if not rows:
            raise self._no_run_yet()
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
            self._refuse_while_live(connection)
            former = _kept(connection).current
            _enter(connection, run, former)
            for table, frame in frames.items():
                _forget_older(connection, table)
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

    @contextmanager
    def together(self) -> Generator[None]:
        """All that is written within is written in one transaction; what is read within is as it will stand."""
        with self._writing() as connection:
            self._joint = connection
            try:
                yield
            finally:
                self._joint = None

    def standing(self, run_id: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Cells and intake of a run as they stood at one moment."""
        with self._reading() as connection:
            kept = self._wanted(connection, run_id)
            return _whole(connection, LEDGER_CELLS, kept), _whole(connection, LEDGER_INTAKE, kept)

    def cells_written(self, run_id: str) -> int:
        """How many cells a run has by itself, those of its baseline not counted."""
        cells = STORED[LEDGER_CELLS.name]
        with self._reading() as connection:
            wanted = sa.select(sa.func.count()).select_from(cells).where(cells.c.run_id == run_id)
            return connection.scalar(wanted) or 0

    def begin_stream(self, run: RunRecord, baseline: str | None) -> None:
        """The run of a stream is the current one and live; its figures are those of the baseline and what it adds.

        Raises StoreError where another stream is live, the rows of the baseline are not kept, or it is a stream's run.
        """
        with self._writing() as connection:
            self._refuse_while_live(connection)
            former = _kept(connection).current
            if baseline is not None and baseline not in _kept_runs(connection):
                raise StoreError(f"The store {self.name} keeps no rows of a run {baseline} for a stream to go on from.")
            if baseline is not None and _header(connection, baseline).kind == STREAM:
                raise StoreError(f"A stream goes on from a bounded run, and {baseline} in {self.name} is none.")
            _enter(connection, run, former)
            stream = {"run_id": run.run_id, "baseline_run_id": baseline, "live": True}
            connection.execute(sa.insert(STREAMS), stream)
            for table in LEDGER_TABLES:
                _forget_older(connection, table)

    def write_portions(self, run_id: str, portions: Sequence[Portion]) -> dict[str, int]:
        """A live stream's portions are written in one transaction; gives each key's fencing number.

        Raises Fenced where a newer worker writes a key or the stream is over, and StoreError.
        """
        for _ in range(TRIES - 1):
            try:
                return self._write_portions(run_id, portions)
            except StoreConflict:
                continue
        return self._write_portions(run_id, portions)

    def _write_portions(self, run_id: str, portions: Sequence[Portion]) -> dict[str, int]:
        if not portions:
            return {}
        with self._backend.writing(live=True) as connection:
            # Whoever ends the stream waits until we have written, and we see it when it has ended.
            live = sa.select(STREAMS.c.live).where(STREAMS.c.run_id == run_id).with_for_update(read=True)
            if not connection.scalar(live):
                raise Fenced(f"The stream of run {run_id} is over.")
            return write(connection, run_id, portions, datetime.now(UTC))

    def end_stream(self, run_id: str) -> None:
        """The stream's run is not live any more; its figures stand."""
        with self._writing() as connection:
            connection.execute(sa.update(STREAMS).where(STREAMS.c.run_id == run_id).values(live=False))

    def resume_stream(self, run_id: str) -> None:
        """The run of a stream that was ended is live again; raises StoreError where it is not the current run."""
        with self._writing() as connection:
            self._refuse_while_live(connection)
            if _kept(connection).current != run_id:
                raise StoreError(f"The store {self.name} has another current run than {run_id}; start a new stream.")
            connection.execute(sa.update(STREAMS).where(STREAMS.c.run_id == run_id).values(live=True))

    def keeps(self, run_id: str) -> bool:
        """Whether the rows of a run are kept."""
        if not self._backend.exists():
            return False
        with self._backend.reading() as connection:
            return self._has_tables(connection) and run_id in _kept_runs(connection)

    def live_stream(self) -> RunRecord | None:
        """The run of the stream that is live, if any."""
        if not self._backend.exists():
            return None
        with self._backend.reading() as connection:
            run_id = _live(connection) if self._has_tables(connection) else None
            return None if run_id is None else _header(connection, run_id)

    def baseline_of(self, run_id: str) -> str | None:
        """The run that a stream's run went on from, if any."""
        with self._reading() as connection:
            return _baseline(connection, run_id)

    def last_write(self, run_id: str) -> datetime | None:
        """When a stream last wrote anything; None before it has."""
        with self._reading() as connection:
            newest = sa.select(sa.func.max(FENCES.c.written_at, type_=UtcDateTime)).where(FENCES.c.run_id == run_id)
            return connection.scalar(newest)

    def _refuse_while_live(self, connection: sa.Connection) -> None:
        live = _live(connection)
        if live is not None:
            raise StoreError(
                f"The stream of run {live} is live in the store {self.name}; end it first with `rollout stream stop`."
            )

    def _ledger(self, table: Table, run_id: str | None, *further: sa.ColumnElement[bool]) -> pl.DataFrame:
        with self._reading() as connection:
            rows = _whole(connection, table, self._wanted(connection, run_id), *further)
        return in_byte_order(rows)

    @contextmanager
    def _reading(self) -> Generator[sa.Connection]:
        if self._joint is not None:
            yield self._joint
            return
        if not self._backend.exists():
            raise self._no_run_yet()
        with self._backend.reading() as connection:
            if not self._has_tables(connection):
                raise self._no_run_yet()
            yield connection

    @contextmanager
    def _writing(self) -> Generator[sa.Connection]:
        if self._joint is not None:
            with self._backend.part(self._joint):
                yield self._joint
            return
        with self._backend.writing() as connection:
            if not self._has_tables(connection):
                self._backend.make_tables(connection)
            yield connection

    def _has_tables(self, connection: sa.Connection) -> bool:
        """False for a database that a first write makes a store; raises StoreError for one of another layout."""
        tables = sa.inspect(connection).get_table_names()
        if STORE_VERSION.name not in tables:
            self._backend.require_ours(tables)
            return False
        number = connection.scalar(sa.select(STORE_VERSION.c.number)) or 0
        if number > LAYOUT:
            raise StoreError(f"The store {self.name} was written by a newer version of this program; use that version.")
        if number < LAYOUT:
            older = f"The store {self.name} was written by an older version of this program"
            raise StoreError(f"{older}; {self._backend.remedy}.")
        return True

    def _wanted(self, connection: sa.Connection, run_id: str | None) -> str:
        kept = _kept(connection)
        if kept.current is None:
            raise self._no_run_yet()
        if run_id is not None and run_id not in _kept_runs(connection):
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


def _live(connection: sa.Connection) -> str | None:
    return connection.scalar(sa.select(STREAMS.c.run_id).where(STREAMS.c.live))


def _baseline(connection: sa.Connection, run_id: str) -> str | None:
    return connection.scalar(sa.select(STREAMS.c.baseline_run_id).where(STREAMS.c.run_id == run_id))


def _whole(connection: sa.Connection, table: Table, run_id: str, *further: sa.ColumnElement[bool]) -> pl.DataFrame:
    """The rows of a run; of a stream's, those of its baseline with them."""
    rows = read_rows(connection, table, ("run_id", run_id), *further)
    baseline = _baseline(connection, run_id)
    if baseline is None:
        return rows
    return summed(table, pl.concat([read_rows(connection, table, ("run_id", baseline), *further), rows]))


def _kept_runs(connection: sa.Connection) -> set[str]:
    """The runs whose rows are kept: the current one, the former, and what either goes on from."""
    kept = _kept(connection)
    named = {run_id for run_id in (kept.current, kept.former) if run_id is not None}
    return named | {run_id for run_id in (_baseline(connection, one) for one in named) if run_id is not None}


def _forget_older(connection: sa.Connection, table: Table) -> None:
    stored = STORED[table.name]
    connection.execute(sa.delete(stored).where(stored.c.run_id.not_in(_kept_runs(connection))))
