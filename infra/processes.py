"""Programs that go on after the command that started them, and are found and ended again by their files.

A program's file under `run/` holds its process id and when that process began, so that a number which the system has
given to another program since is never taken for ours.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

STOP_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.2
_START_FIELD: Final = 19


class ClusterError(Exception):
    """A cluster cannot be started; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is to run: its name, its command, what it adds to the environment and where it listens."""

    name: str
    command: Sequence[str]
    ports: Sequence[int]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where programs keep their files: `run` for their process ids, `log` for what they print."""

    run: Path
    log: Path

    def log_of(self, name: str) -> Path:
        """The file with what a program prints."""
        return self.log / f"{name}.log"


def _began(pid: int) -> str | None:
    """When a process began, in ticks since the system did; None where there is none, or it has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if status[0] == "Z" else status[_START_FIELD]


def running(place: Place, name: str) -> int | None:
    """The process id of a program that we started and that still runs."""
    try:
        pid, began = (place.run / f"{name}.pid").read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if _began(int(pid)) == began else None


def is_listening(port: int) -> bool:
    """Whether anything on this machine takes connections at a port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(place: Place, program: Program) -> int:
    """The program runs in a session of its own, its output in its log. Raises ClusterError for a taken port."""
    for port in program.ports:
        if is_listening(port):
            raise ClusterError(f"Port {port}, which {program.name} wants, is taken by another program; see `--help`.")
    place.run.mkdir(parents=True, exist_ok=True)
    place.log.mkdir(parents=True, exist_ok=True)
    with place.log_of(program.name).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            list(program.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **program.environment},
            start_new_session=True,
        )
    (place.run / f"{program.name}.pid").write_text(f"{process.pid} {_began(process.pid)}", encoding="ascii")
    return process.pid


def wait_until(ready: Callable[[], bool], place: Place, name: str, seconds: float) -> None:
    """Returns when a program that was started is ready. Raises ClusterError when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if running(place, name) is None:
            raise ClusterError(f"{name} has ended before it was ready; its log is {place.log_of(name)}.")
        if time.monotonic() > deadline:
            raise ClusterError(f"{name} was not ready after {seconds:.0f} s; its log is {place.log_of(name)}.")
        time.sleep(POLL_SECONDS)


def stop(place: Place, name: str) -> bool:
    """The program has ended, asked first and then made to; gives whether it ran."""
    pid = running(place, name)
    if pid is not None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            # Its session is a group of its own, with what it started itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
            deadline = time.monotonic() + STOP_SECONDS
            while running(place, name) is not None and time.monotonic() < deadline:
                _reap(pid)
                time.sleep(POLL_SECONDS)
            if running(place, name) is None:
                break
    (place.run / f"{name}.pid").unlink(missing_ok=True)
    return pid is not None


def _reap(pid: int) -> None:
    """Takes note of the end of a program that this very process started."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def memory_mib(pid: int) -> int:
    """The memory of a process that is not shared out to disk, in MiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS:")), 0)


@dataclass(frozen=True, slots=True)
class State:
    """What is to be told of one program of a cluster; `pid` is None where it does not run."""

    name: str
    pid: int | None
    address: str
    log: Path
    memory_mib: int


def state_of(place: Place, name: str, address: str) -> State:
    """The state of a program."""
    pid = running(place, name)
    return State(name, pid, address, place.log_of(name), memory_mib(pid) if pid else 0)
