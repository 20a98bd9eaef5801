"""The program by which Flink starts a Python worker of Beam (environment type PROCESS).

It asks the provision service for what the worker has to know, puts that into the environment and becomes the worker.
The worker ends when the TaskManager that wanted it does, however that ends, and prints into a file of its own.
"""

import argparse
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc, endpoints_pb2
from google.protobuf import json_format, text_format

PR_SET_PDEATHSIG = 1
LOG_FOLDER = "ROLLOUT_WORKER_LOG"


def die_with_parent() -> None:
    """The process is killed when the one that started it ends, also by `kill -9`."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("The TaskManager has ended before its worker began.")


def provision(endpoint: str, worker: str) -> Any:
    """What the runner tells a worker: endpoints, pipeline options and its own capabilities."""
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        return stub.GetProvisionInfo(request, metadata=[("worker_id", worker)], timeout=60).info


def environment(info: Any, worker: str, options: argparse.Namespace) -> dict[str, str]:
    """The environment variables that Beam's worker reads."""
    control = options.control_endpoint or info.control_endpoint.url
    logging = options.logging_endpoint or info.logging_endpoint.url
    return {
        "WORKER_ID": worker,
        "PIPELINE_OPTIONS": json.dumps(json_format.MessageToDict(info.pipeline_options)),
        "CONTROL_API_SERVICE_DESCRIPTOR": _descriptor(control),
        "LOGGING_API_SERVICE_DESCRIPTOR": _descriptor(logging),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        "SEMI_PERSISTENT_DIRECTORY": options.semi_persist_dir,
        # Two workers share the machine's cores.
        "POLARS_MAX_THREADS": os.environ.get("POLARS_MAX_THREADS", "1"),
    }


def _descriptor(url: str) -> str:
    return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))


def arguments() -> argparse.Namespace:
    """The arguments that Flink gives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    parser.add_argument("--control_endpoint", default="")
    parser.add_argument("--logging_endpoint", default="")
    parser.add_argument("--artifact_endpoint", default="")
    parser.add_argument("--semi_persist_dir", default="/tmp")  # noqa: S108 - nothing is staged there
    return parser.parse_known_args()[0]


def main() -> None:
    """Becomes a worker."""
    die_with_parent()
    options = arguments()
    info = provision(options.provision_endpoint, options.id)
    os.environ.update(environment(info, options.id, options))
    if folder := os.environ.get(LOG_FOLDER):
        log = os.open(Path(folder) / f"worker-{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
    os.execv(sys.executable, [sys.executable, "-m", "apache_beam.runners.worker.sdk_worker_main"])  # noqa: S606


if __name__ == "__main__":
    main()
