"""Prints the scorecard of `rollout check`: what would be accepted, what rejected, and why."""

import typer
from rich.table import Table

from pipelines.cli.display import print_whole, reasons_table, rejections
from pipelines.submitting.dry_run import DryRun
from schemas.codes import INTAKE_STATUSES
from schemas.sources import sources

MOST_ROWS = 10


def show(result: DryRun) -> None:
    """Prints the scorecard of a dry run."""
    table = Table(title=f"Submission of {result.source}, {sources()[result.source].name}", title_justify="left")
    table.add_column("record")
    table.add_column("read", justify="right")
    for record, records in result.by_record.iter_rows():
        table.add_row(record, f"{records:,}")
    print_whole(table)
    counts = dict(result.intake.iter_rows())
    typer.echo("; ".join(f"{status} {counts.get(status, 0):,}" for status in INTAKE_STATUSES))
    reasons_table("Would be rejected, by reason", rejections(result.quarantined))
    reasons_table("Would be accepted with a warning", result.warnings)
    _rows(result)
    if result.inconsistent:
        typer.echo(
            f"{result.inconsistent:,} events do not fit these files' own history; "
            "other suppliers' events may explain them."
        )
    typer.echo("Nothing would be rejected." if not result.rejected else f"{result.rejected:,} would be rejected.")


def _rows(result: DryRun) -> None:
    """Prints where the first rejected records are."""
    placed = result.quarantined.filter(result.quarantined["provenance"] != "")
    for provenance, code in placed.select("provenance", "reason_code").head(MOST_ROWS).iter_rows():
        typer.echo(f"  {provenance}: {code}")
    if placed.height > MOST_ROWS:
        typer.echo(f"  and {placed.height - MOST_ROWS:,} more")
