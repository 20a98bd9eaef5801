"""`rollout cells`, `rollout quarantine` and `rollout intake`: a store's current run as CSV files."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.counting import StoreUrl
from pipelines.cli.errors import explained

Out = Annotated[Path, typer.Option("--out", help="The CSV file to write.", metavar="FILE.csv")]


@explained
def cells(store: StoreUrl, out: Out) -> None:
    """Write the exact cells of the current run, sorted (restricted: not for publication)."""
    from pipelines.cli.sparing import spare
    from pipelines.store import open_store
    from pipelines.store.outputs import write_cells_csv

    opened = open_store(store)
    spare(out, opened.name)
    frame = opened.cells()
    write_cells_csv(frame, out)
    typer.echo(f"{frame.height:,} cells written to {out}.", err=True)


@explained
def quarantine(store: StoreUrl, out: Out) -> None:
    """Write what the current run rejected: owner, record type, reasons, sentences, provenance and rows."""
    from pipelines.cli.sparing import spare
    from pipelines.store import open_store
    from pipelines.store.outputs import write_quarantine_csv

    opened = open_store(store)
    spare(out, opened.name)
    frame = opened.quarantine()
    write_quarantine_csv(frame, out)
    typer.echo(f"{frame['rows'].sum():,} rejected records written to {out}.", err=True)


@explained
def intake(store: StoreUrl, out: Out) -> None:
    """Write what became of every owner's records in the current run."""
    from pipelines.cli.sparing import spare
    from pipelines.store import open_store
    from pipelines.store.outputs import write_intake_csv

    opened = open_store(store)
    spare(out, opened.name)
    frame = opened.intake()
    write_intake_csv(frame, out)
    typer.echo(f"The intake of {frame['owner'].n_unique():,} owners written to {out}.", err=True)
