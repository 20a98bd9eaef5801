"""What a stream writes: for each totals key, absolute totals since the baseline, under a fencing number.

A worker takes the key's next number at its first write after a start, and that write replaces all rows of the key, so
none that a lost worker left can stay. From then on it writes what has changed. A worker with an older number is
refused: there is a newer one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from pipelines.store.rows import fitted, insert_rows, upsert_rows
from pipelines.store.tables import FENCES, STORED
from schemas.tables import LEDGER_CELLS, LEDGER_INTAKE, LEDGER_QUARANTINE, Table

VALUE = {LEDGER_CELLS.name: "value", LEDGER_INTAKE.name: "records"}


class Fenced(RuntimeError):
    """A newer worker writes this key; ours has been given up by the runner and must not go on."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What one totals key has to say in one transaction.

    `key` is a source's id, or empty for cells of no source. `fence` is the number that the key was last written under,
    or None to take the next and replace everything. `cells`, `intake` and `rejections` (quarantine rows without
    provenance) are absolute totals since the baseline, 0 for a row that goes; all are the key's own. `quarantined` are
    rows with provenance, each kept once however often it comes.
    """

    key: str
    fence: int | None
    cells: pl.DataFrame
    intake: pl.DataFrame
    rejections: pl.DataFrame
    quarantined: pl.DataFrame


def write(connection: sa.Connection, run_id: str, portions: Sequence[Portion], now: datetime) -> dict[str, int]:
    """All portions are written, none or all; gives each key's fencing number. Raises Fenced."""
    # Two writers take their keys' rows in the same order, so neither waits for the other in a circle.
    ordered = sorted(portions, key=lambda portion: portion.key)
    fences = {portion.key: _fence(connection, run_id, portion, now) for portion in ordered}
    for portion in ordered:
        if portion.fence is None:
            _clear(connection, run_id, portion.key)
    _totals(connection, run_id, LEDGER_CELLS, [portion.cells for portion in ordered])
    _totals(connection, run_id, LEDGER_INTAKE, [portion.intake for portion in ordered])
    _rejections(connection, run_id, pl.concat([portion.rejections for portion in ordered]))
    _quarantined(connection, run_id, pl.concat([portion.quarantined for portion in ordered]))
    return fences


def _fence(connection: sa.Connection, run_id: str, portion: Portion, now: datetime) -> int:
    at = (FENCES.c.run_id == run_id) & (FENCES.c.key == portion.key)
    bump = FENCES.c.number + 1 if portion.fence is None else FENCES.c.number
    condition = at if portion.fence is None else at & (FENCES.c.number == portion.fence)
    number = connection.scalar(
        sa.update(FENCES).where(condition).values(number=bump, written_at=now).returning(FENCES.c.number)
    )
    if number is not None:
        return number
    if portion.fence is not None:
        raise Fenced(f"Another worker writes {portion.key or 'the cells of no source'} of run {run_id}.")
    connection.execute(sa.insert(FENCES), {"run_id": run_id, "key": portion.key, "number": 1, "written_at": now})
    return 1


def _clear(connection: sa.Connection, run_id: str, key: str) -> None:
    cells, intake, rows = (STORED[table.name].c for table in (LEDGER_CELLS, LEDGER_INTAKE, LEDGER_QUARANTINE))
    for table, condition in (
        (LEDGER_CELLS, (cells.run_id == run_id) & (cells.source_id == key)),
        (LEDGER_INTAKE, (intake.run_id == run_id) & (intake.owner == key)),
        (LEDGER_QUARANTINE, (rows.run_id == run_id) & (rows.owner == key) & (rows.provenance == "")),
    ):
        connection.execute(sa.delete(STORED[table.name]).where(condition))


def _totals(connection: sa.Connection, run_id: str, table: Table, frames: list[pl.DataFrame]) -> None:
    totals, value = pl.concat(frames), VALUE[table.name]
    gone = totals.filter(pl.col(value) == 0)
    if gone.height:
        _delete(connection, run_id, table, gone)
    kept = fitted(table, totals.filter(pl.col(value) != 0), "run_id")
    upsert_rows(connection, table, ("run_id", run_id), kept)


def _delete(connection: sa.Connection, run_id: str, table: Table, rows: pl.DataFrame) -> None:
    stored, names = STORED[table.name], [name for name in table.key if name != "run_id"]
    condition = sa.and_(stored.c.run_id == run_id, *(stored.c[name] == sa.bindparam(f"of_{name}") for name in names))
    wanted = rows.select(pl.col(name).alias(f"of_{name}") for name in names).to_dicts()
    connection.execute(sa.delete(stored).where(condition), wanted)


def _rejections(connection: sa.Connection, run_id: str, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        return
    stored = STORED[LEDGER_QUARANTINE.name]
    names = ("owner", "record_type", "reason_code", "provenance")
    condition = sa.and_(stored.c.run_id == run_id, *(stored.c[name] == sa.bindparam(f"of_{name}") for name in names))
    connection.execute(
        sa.delete(stored).where(condition), rows.select(pl.col(name).alias(f"of_{name}") for name in names).to_dicts()
    )
    # Below 0 where what the baseline rejected has been lifted since; readers add the two.
    kept = fitted(LEDGER_QUARANTINE, rows.filter(pl.col("rows") != 0), "run_id")
    insert_rows(connection, LEDGER_QUARANTINE, ("run_id", run_id), kept)


def _quarantined(connection: sa.Connection, run_id: str, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        return
    stored: Any = STORED[LEDGER_QUARANTINE.name]
    # Read again after a restart, a message gives the same rows.
    distinct = rows.unique(maintain_order=True)
    for part in distinct.select("owner", "provenance").unique().iter_slices(500):
        at = sa.tuple_(stored.c.owner, stored.c.provenance).in_(part.rows())
        connection.execute(sa.delete(stored).where(stored.c.run_id == run_id, at))
    insert_rows(connection, LEDGER_QUARANTINE, ("run_id", run_id), fitted(LEDGER_QUARANTINE, distinct, "run_id"))


def summed(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a baseline and of a stream since then as one ledger: totals added, those that come to 0 left out."""
    if table is LEDGER_QUARANTINE:
        placed = frame.filter(pl.col("provenance") != "")
        return pl.concat([placed, _added(frame.filter(pl.col("provenance") == ""), "rows")])
    return _added(frame, VALUE[table.name])


def _added(frame: pl.DataFrame, value: str) -> pl.DataFrame:
    names = [name for name in frame.columns if name != value]
    return frame.group_by(names).agg(pl.col(value).sum()).filter(pl.col(value) != 0).select(frame.columns)
