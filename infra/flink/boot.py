"""The program by which Flink starts a Python worker of Beam (environment type PROCESS).

It splits in two. One half asks the provision service for what the worker has to know, puts that into the environment
and becomes the worker. The other stays small and watches: the worker ends when the TaskManager that wanted it does,
however that ends. What the worker prints goes into a file of its own.
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
    """The process is killed when the thread that started it ends, also by `kill -9`.

    So the thread must be one that lives as long as it should: a watcher's only one. A task of Flink's ends earlier
    than the worker that it happened to start, which others use too.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("The watcher has ended before its worker began.")


def watched(become: "Callable[[], None]", wanted_by: int) -> int:
    """The exit status of a child that `become`s something else, killed when the process that wanted it ends."""
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
    # A shell tells of a signal in this way too.
    return status if status >= 0 else KILLED - status


def provision(endpoint: str, worker: str) -> Any:
    """What the runner tells a worker: endpoints, pipeline options and its own capabilities."""
    # Imported here, since the watcher stays and this is a hundred megabytes.
    import grpc  # noqa: PLC0415
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc  # noqa: PLC0415

    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        return stub.GetProvisionInfo(request, metadata=[("worker_id", worker)], timeout=60).info


def environment(info: Any, worker: str, options: argparse.Namespace) -> dict[str, str]:
    """The environment variables that Beam's worker reads."""
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
        # Workers share the machine's cores.
        "POLARS_MAX_THREADS": os.environ.get("POLARS_MAX_THREADS", "1"),
    }


def _descriptor(url: str) -> str:
    from apache_beam.portability.api import endpoints_pb2  # noqa: PLC0415 - as above
    from google.protobuf import text_format  # noqa: PLC0415

    return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))


def arguments() -> argparse.Namespace:
    """Returns the arguments that Flink passes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    parser.add_argument("--control_endpoint", default="")
    parser.add_argument("--logging_endpoint", default="")
    parser.add_argument("--artifact_endpoint", default="")
    parser.add_argument("--semi_persist_dir", default="/tmp")  # noqa: S108 - nothing is staged there
    return parser.parse_known_args()[0]


def become_worker() -> None:
    """The process is Beam's worker from now on."""
    options = arguments()
    info = provision(options.provision_endpoint, options.id)
    os.environ.update(environment(info, options.id, options))
    # Without -P a file in the folder in which Flink was started could take a module's place.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "apache_beam.runners.worker.sdk_worker_main"])  # noqa: S606


def print_to_log() -> None:
    """What this process and its children print goes to a file of its own, where the environment names a folder."""
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
