"""Installs the clusters' software once, each into a folder: Java artefacts by Maven, Flink by its Python packages.

A folder gets its name once it is complete, and holds the checksum of the files that it was made from.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from infra.processes import ClusterError

JAVA: Final = 17
STAMP: Final = ".made-from"
Say = Callable[[str], None]


def require_java() -> None:
    """Raises ClusterError if Java is missing or too old."""
    if shutil.which("java") is None:
        raise ClusterError(f"Java {JAVA} or newer is needed and `java` was not found; install it first.")
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S607
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < JAVA:
        raise ClusterError(
            f"Java {JAVA} or newer is needed, but `java` is {told.splitlines()[0] if told else 'silent'}."
        )


def installed(folder: Path, sources: Sequence[Path], make: Callable[[Path, Path], None]) -> None:
    """Makes a folder from source files unless it is up to date: `make` fills a folder and writes a log.

    Raises ClusterError.
    """
    wanted = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    make(part, folder.parent / f"install-{folder.name}.log")
    (part / STAMP).write_text(wanted, encoding="ascii")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def jars(pom: Path, *build: str) -> Callable[[Path, Path], None]:
    """Returns a function that fills a folder with a pom's artefacts and all they need.

    The folder's `built` gets what the goals in `build` make. The function raises ClusterError.
    """

    def make(folder: Path, log: Path) -> None:
        if shutil.which("mvn") is None:
            raise ClusterError("Maven is needed to install this, and `mvn` was not found; install it first.")
        if build and shutil.which("javac") is None:
            raise ClusterError("A Java development kit is needed, and its `javac` was not found; install it first.")
        goals = [*build, "dependency:copy-dependencies", "-DincludeScope=runtime"]
        folders = [f"-DoutputDirectory={folder}", f"-Dbuilt={folder / 'built'}"]
        _run(["mvn", "--batch-mode", "--file", str(pom), *goals, *folders], log)

    return make


def packages(requirements: Path) -> Callable[[Path, Path], None]:
    """Returns a function that fills a folder with Python packages at given hashes, without their dependencies."""

    def make(folder: Path, log: Path) -> None:
        options = ["--no-deps", "--require-hashes", "--no-build-isolation", "--target", str(folder)]
        uv = Path(sys.executable).parent / "uv"
        pip = [str(uv), "pip", "install", "--no-config", "--python", sys.executable]
        if not uv.exists():
            pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        _run([*pip, *options, "-r", str(requirements)], log)

    return make


def _run(command: Sequence[str], log: Path) -> None:
    with log.open("wb") as file:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False)  # noqa: S603
    if done.returncode:
        if b"No space left on device" in log.read_bytes():
            raise ClusterError("The disk is full; free some space, or set ROLLOUT_HOME to a folder on another disk.")
        raise ClusterError(f"Installing failed at `{Path(command[0]).name}`; what it said is in {log}.")
