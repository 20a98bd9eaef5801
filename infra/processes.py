"""Starts programs that outlive the command that started them, and finds and stops them by their files.

A program's file under `run/` holds its process id and when that process began, so that another program that has since
been given the same id is never taken for ours.
"""

import contextlib
import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

STOP_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.2
# Positions in /proc/PID/stat after the program's name.
_STATE, _SESSION, _START = 0, 3, 19


class ClusterError(Exception):
    """A cluster cannot be started; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run: its name, command, ports and additions to the environment."""

    name: str
    command: Sequence[str]
    ports: Sequence[int]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of programs' files: `run` for process ids, `log` for output."""

    run: Path
    log: Path

    def log_of(self, name: str) -> Path:
        """Returns the file with a program's output."""
        return self.log / f"{name}.log"


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Locks a folder, so that no other command installs or starts anything under it; waits for the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stat(pid: int) -> list[str] | None:
    """Returns the system's fields about a process, or None if there is no such process or it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[_STATE] == "Z" else fields


def _began(pid: int) -> str | None:
    """Returns when a process began, in ticks since the system started, or None if there is none."""
    fields = _stat(pid)
    return None if fields is None else fields[_START]


def _noted(place: Place, name: str) -> tuple[int, str] | None:
    """Returns a program's process id and start time from its file, or None without a readable one."""
    try:
        pid, began = (place.run / f"{name}.pid").read_text(encoding="ascii").split()
        return int(pid), began
    except (FileNotFoundError, ValueError):
        return None


def running(place: Place, name: str) -> int | None:
    """Returns the process id of a program that we started, or None if it no longer runs."""
    noted = _noted(place, name)
    return noted[0] if noted is not None and _began(noted[0]) == noted[1] else None


def members(place: Place, name: str) -> list[int]:
    """Returns the processes of a program that we started: itself and its children, even if only they remain."""
    noted = _noted(place, name)
    if noted is None or _began(noted[0]) not in (None, noted[1]):
        return []
    every = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [pid for pid in every if (fields := _stat(pid)) is not None and fields[_SESSION] == str(noted[0])]


def is_listening(port: int) -> bool:
    """Whether anything accepts connections at a port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(place: Place, program: Program) -> int:
    """Starts a program in its own session, with output to its log, and returns its process id.

    Raises ClusterError if a port is taken. The program runs in its log's folder, where a Java program that crashes
    leaves its report and the system a core dump.
    """
    for port in program.ports:
        if is_listening(port):
            raise ClusterError(f"Port {port}, which {program.name} wants, is taken by another program; see `--help`.")
    place.run.mkdir(parents=True, exist_ok=True)
    place.log.mkdir(parents=True, exist_ok=True)
    log = os.fspath(place.log_of(program.name).absolute())
    pid = os.posix_spawnp(
        "sh",
        ["sh", "-c", 'cd "$0" && exec "$@"', os.fspath(place.log), *program.command],
        {**os.environ, **program.environment},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    note = place.run / f".{program.name}.pid"
    note.write_text(f"{pid} {_began(pid)}", encoding="ascii")
    note.rename(place.run / f"{program.name}.pid")
    return pid


def wait_until(ready: Callable[[], bool], place: Place, name: str, seconds: float) -> None:
    """Waits until a program that was started is ready. Raises ClusterError if it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if running(place, name) is None:
            raise ClusterError(f"{name} has ended before it was ready; its log is {place.log_of(name)}.")
        if time.monotonic() > deadline:
            raise ClusterError(f"{name} was not ready after {seconds:.0f} s; its log is {place.log_of(name)}.")
        time.sleep(POLL_SECONDS)


def stop(place: Place, name: str) -> bool:
    """Stops a program and all that it started, by SIGTERM and then SIGKILL; returns whether any was running."""
    ran = bool(members(place, name))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in members(place, name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if _have_ended(place, name):
            break
    (place.run / f"{name}.pid").unlink(missing_ok=True)
    return ran


def _have_ended(place: Place, name: str) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while members(place, name):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def memory_mib(pid: int) -> int:
    """Returns the resident memory of a process in MiB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS:")), 0)


@dataclass(frozen=True, slots=True)
class State:
    """The state of one program of a cluster; `pid` is None if it does not run."""

    name: str
    pid: int | None
    address: str
    log: Path
    memory_mib: int


def state_of(place: Place, name: str, address: str) -> State:
    """Returns the state of a program."""
    pid = running(place, name)
    return State(name, pid, address, place.log_of(name), memory_mib(pid) if pid else 0)
