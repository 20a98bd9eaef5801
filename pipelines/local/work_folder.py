"""A run's own folder for files passed between its steps and for temporary files; deleted when the run ends."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def work_folder(home: Path) -> Iterator[Path]:
    """Makes a folder under `home` and deletes it at the end; also deletes what killed runs left there."""
    folder = home / "work"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("run-*-*"):
        if not Path(f"/proc/{left.name.split('-')[1]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=folder))
    try:
        with _temporary_files_in(work):
            yield work
    finally:
        # An interrupted step may still add a file.
        while work.exists():
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _temporary_files_in(work: Path) -> Iterator[None]:
    """Puts temporary files into a folder, since Beam leaves its own behind if it is killed.

    Beam has no setting for their place.
    """
    before, tempfile.tempdir = tempfile.tempdir, str(work.absolute())
    try:
        yield
    finally:
        tempfile.tempdir = before
