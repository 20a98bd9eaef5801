"""The worker processes of a run on this machine: they end with the run, however it ends, and print into its folder.

DirectRunner's own workers outlive the run, handle Ctrl+C themselves and print tracebacks on the user's terminal.
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
    """Returns a runner that starts our own worker processes if the options ask for processes, else None.

    It takes that request out of the options. Workers print and keep temporary files in the folder `work`.
    """
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != SEVERAL:
        return None
    # In the mode asked for, the runner would start its workers with Beam's own command.
    direct.direct_running_mode = "in_memory"
    # A decorator hides the signature of the environment's class.
    command = _command(work.absolute(), int(direct.direct_num_workers) or CORES)
    environment = SubprocessSDKEnvironment(command, python_sdk_capabilities())  # pyright: ignore[reportCallIssue]
    return FnApiRunner(environment)


def _command(work: Path, workers: int) -> str:
    """Returns the shell command of a worker. It ignores Ctrl+C, which reaches it too but is for the run to handle.

    Workers share the cores, unless the environment says how many threads each has.
    """
    threads = os.environ.get(THREADS, str(max(1, CORES // workers)))
    settings = [f"{THREADS}={threads}", f"TMPDIR={work}"]
    program = shlex.join(["env", *settings, sys.executable, "-P", "-m", worker.__name__, str(os.getpid())])
    return f"trap '' INT; exec {program} >>{shlex.quote(str(work / 'workers.log'))} 2>&1"


def end_workers() -> None:
    """Kills all worker processes of this process."""
    for child in _children():
        with suppress(OSError):
            if worker.__name__.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)


def _children() -> Iterator[int]:
    for started in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, started.read_text(encoding="ascii").split())
