"""Waits until a live ledger has reached what a recount of the log counted, and returns its cells."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from pipelines.bounded import Answer
from pipelines.cli.display import STDERR
from pipelines.events.conservation import balance_of
from pipelines.log.connection import LogError
from pipelines.store import Store

# While the stream catches up, one source's totals may be written some seconds after another's that the same fold has
# reached (waiting.WRITE_SECONDS plus the write itself); the ledger is at rest once none was written for longer.
REST: Final = timedelta(seconds=10)
POLL_SECONDS: Final = 0.5
# A ledger that has not changed for this long will not change.
PATIENCE: Final = timedelta(seconds=60)


def standing_at(store: Store, run_id: str, counted: Answer, has_grown: Callable[[], bool]) -> pl.DataFrame:
    """Returns a run's cells, read in one transaction once the ledger is at rest and holds all that was counted.

    Stops waiting if the ledger no longer changes, and returns its cells as they are. Raises LogError if the log has
    grown in the meantime, since the two then counted different logs.
    """
    begin = datetime.now(UTC)
    while True:
        written = store.last_write(run_id)
        cells, intake = store.standing(run_id)
        now = datetime.now(UTC)
        still = written is None or now - written > REST
        if still and (written is None or _has_reached(intake, counted)):
            break
        if now - max(written or begin, begin) > PATIENCE:
            STDERR.print("The ledger has not reached the log's end and does not move; it is compared as it stands.")
            break
        time.sleep(POLL_SECONDS)
    if has_grown():
        raise LogError("The log has grown while it was counted again; end the feed, or verify again when it rests.")
    return cells


def _has_reached(intake: pl.DataFrame, counted: Answer) -> bool:
    """Whether the ledger has received as many records of each owner as were counted, and all are accounted for."""
    ours, theirs = balance_of(intake).table, counted.balance.table
    if (ours["difference"] != 0).any():
        return False
    wanted = theirs.filter((pl.col("received") > 0) | (pl.col("unknown") > 0)).select("owner", "received", "unknown")
    return wanted.join(ours, on=["owner", "received", "unknown"], how="anti").is_empty()
