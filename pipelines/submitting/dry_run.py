"""A supplier's own dry run: files judged by the same rules as a run, in one process, without Beam or a store."""

import functools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from expectations.run import Checker
from pipelines.events import quarantine
from pipelines.events.block import Block
from pipelines.events.outcome import Outcome, of_losses
from pipelines.fold import Counted, fold
from pipelines.history.copies import empty_history, with_copies
from pipelines.keys import Key
from pipelines.quarterly.cellkeys import named_cells
from pipelines.source.files import InputError, plan
from pipelines.source.reading import Reading, read
from pipelines.validation import validate
from schemas.sources import sources


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would become of files. `by_record`: record_type, records. `quarantined`: see `quarantine.ROW_TYPES`.

    `warnings`: reason_code, records. `intake`: status, records, for these files alone.
    """

    source: str
    by_record: pl.DataFrame
    quarantined: pl.DataFrame
    warnings: pl.DataFrame
    intake: pl.DataFrame
    inconsistent: int

    @property
    def rejected(self) -> int:
        """How many records would be rejected, or cannot be read (at least one for an unreadable file)."""
        return int(self.quarantined["rows"].clip(lower_bound=1).sum())


def dry_run(files: Sequence[Path], source: str | None = None) -> DryRun:
    """Judges files as one submission of one source. Raises InputError for an unknown source."""
    planned = plan(files)
    readings = [read(packet) for packet in planned.packets]
    owner = source or _owner(files, readings)
    if owner not in sources():
        raise InputError(f"{owner!r} is no source of schemas/sources.csv; name yours with --source.")
    # A temporary key: nothing that is worked out here is kept.
    key, checker = Key(secrets.token_bytes(32)), _checker()
    verdicts = [validate.judge([_owned(reading.block, owner)], key, checker.check_records) for reading in readings]
    losses = [of_losses(found) for found in (*(reading.losses for reading in readings), planned.losses)]
    outcome = Outcome.of([*(verdict.outcome for verdict in verdicts), *losses])
    accepted = pl.concat([empty_history(), *(with_copies(verdict.accepted) for verdict in verdicts)])
    folded = fold(empty_history(), accepted)
    return _result(owner, readings, outcome, folded.deltas)


@functools.cache
def _checker() -> Checker:
    """Returns one checker for all dry runs of a process: making one takes longer than judging a small file."""
    return Checker()


def _owner(files: Sequence[Path], readings: Sequence[Reading]) -> str:
    """Returns the folder's name if it is a source's, else the source that most events name."""
    folder = files[0].absolute().parent.name
    if folder in sources() or not readings:
        return folder
    named = pl.concat([reading.block.frame["source_id"] for reading in readings])
    return str(named.value_counts().sort("count", "source_id")["source_id"][-1])


def _owned(block: Block, owner: str) -> Block:
    return replace(block, origins=tuple(replace(origin, owner=owner) for origin in block.origins))


def _result(owner: str, readings: Sequence[Reading], outcome: Outcome, counted: Counted) -> DryRun:
    by_record = pl.DataFrame(
        [(reading.block.record, reading.block.frame.height) for reading in readings],
        schema={"record_type": pl.String, "records": pl.Int64},
        orient="row",
    )
    cells = named_cells(counted.cells)
    both = [outcome.intake.select("status", "records"), counted.intake.select("status", "records")]
    return DryRun(
        owner,
        by_record.group_by("record_type").agg(pl.col("records").sum()).sort("record_type"),
        pl.concat([outcome.quarantined, quarantine.of_rejections(counted.rejections)]),
        outcome.warnings.group_by("reason_code").agg(pl.col("records").sum()),
        pl.concat(both).group_by("status").agg(pl.col("records").sum()),
        int(cells.filter(pl.col("measure") == "inconsistent")["value"].sum()),
    )
