"""Runs a command and measures wall time, core-seconds and memory of it and of all processes that it starts."""

import resource
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import psutil

ROOT: Final = Path(__file__).parents[1]
_SECONDS_BETWEEN_SAMPLES: Final = 0.2


class FailedError(RuntimeError):
    """A measured command failed; the message is its last lines."""


@dataclass(slots=True)
class Samples:
    """Samples of a process tree: most bytes in all and in one process, core-seconds by process, and progress."""

    all_bytes: int = 0
    one_bytes: int = 0
    cores: dict[int, float] = field(default_factory=dict)
    validated: list[tuple[float, int]] = field(default_factory=list)
    folded: list[tuple[float, int]] = field(default_factory=list)

    def take(self, tree: Sequence[psutil.Process]) -> None:
        """Adds a sample of a process tree."""
        sizes = []
        for process in tree:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    sizes.append(process.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
            self.cores[process.pid] = times.user + times.system
        self.all_bytes = max(self.all_bytes, sum(sizes))
        self.one_bytes = max(self.one_bytes, *sizes, 0)


@dataclass(frozen=True, slots=True)
class Measured:
    """The cost of a command: wall seconds, core-seconds, samples, and its lines with the seconds when they came."""

    wall: float
    cores: float
    samples: Samples
    lines: list[tuple[float, str]]


def measured(arguments: Sequence[str], environment: dict[str, str], progress: Path | None = None) -> Measured:
    """Runs a command to its end and measures it. Raises FailedError.

    `progress` is a folder under which a run notes its progress. Core-seconds are the kernel's for waited children, or
    the sampled ones if these are more (workers that no process waited for).
    """
    before, begun = _children_seconds(), time.monotonic()
    process = psutil.Popen(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: list[tuple[float, str]] = []
    reader = threading.Thread(target=_listen, args=(process.stdout, lines, begun), daemon=True)
    reader.start()
    samples = Samples()
    while process.poll() is None:
        samples.take(_tree(process))
        if progress is not None:
            _note(samples, progress, time.monotonic() - begun)
        time.sleep(_SECONDS_BETWEEN_SAMPLES)
    wall = time.monotonic() - begun
    reader.join()
    if process.returncode:
        raise FailedError("\n".join(line for _, line in lines[-20:]))
    cores = max(_children_seconds() - before, sum(samples.cores.values()))
    return Measured(wall, cores, samples, lines)


def _tree(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _listen(stream: IO[str], lines: list[tuple[float, str]], begun: float) -> None:
    lines.extend((time.monotonic() - begun, line.rstrip()) for line in stream)


def _note(samples: Samples, progress: Path, seconds: float) -> None:
    for path in progress.glob("run-*/progress.log"):
        try:
            pairs = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
        except FileNotFoundError:
            continue
        for seen, place in ((samples.validated, 0), (samples.folded, 1)):
            total = sum(int(pair[place]) for pair in pairs)
            if total and (not seen or seen[-1][1] != total):
                seen.append((seconds, total))
