"""What validation made of the records: counts by owner, quarantine rows and warnings, put together over blocks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines import quarantine
from pipelines.block import Loss
from pipelines.source.reading import Reading
from pipelines.validate import Verdict

INTAKE_TYPES: Final = {"owner": pl.String, "status": pl.String, "records": pl.Int64}
WARNING_TYPES: Final = {"owner": pl.String, "record_type": pl.String, "reason_code": pl.String, "records": pl.Int64}
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the rows of some blocks.

    `intake`: owner, status, records. `quarantined`: see `quarantine.ROW_TYPES`. `warnings`: owner, record_type,
    reason_code, records.
    """

    intake: pl.DataFrame
    quarantined: pl.DataFrame
    warnings: pl.DataFrame

    @classmethod
    def of(cls, parts: Iterable["Outcome"]) -> "Outcome":
        """Several outcomes as one, counts added up."""
        listed = list(parts)
        return cls(
            _added([pl.DataFrame(schema=INTAKE_TYPES), *(part.intake for part in listed)]),
            pl.concat([pl.DataFrame(schema=quarantine.ROW_TYPES), *(part.quarantined for part in listed)]),
            _added([pl.DataFrame(schema=WARNING_TYPES), *(part.warnings for part in listed)]),
        )


def _added(frames: list[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(frames)
    return frame.group_by(frame.columns[:-1]).agg(pl.col("records").sum())


def of_verdict(verdict: Verdict) -> Outcome:
    """The outcome of one validated block."""
    return Outcome(verdict.intake, verdict.quarantine, verdict.warnings)


def of_reading(reading: Reading) -> Outcome:
    """The outcome of what could not be read of one packet."""
    return of_losses(reading.losses)


def of_losses(losses: Sequence[Loss]) -> Outcome:
    """The outcome of losses: received and rejected where their number is known, else counted as unknown."""
    rows = []
    for loss in losses:
        known = loss.records is not None
        statuses = ("received", "rejected") if known else (UNKNOWN,)
        rows += [(loss.owner, status, loss.records if known else 1) for status in statuses]
    intake = pl.DataFrame(rows, schema=INTAKE_TYPES, orient="row")
    return Outcome(intake, quarantine.of_losses(losses), pl.DataFrame(schema=WARNING_TYPES))
