"""Shows a run's progress and prints its results."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from schemas.codes import INTAKE_STATUSES
from schemas.reasons import reasons

if TYPE_CHECKING:
    from pipelines.bounded import Show
    from pipelines.events.conservation import Balance
    from pipelines.steps.progress import Progress as Done

# Shows names of files and folders as they are: brackets and colons in them are not markup.
STDERR = Console(stderr=True, markup=False, emoji=False)
STDOUT = Console(markup=False, emoji=False)
SECONDS_BETWEEN_LINES = 10.0
MOST_REASONS = 12


@contextmanager
def progress_of(records: int) -> Iterator["Show"]:
    """Shows how many events were validated and counted: bars on a terminal, otherwise a line every ten seconds."""
    if not STDERR.is_terminal:
        yield _lines(records)
        return
    columns = (TextColumn("{task.description:<11}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=STDERR, transient=True) as bars:
        validating = bars.add_task("Validating", total=records)
        counting = bars.add_task("Counting", total=records)

        def show(done: "Done") -> None:
            bars.update(validating, completed=done.validated)
            bars.update(counting, completed=done.folded)

        yield show


def _lines(records: int) -> "Show":
    last = time.monotonic()

    def show(done: "Done") -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            STDERR.print(
                f"{done.validated:,} of {records:,} events validated, {done.folded:,} counted", highlight=False
            )

    return show


def conservation_table(balance: "Balance") -> None:
    """Prints received = accepted + duplicate + superseded + pending + rejected for every owner and in total."""
    names: list[str] = list(INTAKE_STATUSES)
    if balance.table["unknown"].sum():
        names.append("unknown")
    table = Table(title="Records by owner", title_justify="left")
    table.add_column("owner")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("balance")
    for row in balance.table.iter_rows(named=True):
        table.add_row(
            row["owner"], *(f"{row[name]:,}" for name in names), "holds" if not row["difference"] else "BROKEN"
        )
    table.add_section()
    totals = balance.table.select(pl.col(names).sum()).row(0)
    table.add_row(
        "all", *(f"{total:,}" for total in totals), "BROKEN" if (balance.table["difference"] != 0).any() else "holds"
    )
    print_whole(table)


def print_whole(table: Table) -> None:
    """Prints a table in full, even if the output is not a terminal."""
    console = STDOUT if STDOUT.is_terminal else Console(width=140, markup=False, emoji=False)
    console.print(table)


def reasons_table(title: str, counts: pl.DataFrame) -> None:
    """Prints the most frequent reasons (`reason_code`, `records`) with their sentences."""
    if counts.is_empty():
        return
    table = Table(title=title, title_justify="left")
    table.add_column("reason")
    table.add_column("records", justify="right")
    table.add_column("what it means")
    totals = (
        counts.group_by("reason_code")
        .agg(pl.col("records").sum())
        .sort("records", "reason_code", descending=[True, False])
    )
    for code, records in totals.head(MOST_REASONS).iter_rows():
        table.add_row(code, f"{records:,}", reasons()[code].sentence)
    if totals.height > MOST_REASONS:
        table.add_row("others", f"{totals['records'][MOST_REASONS:].sum():,}", "see `rollout quarantine`")
    print_whole(table)


def rejections(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Returns the rejected records by single reason code: `reason_code`, `records`."""
    return (
        quarantine.select(pl.col("reason_code").str.split(";"), records="rows")
        .explode("reason_code")
        .group_by("reason_code")
        .agg(pl.col("records").sum())
    )
