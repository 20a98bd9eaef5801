"""The event files that a command line names."""

from collections.abc import Iterable
from pathlib import Path

import typer


def event_files(inputs: Iterable[Path]) -> list[Path]:
    """The event files among and under paths; standard error has the number of others there. Raises InputError."""
    from pipelines.source.finding import SUFFIX, find

    found = find(inputs)
    if found.others:
        typer.echo(f"Files beside them that do not end in {SUFFIX} and are not read: {found.others:,}.", err=True)
    return list(found.files)
