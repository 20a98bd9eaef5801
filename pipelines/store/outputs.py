"""Writes the three CSV files for machines: cells, quarantine and intake. LF line ends, rows in byte order, UTF-8.

Their columns are fixed, so they carry no notice of what kind of data they hold. A text that a spreadsheet would run as
a formula has an apostrophe before it (`schemas/spreadsheets.py`).
"""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import polars as pl

from pipelines.store.errors import OutputError
from pipelines.store.lines import csv_lines
from pipelines.store.tables import UNKNOWN_STATUS
from schemas.codes import INTAKE_STATUSES
from schemas.spreadsheets import FORMULA
from schemas.tables import CELL_COLUMNS, LEDGER_INTAKE, LEDGER_QUARANTINE

SLICE_LINES = 100_000
CELL_HEADER = tuple(column.name for column in CELL_COLUMNS)
QUARANTINE_HEADER = LEDGER_QUARANTINE.column_names[1:]
INTAKE_HEADER = LEDGER_INTAKE.column_names[1:]
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_cells_csv(cells: pl.DataFrame, path: Path) -> None:
    """Writes the cells, with the columns CELL_COLUMNS; raises OutputError."""
    _write(cells.select(CELL_HEADER), path)


def write_quarantine_csv(quarantine: pl.DataFrame, path: Path) -> None:
    """Writes what was rejected, with the columns QUARANTINE_HEADER; raises OutputError."""
    _write(quarantine.select(QUARANTINE_HEADER), path)


def write_intake_csv(intake: pl.DataFrame, path: Path) -> None:
    """Writes owner, status and records as `complete_intake` returns them; raises OutputError."""
    _write(complete_intake(intake), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Writes a file whole or not at all; raises OutputError."""
    with _written_whole(path) as file:
        file.write(content)


def complete_intake(intake: pl.DataFrame) -> pl.DataFrame:
    """Returns every owner with all six statuses, including zeros, and `unknown` if it is greater than 0."""
    owners = intake.select("owner").unique()
    every = owners.join(pl.DataFrame({"status": INTAKE_STATUSES}), how="cross")
    known = every.join(intake, on=["owner", "status"], how="left").with_columns(pl.col("records").fill_null(0))
    unknown = intake.filter(pl.col("status") == UNKNOWN_STATUS, pl.col("records") > 0)
    return pl.concat([frame.select(INTAKE_HEADER) for frame in (known, unknown)])


def _write(frame: pl.DataFrame, path: Path) -> None:
    lines = csv_lines(frame.with_columns(pl.col(pl.String).str.replace(FORMULA, "'${0}"))).sort()
    with _written_whole(path) as file:
        file.write(",".join(frame.columns).encode() + b"\n")
        for start in range(0, len(lines), SLICE_LINES):
            file.write("\n".join(lines.slice(start, SLICE_LINES)).encode() + b"\n")


@contextmanager
def _written_whole(path: Path) -> Generator[BinaryIO]:
    """Opens a file that takes its name once all is written; a pipe or a terminal is written directly."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                yield file
        else:
            yield from _renamed_at_the_end(path.resolve())
    except OSError as error:
        raise OutputError(_sentence(path, error)) from error


def _renamed_at_the_end(path: Path) -> Generator[BinaryIO]:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _sentence(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"The folder {path.parent} does not exist; make it first."
    if error.errno == errno.EISDIR:
        return f"{path} is a folder; give the path of a file in it."
    if error.errno in NOT_ALLOWED:
        return f"The file {path} may not be written; check who owns its folder."
    if error.errno in NO_ROOM:
        return f"The disk is full: the file {path} was not written."
    return f"The file {path} cannot be written: {error.strerror}."
