"""`rollout run` and `rollout verify`: a bounded count over event files, kept in a store or held against one."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.errors import explained, fail

if TYPE_CHECKING:
    import polars as pl

    from pipelines.bounded import Answer, How
    from pipelines.pseudonym import Key
    from pipelines.source.files import Plan
    from pipelines.store import RunRecord, Store

Inputs = Annotated[
    list[Path],
    typer.Option("--input", help="Folders with <source_id>/<name>.avro under them, or files.", metavar="PATH…"),
]
StoreUrl = Annotated[
    str, typer.Option("--store", help="Where results are kept, such as sqlite:///rollout.db.", metavar="URL")
]
AsAt = Annotated[
    str | None,
    typer.Option(
        "--as-at", help="Use only what was received by then: a date (its end in London) or a time.", metavar="T"
    ),
]
Shards = Annotated[
    int | None, typer.Option(min=1, help="Number of shards of meters; by default one for about 100,000 events.")
]
BeamOptions = Annotated[list[str] | None, typer.Argument(metavar="-- BEAM OPTIONS", help="Passed to Beam untouched.")]

MOST_DIFFERENCES = 50


@explained
def run(
    inputs: Inputs,
    store: StoreUrl,
    as_at: AsAt = None,
    shards: Shards = None,
    beam_options: BeamOptions = None,
) -> None:
    """Count event files into a store: exact cells, quarantine and intake, switched to at once when all is done."""
    from pipelines.store import open_store

    opened = open_store(store, create=True)
    work = begin(inputs, as_at, shards, beam_options)
    keep(work, work.count(), opened)


@explained
def verify(
    inputs: Inputs,
    store: StoreUrl,
    shards: Shards = None,
    beam_options: BeamOptions = None,
) -> None:
    """Count the event files again and print every cell that differs from the store's; exit status 1 if any does."""
    from pipelines.store import open_store

    opened = open_store(store)
    kept, cells = opened.current_run(), opened.cells()
    as_at = None if kept.as_at is None else kept.as_at.replace(tzinfo=UTC).isoformat()
    answer = begin(inputs, as_at, shards, beam_options).count()
    differing = differences(cells, answer.cells)
    if differing.is_empty():
        typer.echo(f"All {cells.height:,} cells agree.")
        return
    _list(differing)
    fail(f"{differing.height:,} cells differ.", status=1)


def differences(kept: "pl.DataFrame", counted: "pl.DataFrame") -> "pl.DataFrame":
    """Cells in which a store and a recount differ: the key, `kept` and `counted` (0 where there is none)."""
    import polars as pl

    from schemas.tables import CELL_KEY

    joined = kept.rename({"value": "kept"}).join(
        counted.rename({"value": "counted"}), on=list(CELL_KEY), how="full", coalesce=True
    )
    filled = joined.with_columns(pl.col("kept", "counted").fill_null(0))
    return filled.filter(pl.col("kept") != pl.col("counted")).sort(CELL_KEY)


def _list(differing: "pl.DataFrame") -> None:
    typer.echo(",".join(differing.columns))
    for row in differing.iter_rows():
        typer.echo(",".join(str(value) for value in row))


@dataclass(frozen=True, slots=True)
class Work:
    """A planned bounded run."""

    plan: "Plan"
    inputs: tuple[Path, ...]
    key: "Key"
    how: "How"
    started_at: datetime

    def count(self) -> "Answer":
        """Runs it, with progress on standard error."""
        from pipelines.bounded import count
        from pipelines.cli.display import progress_of

        with progress_of(self.plan.records) as show:
            return count(self.plan, self.key, self.how, show)

    def basis(self) -> str:
        """By what "received by then" was judged."""
        if self.how.as_at is None:
            return ""
        undated = self.plan.files - self.plan.dated_files
        parts = [(self.plan.dated_files, "received_at of the file"), (undated, "reported_at of the event")]
        return "; ".join(f"{name} ({files:,} files)" for files, name in parts if files)

    def record(self, answer: "Answer", finished_at: datetime) -> "RunRecord":
        """The header under which the answer is kept."""
        from pipelines import versions
        from pipelines.cli.times import moment_of
        from pipelines.store import RunRecord

        return RunRecord(
            run_id=f"{self.started_at:%Y%m%dT%H%M%S%f}Z",
            started_at=self.started_at,
            finished_at=finished_at,
            kind="bounded",
            synthetic=self.plan.synthetic,
            as_at=moment_of(self.how.as_at),
            as_at_basis=self.basis(),
            key_id=self.key.key_id,
            rule_version=versions.rule_version(),
            schema_version=versions.schema_version(),
            code_version=versions.code_version(),
            inputs=json.dumps([path.name for path in self.inputs]),
            received=int(answer.balance.table["received"].sum()),
        )


def begin(inputs: list[Path], as_at: str | None, shards: int | None, beam_options: list[str] | None) -> Work:
    """Finds and plans the input. Raises InputError, NoTime and KeyMissing."""
    from pipelines.bounded import How
    from pipelines.cli.times import as_at_ms
    from pipelines.pseudonym import load_key
    from pipelines.settings import Environment
    from pipelines.source.files import find_files, plan

    started_at, at = datetime.now(UTC), as_at_ms(as_at)
    environment = Environment()
    files = find_files(inputs)
    key, sentence = load_key(environment)
    planned = plan(files, at)
    typer.echo(f"{planned.files:,} files with {planned.records:,} events. {sentence}", err=True)
    return Work(planned, tuple(inputs), key, How(environment.home, shards, at, tuple(beam_options or ())), started_at)


def keep(work: Work, answer: "Answer", store: "Store") -> None:
    """Shows the answer and keeps it in the store; a broken balance is shown and keeps nothing."""
    from pipelines.cli import display

    display.conservation_table(answer.balance)
    display.reasons_table("Rejected, by reason", display.rejections(answer.quarantine))
    display.reasons_table("Accepted with a warning", answer.warnings)
    answer.balance.check()
    finished_at = datetime.now(UTC)
    record = work.record(answer, finished_at)
    store.write_run(record, answer.cells, answer.intake, answer.quarantine)
    seconds = max((finished_at - work.started_at).total_seconds(), 0.001)
    typer.echo(
        f"Run {record.run_id}: {record.received:,} records gave {answer.cells.height:,} cells "
        f"in {seconds:,.1f} s ({record.received / seconds:,.0f} a second); pseudonym key {record.key_id}."
    )
    if record.as_at_basis:
        typer.echo(f"As at {record.as_at:%Y-%m-%d %H:%M:%S} UTC, judged by {record.as_at_basis}.")
    _publish(work, store)


def _publish(work: Work, store: "Store") -> None:
    from pipelines.release.draft import NothingToPublish, publish_draft
    from schemas.tables import SYNTHETIC_NOTICE

    if not work.plan.synthetic:
        typer.echo("The input is not marked synthetic, so no draft was published.")
        return
    try:
        report = publish_draft(store, datetime.now(UTC))
    except NothingToPublish as nothing:
        typer.echo(str(nothing))
        return
    typer.echo(f"Published as a draft up to {report.last_quarter}. {SYNTHETIC_NOTICE}.")
