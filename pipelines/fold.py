"""The pure core in one sentence: fold(history, events) -> (history, deltas).

Bounded runs, the stream and `rollout check` all count through `fold`. A history is the event frame of everything
accepted by validation, each distinct content once, with `copies`; `deltas = recount(history + events) -
recount(history)` over whole meters, so any order, batching, duplication and lateness end in the same cells.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.history import copies, corrections
from pipelines.quarterly.cellkeys import empty_cells, summed
from pipelines.quarterly.counting import cells_of

EVENT_ID_REUSED: Final = "EVENT_ID_REUSED"
STATUSES: Final = ("accepted", "duplicate", "superseded", "pending", "rejected")


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of a history, or the difference between two.

    `cells`: `text`, `key`, `value`. `intake`: `source`, `status`, `records`. `rejections`: `source`, `record`,
    `reason`, `records` (rejected by the history rules). Sources and records are codes; in a difference, counts may be
    negative.
    """

    cells: pl.DataFrame
    intake: pl.DataFrame
    rejections: pl.DataFrame

    def minus(self, other: "Counted") -> "Counted":
        """Returns the difference, zeros removed."""
        return added([self, other.negative()])

    def negative(self) -> "Counted":
        """Returns the same counts, all negated."""
        records = -pl.col("records")
        return Counted(
            self.cells.with_columns(value=-pl.col("value")),
            self.intake.with_columns(records),
            self.rejections.with_columns(records),
        )


@dataclass(frozen=True, slots=True)
class Fold:
    """A new history, and the changes in what was counted before."""

    history: pl.DataFrame
    deltas: Counted


def added(parts: list[Counted]) -> Counted:
    """Returns the sum of several counts, zeros removed."""
    return Counted(
        summed(pl.concat([empty_cells(), *(part.cells for part in parts)])),
        _records(pl.concat([_EMPTY.intake, *(part.intake for part in parts)])),
        _records(pl.concat([_EMPTY.rejections, *(part.rejections for part in parts)])),
    )


def _records(frame: pl.DataFrame) -> pl.DataFrame:
    keys = [name for name in frame.columns if name != "records"]
    return frame.group_by(keys).agg(pl.col("records").sum()).filter(pl.col("records") != 0)


_EMPTY: Final = Counted(
    empty_cells(),
    pl.DataFrame(schema={"source": pl.UInt16, "status": pl.String, "records": pl.Int64}),
    pl.DataFrame(schema={"source": pl.UInt16, "record": pl.UInt8, "reason": pl.String, "records": pl.Int64}),
)


def recount(history: pl.DataFrame) -> Counted:
    """Counts everything in a history by rules 1 to 6 of the design. The result is additive over meters."""
    lost = copies.losers(history)
    standing_copies = history.filter(~lost) if lost.any() else history
    roles = corrections.judge(standing_copies)
    outcome = pl.select(
        pl.when(pl.Series(roles.superseded))
        .then(pl.lit("superseded"))
        .when(pl.Series(roles.pending))
        .then(pl.lit("pending"))
        .when(pl.Series(roles.not_owner))
        .then(pl.lit(corrections.NOT_OWNER))
        .when(pl.Series(roles.type_mismatch))
        .then(pl.lit(corrections.TYPE_MISMATCH))
        .otherwise(pl.lit("accepted"))
        .alias("outcome")
    ).to_series()
    reused = pl.Series("outcome", [EVENT_ID_REUSED], dtype=pl.String).new_from_index(0, int(lost.sum()))
    judged = pl.concat(
        [
            standing_copies.select("source", "record", "copies", outcome),
            history.filter(lost).select("source", "record", "copies", reused),
        ]
    )
    # An heir's amendment counts in its predecessor's cells, but in the heir's own intake.
    owned = standing_copies.with_columns(roles.owner.alias("source"))
    stands = owned if roles.stands.all() else owned.filter(pl.Series(roles.stands))
    return Counted(cells_of(stands), _intake(judged), _rejections(judged))


def _intake(judged: pl.DataFrame) -> pl.DataFrame:
    outcome = pl.col("outcome")
    status = pl.when(outcome.is_in(STATUSES)).then(outcome).otherwise(pl.lit("rejected")).alias("status")
    counted = judged.group_by("source", status).agg(records=pl.len().cast(pl.Int64))
    again = judged.group_by("source").agg(records=(pl.col("copies").cast(pl.Int64) - 1).sum())
    duplicates = again.select("source", pl.lit("duplicate").alias("status"), "records").filter(pl.col("records") != 0)
    return pl.concat([counted, duplicates])


def _rejections(judged: pl.DataFrame) -> pl.DataFrame:
    rejected = judged.filter(~pl.col("outcome").is_in(STATUSES)).rename({"outcome": "reason"})
    return rejected.group_by("source", "record", "reason").agg(records=pl.len().cast(pl.Int64))


def fold(history: pl.DataFrame, arrived: pl.DataFrame) -> Fold:
    """Returns the history with the arrived rows added, and the change in everything counted.

    Both are frames of history rows (see `history/copies.py`); `arrived` may repeat rows of the history or its own.
    `history` must hold all rows of every meter in `arrived`; rows of other meters change no count and only take time.
    """
    if not history.height:
        whole = copies.distinct(arrived)
        return Fold(whole, recount(whole))
    whole = copies.distinct(pl.concat([history, arrived]))
    return Fold(whole, recount(whole).minus(recount(history)))
