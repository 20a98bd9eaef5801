"""What a stream writes: for each totals key, absolute totals since the baseline, under a fencing number.

A worker takes the key's next number at its first write after a start, and that write replaces all rows of the key, so
none that a lost worker left can stay. From then on it writes what has changed. A worker with an older number is
refused: there is a newer one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipelines.store.rows import fitted, insert_rows, replace_rows, schema_of, upsert_rows
from pipelines.store.tables import FENCES, STORED
from schemas.tables import LEDGER_CELLS, LEDGER_INTAKE, LEDGER_QUARANTINE, Table

VALUES: Final = {LEDGER_CELLS.name: "value", LEDGER_INTAKE.name: "records", LEDGER_QUARANTINE.name: "rows"}
OWNERS: Final = {LEDGER_CELLS.name: "source_id", LEDGER_INTAKE.name: "owner", LEDGER_QUARANTINE.name: "owner"}
FRAMES: Final = {LEDGER_CELLS.name: "cells", LEDGER_INTAKE.name: "intake", LEDGER_QUARANTINE.name: "rejections"}


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
    _require_own_rows(ordered)
    fences = {portion.key: _fence(connection, run_id, portion, now) for portion in ordered}
    whole = [portion for portion in ordered if portion.fence is None]
    changed = [portion for portion in ordered if portion.fence is not None]
    for table in (LEDGER_CELLS, LEDGER_INTAKE, LEDGER_QUARANTINE):
        if whole:
            _replace(connection, run_id, table, whole)
        totals = _totals(changed, table)
        if not totals.is_empty():
            _put(connection, run_id, table, totals)
    _keep(connection, run_id, pl.concat([portion.quarantined for portion in ordered]))
    return fences


def _require_own_rows(portions: Sequence[Portion]) -> None:
    """Raises ValueError, since it is our fault, for a key that comes twice or rows that are another key's."""
    if len({portion.key for portion in portions}) < len(portions):
        raise ValueError("a key comes twice in one transaction")
    for portion in portions:
        owners = (portion.cells["source_id"], *(rows["owner"] for rows in (portion.intake, portion.rejections)))
        for names in (*owners, portion.quarantined["owner"]):
            if (names != portion.key).any():
                raise ValueError(f"a portion of {portion.key or 'no source'} has rows of another")


def _fence(connection: sa.Connection, run_id: str, portion: Portion, now: datetime) -> int:
    """The number that the key is written under from now on; others wait for the key until the transaction ends."""
    if portion.fence is None:
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(FENCES)
        first = insert.values(run_id=run_id, key=portion.key, number=1, written_at=now)
        next_one = {"number": FENCES.c.number + 1, "written_at": now}
        taken = first.on_conflict_do_update(index_elements=["run_id", "key"], set_=next_one)
        return connection.execute(taken.returning(FENCES.c.number)).scalar_one()
    ours = (FENCES.c.run_id == run_id) & (FENCES.c.key == portion.key) & (FENCES.c.number == portion.fence)
    if connection.execute(sa.update(FENCES).where(ours).values(written_at=now)).rowcount != 1:
        raise Fenced(f"Another worker writes {portion.key or 'the cells of no source'} of run {run_id}.")
    return portion.fence


def _totals(portions: Sequence[Portion], table: Table) -> pl.DataFrame:
    frames = [getattr(portion, FRAMES[table.name]) for portion in portions]
    return pl.concat([pl.DataFrame(schema=schema_of(table, "run_id")), *frames])


def _replace(connection: sa.Connection, run_id: str, table: Table, portions: Sequence[Portion]) -> None:
    """Totals that are not 0 are there, and no others of these keys; rows with provenance stay."""
    stored, keys = STORED[table.name].c, [portion.key for portion in portions]
    totals = sa.and_(stored.run_id == run_id, stored[OWNERS[table.name]].in_(keys))
    if table is LEDGER_QUARANTINE:
        totals &= stored.provenance == ""
    replace_rows(connection, table, ("run_id", run_id), _that_stand(table, _totals(portions, table)), totals)


def _that_stand(table: Table, totals: pl.DataFrame) -> pl.DataFrame:
    return fitted(table, totals.filter(pl.col(VALUES[table.name]) != 0), "run_id")


def _put(connection: sa.Connection, run_id: str, table: Table, totals: pl.DataFrame) -> None:
    """Totals stand in place of those of the same keys; 0 leaves none."""
    value, kept, first = VALUES[table.name], _that_stand(table, totals), ("run_id", run_id)
    if table is LEDGER_QUARANTINE:
        # Without a key of its own. Below 0 where what the baseline rejected is lifted since; readers add the two.
        _delete(connection, run_id, table, totals.select("owner", "record_type", "reason_code", "provenance"))
        insert_rows(connection, table, first, kept)
    else:
        _delete(connection, run_id, table, totals.filter(pl.col(value) == 0).drop(value))
        upsert_rows(connection, table, first, kept)


def _delete(connection: sa.Connection, run_id: str, table: Table, rows: pl.DataFrame) -> None:
    """The rows of a table that have such values are not there."""
    if rows.is_empty():
        return
    stored = STORED[table.name]
    each = sa.and_(stored.c.run_id == run_id, *(stored.c[name] == sa.bindparam(f"of_{name}") for name in rows.columns))
    connection.execute(sa.delete(stored).where(each), rows.rename(lambda name: f"of_{name}").to_dicts())


def _keep(connection: sa.Connection, run_id: str, rows: pl.DataFrame) -> None:
    """Rows with provenance are there once: read again after a restart, a message gives the same rows."""
    if rows.is_empty():
        return
    distinct = fitted(LEDGER_QUARANTINE, rows.unique(maintain_order=True), "run_id")
    _delete(connection, run_id, LEDGER_QUARANTINE, distinct.select("owner", "provenance").unique())
    insert_rows(connection, LEDGER_QUARANTINE, ("run_id", run_id), distinct)


def summed(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a baseline and of a stream since then as one ledger: totals added, those that come to 0 left out."""
    if table is LEDGER_QUARANTINE:
        placed = frame.filter(pl.col("provenance") != "")
        return pl.concat([placed, _added(frame.filter(pl.col("provenance") == ""), "rows")])
    return _added(frame, VALUES[table.name])


def _added(frame: pl.DataFrame, value: str) -> pl.DataFrame:
    names = [name for name in frame.columns if name != value]
    return frame.group_by(names).agg(pl.col(value).sum()).filter(pl.col(value) != 0).select(frame.columns)
