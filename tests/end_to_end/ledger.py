"""What the end-to-end tests ask of a ledger."""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from pipelines.cli.standing import REST
from pipelines.store import Store, open_store
from tests.end_to_end.world import World, soon

# Long enough for a machine that does other work as well.
CATCH_UP_SECONDS = 900


def statuses(store: Store, run_id: str) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for _, status, records in store.standing(run_id)[1].iter_rows():
        totals[status] += records
    return totals


def at_rest(store_url: str, received: int) -> None:
    """The ledger has received so many records, every one of them is accounted for, and nothing more is written.

    A fold reaches the cells of several sources, and those of none, in transactions of their own.
    """
    store = open_store(store_url)
    run_id = store.current_run().run_id

    def holds() -> bool:
        totals = statuses(store, run_id)
        others = sum(totals[name] for name in ("accepted", "duplicate", "superseded", "pending", "rejected"))
        written = store.last_write(run_id)
        rests = written is not None and datetime.now(UTC) - written > REST
        return rests and totals["received"] == received == others

    soon(f"{received:,} records in the ledger", holds, CATCH_UP_SECONDS)


def cells_of(here: World, store_url: str, name: str) -> Path:
    path = here.home / f"{name}.csv"
    here.rollout("cells", "--store", store_url, "--out", path)
    return path
