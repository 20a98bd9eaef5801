"""The program by which Flink starts a Python worker of Beam (environment type PROCESS).

It forks. The child asks the provision service for the worker's settings, puts them into the environment and becomes the
worker. The parent stays small and watches: it kills the worker when the TaskManager that wanted it ends, however that
ends. What the worker prints goes into a file of its own.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_PDEATHSIG: Final = 1
LOG_FOLDER: Final = "ROLLOUT_WORKER_LOG"
KILLED: Final = 128


def die_with_parent(parent: int) -> None:
    """Has the system kill this process when the thread that started it ends, even by `kill -9`.

    That thread must therefore live as long as the process should: here the watcher's only thread. A task of Flink's
    does not: it may end before the worker that it started, which other tasks use too.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("The watcher has ended before its worker began.")


def watched(become: "Callable[[], None]", wanted_by: int) -> int:
    """Forks a child that runs `become`, kills it when the process `wanted_by` ends, and returns its exit status."""
    watcher = os.getpid()
    wanted = os.pidfd_open(wanted_by)
    child = os.fork()
    if child == 0:
        die_with_parent(watcher)
        become()
        os._exit(0)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    ends = select.poll()
    ended = os.pidfd_open(child)
    for descriptor in (wanted, ended):
        ends.register(descriptor, select.POLLIN)
    if all(descriptor != ended for descriptor, _ in ends.poll()):
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # A shell reports a signal in the same way.
    return status if status >= 0 else KILLED - status


def provision(endpoint: str, worker: str) -> Any:
    """Returns what the runner tells a worker: endpoints, pipeline options and the runner's capabilities."""
    # Imported here, since it takes a hundred megabytes, which the watcher must not hold.
    import grpc  # noqa: PLC0415
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc  # noqa: PLC0415

    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        return stub.GetProvisionInfo(request, metadata=[("worker_id", worker)], timeout=60).info


def environment(info: Any, worker: str, options: argparse.Namespace) -> dict[str, str]:
    """Returns the environment variables that Beam's worker reads."""
    from google.protobuf import json_format  # noqa: PLC0415 - as above

    control = options.control_endpoint or info.control_endpoint.url
    logging = options.logging_endpoint or info.logging_endpoint.url
    return {
        "WORKER_ID": worker,
        "PIPELINE_OPTIONS": json.dumps(json_format.MessageToDict(info.pipeline_options)),
        "CONTROL_API_SERVICE_DESCRIPTOR": _descriptor(control),
        "LOGGING_API_SERVICE_DESCRIPTOR": _descriptor(logging),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        "SEMI_PERSISTENT_DIRECTORY": options.semi_persist_dir,
        # One thread each, since workers share the machine's cores.
        "POLARS_MAX_THREADS": os.environ.get("POLARS_MAX_THREADS", "1"),
    }


def _descriptor(url: str) -> str:
    from apache_beam.portability.api import endpoints_pb2  # noqa: PLC0415 - as above
    from google.protobuf import text_format  # noqa: PLC0415

    return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))


def arguments() -> argparse.Namespace:
    """Parses the arguments that Flink passes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    parser.add_argument("--control_endpoint", default="")
    parser.add_argument("--logging_endpoint", default="")
    parser.add_argument("--artifact_endpoint", default="")
    parser.add_argument("--semi_persist_dir", default="/tmp")  # noqa: S108 - nothing is staged there
    return parser.parse_known_args()[0]


def become_worker() -> None:
    """Replaces this process with Beam's worker."""
    options = arguments()
    info = provision(options.provision_endpoint, options.id)
    os.environ.update(environment(info, options.id, options))
    # Without -P a file in the folder where Flink was started could shadow a module.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "apache_beam.runners.worker.sdk_worker_main"])  # noqa: S606


def print_to_log() -> None:
    """Sends the output of this process and its children to a file of its own, if the environment names a folder."""
    if folder := os.environ.get(LOG_FOLDER):
        log = os.open(Path(folder) / f"worker-{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())
        os.close(log)


def main() -> None:
    """Starts a worker and watches it."""
    print_to_log()
    sys.exit(watched(become_worker, os.getppid()))


if __name__ == "__main__":
    main()
