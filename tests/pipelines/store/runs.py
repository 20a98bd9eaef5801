"""Builds runs and their frames; every field has a plain default, so that a test names what matters."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pipelines.store import RunRecord, Store, open_store
from schemas.tables import CELL_COLUMNS

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
INTAKE_SCHEMA = {"owner": pl.String, "status": pl.String, "records": pl.Int64}
QUARANTINE_SCHEMA = dict.fromkeys(("owner", "record_type", "reason_code", "sentence", "provenance"), pl.String) | {
    "rows": pl.Int64
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the ledger."""

    value: int = 1
    measure: str = "meters"
    quarter: str = "2026Q3"
    source_id: str = "BGAS"
    region_code: str = "E12000007"
    fuel: str = "ELECTRICITY"
    sector: str = "DOMESTIC"
    meter_type: str = "SMETS2"
    operating_mode: str = "SMART"
    payment_mode: str = "CREDIT"
    detail: str = ""


def cells(*rows: Cell) -> pl.DataFrame:
    types = {column.name: pl.Int64 if column.type == "integer" else pl.String for column in CELL_COLUMNS}
    return pl.DataFrame([[getattr(row, name) for name in types] for row in rows], schema=types, orient="row")


def many_cells(count: int) -> pl.DataFrame:
    number = pl.int_range(count, eager=True)
    return cells(Cell()).select(pl.all().exclude("detail", "value").first()).join(
        pl.DataFrame({"detail": number.cast(pl.String), "value": number + 1}), how="cross"
    )  # fmt: skip


def intake(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=INTAKE_SCHEMA, orient="row")


def quarantine(*rows: tuple[str, str, str, str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=QUARANTINE_SCHEMA, orient="row")


def run(run_id: str, synthetic: bool = True, as_at: datetime | None = None) -> RunRecord:
    words = ("key-1", "rules-1", "schemas-1", "code-1", "[]")
    return RunRecord(run_id, NOON, NOON, "bounded", synthetic, as_at, "received_at", *words, received=1)


def write(store: Store, run_id: str, *rows: Cell) -> None:
    store.write_run(run(run_id), cells(*rows), intake(("BGAS", "received", len(rows))), quarantine())


def new_store(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'rollout.db'}", create=True)
