"""The store of runs: a run's figures are written whole or not at all, and read as they stood at one moment.

`runs.py`, `streams.py` and `releases.py` say what is kept of runs, streams and releases; this module has the
transactions in which that is read and written.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import polars as pl
import sqlalchemy as sa

from pipelines.store.backend import Backend
from pipelines.store.errors import StoreConflict, StoreError
from pipelines.store.lines import in_byte_order
from pipelines.store.live import Fenced, LiveWrite, Portion
from pipelines.store.records import ReleaseRecord, RunRecord, VintageRecord
from pipelines.store.releases import (
    fitted_frames,
    forget_release,
    keep_vintage,
    replace_release,
    vintage_frame,
    vintages,
)
from pipelines.store.rows import fitted, with_first
from pipelines.store.runs import baseline, enter, forget_older, header, headers, kept, kept_runs, rows_of
from pipelines.store.streams import begin, end, is_live, last_write, live_run, refuse_while_live, resume
from pipelines.store.tables import LAYOUT, STORE_VERSION, STORED
from schemas.tables import LEDGER_CELLS, LEDGER_INTAKE, LEDGER_QUARANTINE, LEDGER_TABLES, Table

# How many times in all a transaction is tried if it ends in conflicts.
TRIES: Final = 5


class Store:
    """Runs and published tables in one database. Raises StoreError for every fault that a person can put right."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._joint: sa.Connection | None = None

    @property
    def name(self) -> str:
        """The store's name for messages."""
        return self._backend.name

    def require_layout(self) -> None:
        """Raises StoreError if the database exists but does not have our layout."""
        if self._backend.exists():
            with self._backend.reading() as connection:
                self._has_tables(connection)

    def current_run(self) -> RunRecord:
        """Returns the header of the current run; raises StoreError if there is none yet."""
        with self._reading() as connection:
            return header(connection, self._wanted(connection, None))

    def runs(self) -> tuple[RunRecord, ...]:
        """Returns the headers of all runs ever written, oldest first; raises StoreError if there is none yet."""
        with self._reading() as connection:
            found = headers(connection)
        if not found:
            raise self._no_run_yet()
        return found

    def cells(self, run_id: str | None = None, measures: Sequence[str] = ()) -> pl.DataFrame:
        """Returns the cells of a run, by default the current one: CELL_COLUMNS, in byte order of their CSV lines.

        With `measures`, only the cells of these measures.
        """
        column = STORED[LEDGER_CELLS.name].c.measure
        return self._ledger(LEDGER_CELLS, run_id, *([column.in_(measures)] if measures else []))

    def intake(self, run_id: str | None = None) -> pl.DataFrame:
        """Returns what became of each owner's records: owner, status, records, in byte order of their CSV lines."""
        return self._ledger(LEDGER_INTAKE, run_id)

    def quarantine(self, run_id: str | None = None) -> pl.DataFrame:
        """Returns what was rejected and why: LEDGER_QUARANTINE without run_id, in byte order of its CSV lines."""
        return self._ledger(LEDGER_QUARANTINE, run_id)

    def write_run(self, run: RunRecord, cells: pl.DataFrame, intake: pl.DataFrame, quarantine: pl.DataFrame) -> None:
        """Writes a run with all its rows and makes it the current one; an exception or a kill leaves nothing of it.

        Frames have the columns of the ledger tables without run_id. Raises StoreError, and ValueError for impossible
        rows (see `fitted`).
        """
        frames = {
            table: fitted(table, frame, "run_id")
            for table, frame in zip(LEDGER_TABLES, (cells, intake, quarantine), strict=True)
        }
        with self._writing() as connection:
            refuse_while_live(connection, self.name)
            enter(connection, run)
            for table, frame in frames.items():
                forget_older(connection, table)
                self._backend.insert(connection, table, with_first(table, ("run_id", run.run_id), frame))

    def write_release(self, release: ReleaseRecord, stock: pl.DataFrame, installations: pl.DataFrame) -> None:
        """Writes a release into the published tables, in place of any former one of its vintage, all or nothing.

        Frames have the columns of published_stock and published_installations without vintage.
        """
        frames = fitted_frames(stock, installations)
        with self._writing() as connection:
            replace_release(self._backend, connection, release, frames)

    def write_vintage(self, record: VintageRecord, cells: pl.DataFrame, figures: pl.DataFrame) -> None:
        """Writes a vintage with its exact cells and public figures. Raises StoreError if that vintage exists."""
        with self._writing() as connection:
            if any(one.vintage == record.vintage for one in vintages(connection)):
                raise StoreError(f"The store {self.name} has a release {record.vintage} already; it never changes.")
            keep_vintage(connection, record, cells, figures)

    def forget_release(self, vintage: str) -> None:
        """Deletes a release from the published tables, such as a draft that a release replaces."""
        with self._writing() as connection:
            forget_release(connection, vintage)

    def vintages(self) -> tuple[VintageRecord, ...]:
        """Returns the vintages in the order in which they were made."""
        with self._reading() as connection:
            return vintages(connection)

    def vintage_cells(self, vintage: str) -> pl.DataFrame:
        """Returns the exact cells that a release was made from: CELL_COLUMNS. Raises StoreError if it is unknown."""
        return self._vintage_frame(vintage, "cells")

    def vintage_figures(self, vintage: str) -> pl.DataFrame:
        """Returns the public counts of a release. Raises StoreError if it is unknown."""
        return self._vintage_frame(vintage, "figures")

    def _vintage_frame(self, vintage: str, name: str) -> pl.DataFrame:
        with self._reading() as connection:
            frame = vintage_frame(connection, vintage, name)
        if frame is None:
            raise StoreError(
                f"The store {self.name} has no release {vintage}; `rollout release list` names those it has."
            )
        return frame

    @contextmanager
    def together(self) -> Generator[None]:
        """Joins all writes within it into one transaction; reads within it see those writes."""
        with self._writing() as connection:
            self._joint = connection
            try:
                yield
            finally:
                self._joint = None

    def standing(self, run_id: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Returns the cells and the intake of a run as they stood at one moment."""
        with self._reading() as connection:
            wanted = self._wanted(connection, run_id)
            return rows_of(connection, LEDGER_CELLS, wanted), rows_of(connection, LEDGER_INTAKE, wanted)

    def cells_written(self, run_id: str) -> int:
        """Returns the number of a run's own cells, without those of its baseline."""
        cells = STORED[LEDGER_CELLS.name]
        with self._reading() as connection:
            wanted = sa.select(sa.func.count()).select_from(cells).where(cells.c.run_id == run_id)
            return connection.scalar(wanted) or 0

    def begin_stream(self, run: RunRecord, goes_on_from: str | None) -> None:
        """Makes a stream's run current and live; its figures are added to those of `goes_on_from`, its baseline.

        Raises StoreError if another stream is live, the rows of `goes_on_from` are not kept, or that is a stream's run.
        """
        with self._writing() as connection:
            begin(connection, self.name, run, goes_on_from)

    def write_portions(self, run_id: str, portions: Sequence[Portion]) -> dict[str, int]:
        """Writes a live stream's portions in one transaction and returns each key's fencing number.

        Raises Fenced if a newer worker writes a key or the stream is over, and StoreError.
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
            if not is_live(connection, run_id):
                raise Fenced(f"The stream of run {run_id} is over.")
            return LiveWrite(self._backend, connection, run_id).write(portions, datetime.now(UTC))

    def end_stream(self, run_id: str) -> None:
        """Marks a stream's run as no longer live; its figures stay."""
        with self._writing() as connection:
            end(connection, run_id)

    def resume_stream(self, run_id: str) -> None:
        """Marks the run of a stream that was ended as live again; raises StoreError if it is not the current run."""
        with self._writing() as connection:
            resume(connection, self.name, run_id)

    def keeps(self, run_id: str) -> bool:
        """Whether the rows of a run are kept."""
        if not self._backend.exists():
            return False
        with self._backend.reading() as connection:
            return self._has_tables(connection) and run_id in kept_runs(connection)

    def live_stream(self) -> RunRecord | None:
        """Returns the run of the live stream, if any."""
        if not self._backend.exists():
            return None
        with self._backend.reading() as connection:
            run_id = live_run(connection) if self._has_tables(connection) else None
            return None if run_id is None else header(connection, run_id)

    def baseline_of(self, run_id: str) -> str | None:
        """Returns the run that a stream's run goes on from, if any."""
        with self._reading() as connection:
            return baseline(connection, run_id)

    def last_write(self, run_id: str) -> datetime | None:
        """Returns when a stream last wrote anything, None if it has not yet."""
        with self._reading() as connection:
            return last_write(connection, run_id)

    def _ledger(self, table: Table, run_id: str | None, *further: sa.ColumnElement[bool]) -> pl.DataFrame:
        with self._reading() as connection:
            rows = rows_of(connection, table, self._wanted(connection, run_id), *further)
        return in_byte_order(rows)

    @contextmanager
    def _reading(self) -> Generator[sa.Connection]:
        if self._joint is not None:
            # What may not be read must not end the transaction that it is read in.
            with self._backend.part(self._joint):
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
        """Whether the database has the store's tables; raises StoreError for another layout or a database of others."""
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
        current = kept(connection).current
        if current is None:
            raise self._no_run_yet()
        if run_id is not None and run_id not in kept_runs(connection):
            raise StoreError(f"The store {self.name} keeps no rows of a run {run_id}.")
        return run_id or current

    def _no_run_yet(self) -> StoreError:
        return StoreError(f"The store {self.name} holds no run yet; write one with `rollout run`.")
