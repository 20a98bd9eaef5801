"""The outcome of validation: counts by owner, quarantine rows and warnings, added up over blocks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from pipelines.events import quarantine
from pipelines.events.block import Loss

INTAKE_TYPES: Final = {"owner": pl.String, "status": pl.String, "records": pl.Int64}
WARNING_TYPES: Final = {"owner": pl.String, "record_type": pl.String, "reason_code": pl.String, "records": pl.Int64}
UNMARKED_TYPES: Final = {"owner": pl.String, "messages": pl.Int64}
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of validation for some records, before they are counted.

    `intake`: owner, status, records. `quarantined`: see `quarantine.ROW_TYPES`. `warnings`: owner, record_type,
    reason_code, records. `unmarked`: owner, messages (those of the log that are not marked as synthetic).
    """

    intake: pl.DataFrame
    quarantined: pl.DataFrame
    warnings: pl.DataFrame
    unmarked: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=UNMARKED_TYPES))

    @classmethod
    def of(cls, parts: Iterable["Outcome"]) -> "Outcome":
        """Returns several outcomes as one, counts added up."""
        listed = list(parts)
        return cls(
            _added([pl.DataFrame(schema=INTAKE_TYPES), *(part.intake for part in listed)]),
            pl.concat([pl.DataFrame(schema=quarantine.ROW_TYPES), *(part.quarantined for part in listed)]),
            _added([pl.DataFrame(schema=WARNING_TYPES), *(part.warnings for part in listed)]),
            _added([pl.DataFrame(schema=UNMARKED_TYPES), *(part.unmarked for part in listed)]),
        )


def _added(frames: list[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(frames)
    return frame.group_by(frame.columns[:-1]).agg(pl.col(frame.columns[-1]).sum())


def of_losses(losses: Sequence[Loss], unmarked: Mapping[str, int] | None = None) -> Outcome:
    """Returns the outcome of losses: received and rejected if their number is known, else counted as unknown.

    `unmarked` is the number of messages of each owner that are not marked as synthetic.
    """
    rows = []
    for loss in losses:
        known = loss.records is not None
        statuses = ("received", "rejected") if known else (UNKNOWN,)
        rows += [(loss.owner, status, loss.records if known else 1) for status in statuses]
    intake = pl.DataFrame(rows, schema=INTAKE_TYPES, orient="row")
    messages = pl.DataFrame(list((unmarked or {}).items()), schema=UNMARKED_TYPES, orient="row")
    return Outcome(intake, quarantine.of_losses(losses), pl.DataFrame(schema=WARNING_TYPES), messages)
