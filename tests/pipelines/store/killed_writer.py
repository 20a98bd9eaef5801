"""A process that writes a run and is killed in the middle: python -m tests.pipelines.store.killed_writer URL MOMENT."""

import os
import signal
import sys

import sqlalchemy as sa
from sqlalchemy import event

from pipelines.store import open_store, rows, sqlite
from tests.pipelines.store.runs import intake, many_cells, quarantine, run

SLICES = 4


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Middle:
    """Dies when half of the slices are inserted."""

    def __init__(self) -> None:
        self.inserted = 0

    def __call__(self, *call: object) -> None:
        """After each statement."""
        self.inserted += str(call[2]).startswith("INSERT INTO ledger_cells")
        if self.inserted == SLICES // 2:
            die()


def main(url: str, moment: str) -> None:
    # Pages go to the log at once, as those of a run do that is larger than the cache.
    sqlite.CACHE_KIB = 64
    if moment == "insert":
        event.listen(sa.Engine, "after_cursor_execute", Middle())
    else:
        event.listen(sa.Engine, "commit", die)
    cells = many_cells(SLICES * rows.SLICE_ROWS)
    open_store(url, create=True).write_run(run("killed"), cells, intake(), quarantine())


if __name__ == "__main__":
    main(*sys.argv[1:])
