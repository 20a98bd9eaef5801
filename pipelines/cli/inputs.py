"""Finds the event files that a command line names."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import typer


def event_files(inputs: Iterable[Path]) -> list[Path]:
    """Returns the event files at and under paths; prints the number of other files there. Raises InputError."""
    from pipelines.source.finding import SUFFIX, find

    found = find(inputs)
    if found.others:
        typer.echo(f"Files beside them that do not end in {SUFFIX} and are not read: {found.others:,}.", err=True)
    return list(found.files)


def files_read(names: Sequence[str], files: Iterable[Path]) -> str:
    """Returns JSON text of the inputs' names and one hash of all files' content, whatever their names and order."""
    hashes = sorted(map(_hash_of, files))
    joint = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return json.dumps({"names": list(names), "files": len(hashes), "sha256": joint})


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
