"""How a Beam job runs on the local Flink cluster: the options that were found by running them, each with its reason."""

import json
import sys
from collections.abc import Sequence
from typing import Final

from infra.settings import ClusterSettings

PARALLELISM: Final = 2
# Validating, counting and writing.
STEPS: Final = 3


def beam_options(settings: ClusterSettings, name: str, given: Sequence[str] = ()) -> list[str]:
    """Beam's options for a streaming job of a name; an option that is given takes the place of ours."""
    # One worker for each subtask of each step: Beam hands them out in turn, so with fewer both subtasks of the
    # costliest step may come to share one, and the lock of its interpreter.
    workers = STEPS * _number("--parallelism", given, PARALLELISM)
    ours = [
        # The runner is named: a default one would be started inside this process.
        "--runner=PortableRunner",
        f"--job_endpoint={settings.job_server}",
        f"--artifact_endpoint=127.0.0.1:{settings.job_server_artifact_port}",
        f"--job_name={name}",
        "--streaming",
        f"--parallelism={PARALLELISM}",
        f"--sdk_worker_parallelism={workers}",
        # The log has at least as many readers, no more if they share its partitions evenly (starting.readers_of);
        # each without a message is waited for.
        f"--max_parallelism={PARALLELISM}",
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps({'command': boot_command()})}",
        # Elements are never changed, so steps may hand them on as they are, not copied by writing and reading them.
        "--faster_copy",
        # Bundles end by time: one call of Great Expectations costs about as much for fifty events as for a thousand.
        "--max_bundle_size=50000",
        "--max_bundle_time_mills=200",
        "--checkpointing_interval=5000",
        # A checkpoint stays when its job is cancelled or lost, so that another job can go on from it.
        "--externalized_checkpoints_enabled",
        "--retain_externalized_checkpoints_on_cancellation",
        # Without this most starts silently read nothing.
        "--finish_bundle_before_checkpointing",
        # Beam's cache of state looks through all modules for a value's size; workers keep what they have decoded.
        "--max_cache_memory_usage_mb=0",
        "--num_concurrent_checkpoints=1",
        "--checkpoint_timeout_millis=120000",
        # Beam takes an option that is true by default as its opposite: a checkpoint that fails does not end the job.
        "--fail_on_checkpointing_errors",
    ]
    taken = {option.partition("=")[0] for option in given}
    return [option for option in ours if option.partition("=")[0] not in taken] + list(given)


def _number(name: str, given: Sequence[str], otherwise: int) -> int:
    """The number that an option has among those given; what is no number is Beam's to refuse."""
    values = [option.partition("=")[2] for option in given if option.partition("=")[0] == name]
    return int(values[-1]) if values and values[-1].isdecimal() else otherwise


def boot_command() -> str:
    """The command by which Flink starts a worker: a small script, since Flink wants a command without arguments."""
    return f"{sys.prefix}/bin/rollout-worker"
