"""Small programs for tests of what starts and ends programs, each a line of Python."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from infra.processes import Place, Program

SLEEPS = "import time; time.sleep(60)"
# Prints the id of its own child once both are there.
HAS_A_CHILD = f"""
import subprocess, sys
print(subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]).pid, flush=True)
{SLEEPS}
"""
IS_DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n{SLEEPS}"


def place_in(folder: Path) -> Place:
    """A place for programs under a folder."""
    return Place(folder / "run", folder / "log")


def program(text: str, *ports: int, name: str = "sleeper") -> Program:
    """A program of some Python."""
    return Program(name, [sys.executable, "-c", text], ports)


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def soon(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether something comes to hold within a time that is long enough on any machine."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def said(place: Place, name: str = "sleeper") -> str:
    """What a program has printed, once it has printed something."""
    log = place.log_of(name)
    assert soon(lambda: log.read_text(encoding="utf-8").endswith("\n"))
    return log.read_text(encoding="utf-8").strip()
