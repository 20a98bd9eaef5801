"""Options of a Beam job on the local Flink cluster, found by running jobs, with their reasons."""

import json
import sys
from collections.abc import Sequence
from typing import Final

from infra.settings import ClusterSettings

PARALLELISM: Final = 2
# The three are validating, counting and writing.
STEPS: Final = 3


def beam_options(settings: ClusterSettings, name: str, given: Sequence[str] = ()) -> list[str]:
    """Returns Beam's options for a streaming job with a name; a given option replaces ours."""
    # One worker for each subtask of each step: Beam assigns workers in turn, so with fewer both subtasks of the
    # costliest step might share one worker and the lock of its interpreter.
    workers = STEPS * _number("--parallelism", given, PARALLELISM)
    ours = [
        # Names the runner, since the default one would run inside this process.
        "--runner=PortableRunner",
        f"--job_endpoint={settings.job_server}",
        f"--artifact_endpoint=127.0.0.1:{settings.job_server_artifact_port}",
        f"--job_name={name}",
        "--streaming",
        f"--parallelism={PARALLELISM}",
        f"--sdk_worker_parallelism={workers}",
        # The log has at least this many readers, and no more if they share its partitions evenly
        # (starting.readers_of); the job waits for every reader without a message.
        f"--max_parallelism={PARALLELISM}",
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps({'command': boot_command()})}",
        # Elements are never changed, so steps may pass them on without a copy by writing and reading.
        "--faster_copy",
        # Bundles end by time: a call of Great Expectations costs about as much for fifty events as for a thousand.
        "--max_bundle_size=50000",
        "--max_bundle_time_mills=200",
        "--checkpointing_interval=5000",
        # Keeps the checkpoints of a cancelled or lost job, so that another job can continue from them.
        "--externalized_checkpoints_enabled",
        "--retain_externalized_checkpoints_on_cancellation",
        # Without this most jobs start but silently read nothing.
        "--finish_bundle_before_checkpointing",
        # Beam's cache of state searches all modules for a value's size; our workers keep decoded values themselves.
        "--max_cache_memory_usage_mb=0",
        "--num_concurrent_checkpoints=1",
        "--checkpoint_timeout_millis=120000",
        # Beam inverts an option that is true by default: with this, a failed checkpoint does not end the job.
        "--fail_on_checkpointing_errors",
    ]
    taken = {option.partition("=")[0] for option in given}
    return [option for option in ours if option.partition("=")[0] not in taken] + list(given)


def _number(name: str, given: Sequence[str], otherwise: int) -> int:
    """Returns an option's number among those given, or `otherwise`; Beam itself refuses what is not a number."""
    values = [option.partition("=")[2] for option in given if option.partition("=")[0] == name]
    return int(values[-1]) if values and values[-1].isdecimal() else otherwise


def boot_command() -> str:
    """Returns the command by which Flink starts a worker: a small script, since Flink takes no arguments for it."""
    return f"{sys.prefix}/bin/rollout-worker"
