"""Runs in a store: their headers, which of them is current, and the rows of those that are kept.

Retention: the rows of the current run, of the one before it and of the runs that these go on from are kept; of older
runs only the header is. The transaction that writes a run deletes older rows.
"""

from dataclasses import asdict, dataclass

import polars as pl
import sqlalchemy as sa

from pipelines.store.live import summed
from pipelines.store.records import RunRecord
from pipelines.store.rows import read_rows
from pipelines.store.tables import CURRENT_RUN, RUNS, STORED, STREAMS
from schemas.tables import Table


@dataclass(frozen=True, slots=True)
class Kept:
    """The current run and the one before it, None if there is none."""

    current: str | None = None
    former: str | None = None


def kept(connection: sa.Connection) -> Kept:
    """Returns the current run and the one before it."""
    row = connection.execute(sa.select(CURRENT_RUN.c.run_id, CURRENT_RUN.c.former_run_id)).one_or_none()
    return Kept(*row) if row else Kept()


def header(connection: sa.Connection, run_id: str) -> RunRecord:
    """Returns the header of a run, which must exist."""
    row = connection.execute(sa.select(RUNS).where(RUNS.c.run_id == run_id)).one()
    return RunRecord(**row._asdict())


def headers(connection: sa.Connection) -> tuple[RunRecord, ...]:
    """Returns the headers of all runs, oldest first."""
    rows = connection.execute(sa.select(RUNS).order_by(RUNS.c.finished_at, RUNS.c.run_id))
    return tuple(RunRecord(**row._asdict()) for row in rows)


def enter(connection: sa.Connection, run: RunRecord) -> None:
    """Writes the header of a new run and makes it the current one."""
    former = kept(connection).current
    connection.execute(sa.insert(RUNS), asdict(run))
    connection.execute(sa.delete(CURRENT_RUN))
    connection.execute(sa.insert(CURRENT_RUN), {"slot": 1, "run_id": run.run_id, "former_run_id": former})


def baseline(connection: sa.Connection, run_id: str) -> str | None:
    """Returns the run that a stream's run goes on from, if any."""
    return connection.scalar(sa.select(STREAMS.c.baseline_run_id).where(STREAMS.c.run_id == run_id))


def kept_runs(connection: sa.Connection) -> set[str]:
    """Returns the runs whose rows are kept: the current one, the former one, and those that either goes on from."""
    both = kept(connection)
    named = {run_id for run_id in (both.current, both.former) if run_id is not None}
    return named | {run_id for run_id in (baseline(connection, one) for one in named) if run_id is not None}


def forget_older(connection: sa.Connection, table: Table) -> None:
    """Deletes a table's rows of runs that are not kept."""
    stored = STORED[table.name]
    connection.execute(sa.delete(stored).where(stored.c.run_id.not_in(kept_runs(connection))))


def rows_of(connection: sa.Connection, table: Table, run_id: str, *further: sa.ColumnElement[bool]) -> pl.DataFrame:
    """Returns the rows of a run; for a stream's run, summed with those of its baseline."""
    rows = read_rows(connection, table, ("run_id", run_id), *further)
    before = baseline(connection, run_id)
    if before is None:
        return rows
    return summed(table, pl.concat([read_rows(connection, table, ("run_id", before), *further), rows]))
