"""Writes a stream's figures: for each totals key, absolute totals since the baseline, under a fencing number.

A worker takes the key's next number at its first write after a start. That write replaces all rows of the key, so none
that a lost worker left can stay. From then on it writes only what has changed. A worker with an older number is
refused, because a newer worker has taken its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
import sqlalchemy as sa

from pipelines.store.backend import Backend
from pipelines.store.rows import fitted, schema_of, with_first
from pipelines.store.tables import FENCES, STORED
from schemas.tables import LEDGER_CELLS, LEDGER_INTAKE, LEDGER_QUARANTINE, Table

VALUES: Final = {LEDGER_CELLS.name: "value", LEDGER_INTAKE.name: "records", LEDGER_QUARANTINE.name: "rows"}
OWNERS: Final = {LEDGER_CELLS.name: "source_id", LEDGER_INTAKE.name: "owner", LEDGER_QUARANTINE.name: "owner"}
FRAMES: Final = {LEDGER_CELLS.name: "cells", LEDGER_INTAKE.name: "intake", LEDGER_QUARANTINE.name: "rejections"}


class Fenced(RuntimeError):
    """A newer worker writes this key; the runner has given up on ours, which must not go on."""


@dataclass(frozen=True, slots=True)
class Portion:
    """The rows that one totals key writes in one transaction.

    `key` is a source's id, or empty for cells of no source. `fence` is the number that the key was last written under,
    or None to take the next and replace everything. `cells`, `intake` and `rejections` (quarantine rows without
    provenance) are absolute totals since the baseline, 0 for a row to be deleted; all belong to the key. `quarantined`
    are rows with provenance, each kept once however often it arrives.
    """

    key: str
    fence: int | None
    cells: pl.DataFrame
    intake: pl.DataFrame
    rejections: pl.DataFrame
    quarantined: pl.DataFrame


@dataclass(frozen=True, slots=True)
class LiveWrite:
    """One write transaction of a live stream's run."""

    backend: Backend
    connection: sa.Connection
    run_id: str

    def write(self, portions: Sequence[Portion], now: datetime) -> dict[str, int]:
        """Writes all portions or none and returns each key's fencing number. Raises Fenced."""
        # All writers lock their keys' rows in the same order, so that they cannot deadlock.
        ordered = sorted(portions, key=lambda portion: portion.key)
        _require_own_rows(ordered)
        fences = {portion.key: self._fence(portion, now) for portion in ordered}
        whole = [portion for portion in ordered if portion.fence is None]
        changed = [portion for portion in ordered if portion.fence is not None]
        for table in (LEDGER_CELLS, LEDGER_INTAKE, LEDGER_QUARANTINE):
            if whole:
                self._replace(table, whole)
            totals = _totals(changed, table)
            if not totals.is_empty():
                self._put(table, totals)
        self._keep(pl.concat([portion.quarantined for portion in ordered]))
        return fences

    def _fence(self, portion: Portion, now: datetime) -> int:
        """Returns the key's fencing number from now on; locks the key until the transaction ends."""
        if portion.fence is None:
            return self.backend.next_fence(self.connection, self.run_id, portion.key, now)
        ours = (FENCES.c.run_id == self.run_id) & (FENCES.c.key == portion.key) & (FENCES.c.number == portion.fence)
        if self.connection.execute(sa.update(FENCES).where(ours).values(written_at=now)).rowcount != 1:
            raise Fenced(f"Another worker writes {portion.key or 'the cells of no source'} of run {self.run_id}.")
        return portion.fence

    def _replace(self, table: Table, portions: Sequence[Portion]) -> None:
        """Replaces all totals of the portions' keys by those that are not 0; rows with provenance stay."""
        stored, keys = STORED[table.name].c, [portion.key for portion in portions]
        totals = sa.and_(stored.run_id == self.run_id, stored[OWNERS[table.name]].in_(keys))
        if table is LEDGER_QUARANTINE:
            totals &= stored.provenance == ""
        rows = self._of_run(table, _that_stand(table, _totals(portions, table)))
        self.backend.replace(self.connection, table, rows, totals)

    def _put(self, table: Table, totals: pl.DataFrame) -> None:
        """Replaces the totals of the same table keys; deletes those that are 0."""
        value, kept = VALUES[table.name], self._of_run(table, _that_stand(table, totals))
        if table is LEDGER_QUARANTINE:
            # This table has no key. A total is below 0 if a rejection in the baseline has been lifted since; readers
            # add the two.
            self._delete(table, totals.select("owner", "record_type", "reason_code", "provenance"))
            self.backend.insert(self.connection, table, kept)
        else:
            self._delete(table, totals.filter(pl.col(value) == 0).drop(value))
            self.backend.upsert(self.connection, table, kept)

    def _delete(self, table: Table, rows: pl.DataFrame) -> None:
        """Deletes the run's rows of a table that have the same values as any of these rows."""
        if rows.is_empty():
            return
        stored = STORED[table.name]
        each = (stored.c[name] == sa.bindparam(f"of_{name}") for name in rows.columns)
        mine = sa.and_(stored.c.run_id == self.run_id, *each)
        self.connection.execute(sa.delete(stored).where(mine), rows.rename(lambda name: f"of_{name}").to_dicts())

    def _keep(self, rows: pl.DataFrame) -> None:
        """Keeps each row with provenance once; a message that is read again after a restart makes the same rows."""
        if rows.is_empty():
            return
        distinct = fitted(LEDGER_QUARANTINE, rows.unique(maintain_order=True), "run_id")
        self._delete(LEDGER_QUARANTINE, distinct.select("owner", "provenance").unique())
        self.backend.insert(self.connection, LEDGER_QUARANTINE, self._of_run(LEDGER_QUARANTINE, distinct))

    def _of_run(self, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
        return with_first(table, ("run_id", self.run_id), rows)


def _require_own_rows(portions: Sequence[Portion]) -> None:
    """Raises ValueError, since it is our fault, if a key occurs twice or a portion has rows of another key."""
    if len({portion.key for portion in portions}) < len(portions):
        raise ValueError("a key comes twice in one transaction")
    for portion in portions:
        owners = (portion.cells["source_id"], *(rows["owner"] for rows in (portion.intake, portion.rejections)))
        for names in (*owners, portion.quarantined["owner"]):
            if (names != portion.key).any():
                raise ValueError(f"a portion of {portion.key or 'no source'} has rows of another")


def _totals(portions: Sequence[Portion], table: Table) -> pl.DataFrame:
    frames = [getattr(portion, FRAMES[table.name]) for portion in portions]
    return pl.concat([pl.DataFrame(schema=schema_of(table, "run_id")), *frames])


def _that_stand(table: Table, totals: pl.DataFrame) -> pl.DataFrame:
    return fitted(table, totals.filter(pl.col(VALUES[table.name]) != 0), "run_id")


def summed(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows of a baseline and of a stream since then as one ledger: totals added, zeros removed."""
    if table is LEDGER_QUARANTINE:
        placed = frame.filter(pl.col("provenance") != "")
        return pl.concat([placed, _added(frame.filter(pl.col("provenance") == ""), "rows")])
    return _added(frame, VALUES[table.name])


def _added(frame: pl.DataFrame, value: str) -> pl.DataFrame:
    names = [name for name in frame.columns if name != value]
    return frame.group_by(names).agg(pl.col(value).sum()).filter(pl.col(value) != 0).select(frame.columns)
