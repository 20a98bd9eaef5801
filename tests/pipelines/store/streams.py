"""Builds what a stream writes; every field has a plain default, so that a test names what matters."""

from dataclasses import replace

import polars as pl

from pipelines.store import Portion, RunRecord, Store
from tests.pipelines.store.runs import Cell, cells, intake, quarantine, run

ACME, BOLT, NO_SOURCE = "ACME", "BOLT", ""
SENTENCE = "The meter is there already."


def stream(run_id: str) -> RunRecord:
    return replace(run(run_id), kind="stream")


def portion(
    key: str = ACME,
    fence: int | None = None,
    cells_of: tuple[Cell, ...] = (),
    intake_of: dict[str, int] | None = None,
    rejected: dict[str, int] | None = None,
    quarantined: dict[str, str] | None = None,
) -> Portion:
    """`rejected` gives numbers by reason; `quarantined` reasons by provenance."""
    turned_away = [(key, "MeterInstalled", why, SENTENCE, at, 1) for at, why in (quarantined or {}).items()]
    return Portion(
        key,
        fence,
        cells(*(replace(cell, source_id=key) for cell in cells_of)),
        intake(*((key, status, records) for status, records in (intake_of or {}).items())),
        quarantine(*((key, "MeterInstalled", why, SENTENCE, "", rows) for why, rows in (rejected or {}).items())),
        quarantine(*turned_away),
    )


def begun(store: Store, run_id: str = "live", baseline: str | None = None) -> Store:
    store.begin_stream(stream(run_id), baseline)
    return store


def by_key(frame: pl.DataFrame) -> dict[tuple[str, ...], int]:
    """The last column by all others."""
    return {row[:-1]: row[-1] for row in frame.iter_rows()}


def values(store: Store, run_id: str | None = None) -> dict[str, int]:
    """The value of each cell by its detail."""
    return {str(row["detail"]): int(row["value"]) for row in store.cells(run_id).iter_rows(named=True)}


def rejections(store: Store) -> dict[str, int]:
    """How many records the history rules reject, by reason."""
    rows = store.quarantine().filter(pl.col("provenance") == "")
    return dict(rows.select("reason_code", "rows").iter_rows())


def provenances(store: Store) -> list[str]:
    """Where the records lie that validation turned away."""
    return store.quarantine().filter(pl.col("provenance") != "")["provenance"].to_list()
