"""The worker processes of a run on one machine: they end with the run, however that ends, and print into its folder.

DirectRunner's own outlive it, take Ctrl+C for themselves and print tracebacks where a person reads.
"""

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment, python_sdk_capabilities

from pipelines.local import worker

SEVERAL: Final = "multi_processing"
THREADS: Final = "POLARS_MAX_THREADS"
CORES: Final = len(os.sched_getaffinity(0))


def runner_for(options: PipelineOptions, work: Path) -> FnApiRunner | None:
    """The runner whose workers are processes of ours, where the options ask for processes; they then ask no more.

    Workers print and keep temporary files in the folder `work`.
    """
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != SEVERAL:
        return None
    # This mode would make the runner choose Beam's own command for its workers.
    direct.direct_running_mode = "in_memory"
    # The decorator of this class hides how it is made.
    command = _command(work.absolute(), int(direct.direct_num_workers) or CORES)
    environment = SubprocessSDKEnvironment(command, python_sdk_capabilities())  # pyright: ignore[reportCallIssue]
    return FnApiRunner(environment)


def _command(work: Path, workers: int) -> str:
    """Returns the shell command of a worker. Ctrl+C reaches every process of a terminal, but only the run obeys it.

    Workers share the cores, unless the environment says how many threads each has.
    """
    threads = os.environ.get(THREADS, str(max(1, CORES // workers)))
    settings = [f"{THREADS}={threads}", f"TMPDIR={work}"]
    program = shlex.join(["env", *settings, sys.executable, "-P", "-m", worker.__name__, str(os.getpid())])
    return f"trap '' INT; exec {program} >>{shlex.quote(str(work / 'workers.log'))} 2>&1"


def end_workers() -> None:
    """Ends all worker processes of this process."""
    for child in _children():
        with suppress(OSError):
            if worker.__name__.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)


def _children() -> Iterator[int]:
    for started in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, started.read_text(encoding="ascii").split())
