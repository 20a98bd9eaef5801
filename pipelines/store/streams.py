"""Streams in a store: which run is a stream's, which run it goes on from, and whether it is live."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa

from pipelines.store.errors import StoreError
from pipelines.store.records import RunRecord
from pipelines.store.runs import enter, forget_older, header, kept, kept_runs
from pipelines.store.tables import FENCES, STREAMS, UtcDateTime
from schemas.tables import LEDGER_TABLES

STREAM: Final = "stream"


def live_run(connection: sa.Connection) -> str | None:
    """Returns the run of the live stream, if any."""
    return connection.scalar(sa.select(STREAMS.c.run_id).where(STREAMS.c.live))


def refuse_while_live(connection: sa.Connection, store: str) -> None:
    """Raises StoreError if a stream is live; `store` is the store's name for the message."""
    live = live_run(connection)
    if live is not None:
        raise StoreError(
            f"The stream of run {live} is live in the store {store}; end it first with `rollout stream stop`."
        )


def begin(connection: sa.Connection, store: str, run: RunRecord, goes_on_from: str | None) -> None:
    """Makes a stream's run the current one and live. Raises StoreError, see `Store.begin_stream`."""
    refuse_while_live(connection, store)
    if goes_on_from is not None and goes_on_from not in kept_runs(connection):
        raise StoreError(f"The store {store} keeps no rows of a run {goes_on_from} for a stream to go on from.")
    if goes_on_from is not None and header(connection, goes_on_from).kind == STREAM:
        raise StoreError(f"A stream goes on from a bounded run, and {goes_on_from} in {store} is a stream's run.")
    enter(connection, run)
    stream = {"run_id": run.run_id, "baseline_run_id": goes_on_from, "live": True}
    connection.execute(sa.insert(STREAMS), stream)
    for table in LEDGER_TABLES:
        forget_older(connection, table)


def end(connection: sa.Connection, run_id: str) -> None:
    """Marks the stream of a run as not live."""
    connection.execute(sa.update(STREAMS).where(STREAMS.c.run_id == run_id).values(live=False))


def resume(connection: sa.Connection, store: str, run_id: str) -> None:
    """Marks the stream of a run as live again. Raises StoreError if another stream is live or it is not current."""
    refuse_while_live(connection, store)
    if kept(connection).current != run_id:
        raise StoreError(f"The store {store} has another current run than {run_id}; start a new stream.")
    connection.execute(sa.update(STREAMS).where(STREAMS.c.run_id == run_id).values(live=True))


def is_live(connection: sa.Connection, run_id: str) -> bool:
    """Whether a run's stream is live; a lock keeps the stream from being ended until the transaction ends."""
    live = sa.select(STREAMS.c.live).where(STREAMS.c.run_id == run_id).with_for_update(read=True)
    return bool(connection.scalar(live))


def last_write(connection: sa.Connection, run_id: str) -> datetime | None:
    """Returns when a stream last wrote anything, None if it has not yet."""
    newest = sa.select(sa.func.max(FENCES.c.written_at, type_=UtcDateTime)).where(FENCES.c.run_id == run_id)
    return connection.scalar(newest)
