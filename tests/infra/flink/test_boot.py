"""The program that becomes a worker: what it tells the worker, and when the worker ends."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from google.protobuf import json_format, struct_pb2

from infra.flink.boot import environment, provision
from tests.infra.programs import SLEEPS, lives, soon

WATCHER = """
import os, sys, time
from infra.flink.boot import watched
def become():
    print(os.getpid(), flush=True)
    time.sleep(float(sys.argv[1]))
    os._exit(int(sys.argv[2]))
sys.exit(watched(become, os.getppid()))
"""


def watcher(seconds: float = 60, status: int = 0) -> subprocess.Popen[str]:
    """A watcher whose worker prints its own id, then sleeps, then ends with a status."""
    command = [sys.executable, "-c", WATCHER, str(seconds), str(status)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def worker_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended with the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_a_worker_ends_with_the_process_that_wanted_it(started: list[subprocess.Popen[str]]) -> None:
    wants = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {WATCHER!r}, '60', '0'])\n{SLEEPS}"
    started.append(subprocess.Popen([sys.executable, "-c", wants], stdout=subprocess.PIPE, text=True))
    worker = worker_of(started[0])
    assert lives(worker)
    started[0].kill()
    assert soon(lambda: not lives(worker))


def test_a_worker_ends_with_its_watcher(started: list[subprocess.Popen[str]]) -> None:
    started.append(watcher())
    worker = worker_of(started[0])
    started[0].kill()
    assert soon(lambda: not lives(worker))


def test_a_worker_goes_on_when_the_thread_that_wanted_it_ends(started: list[subprocess.Popen[str]]) -> None:
    thread = threading.Thread(target=lambda: started.append(watcher(1.0, 7)))
    thread.start()
    thread.join()
    assert started[0].wait(60) == 7


def test_a_worker_is_asked_to_end_through_its_watcher(started: list[subprocess.Popen[str]]) -> None:
    started.append(watcher())
    worker = worker_of(started[0])
    started[0].terminate()
    assert started[0].wait(60) == 128 + signal.SIGTERM
    assert not lives(worker)


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[str]]]:
    """A provision service and the ids of the workers that have asked it."""
    asked: list[str] = []

    class Service(beam_provision_api_pb2_grpc.ProvisionServiceServicer):
        def GetProvisionInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - its name in the interface
            asked.extend(str(value) for key, value in context.invocation_metadata() if key == "worker_id")
            info = beam_provision_api_pb2.ProvisionInfo(runner_capabilities=["one", "two"])
            info.control_endpoint.url = "localhost:1"
            json_format.ParseDict({"beam:option:streaming:v1": True}, info.pipeline_options)
            return beam_provision_api_pb2.GetProvisionInfoResponse(info=info)

    server = grpc.server(ThreadPoolExecutor(1))
    beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", asked
    server.stop(None).wait()


def test_the_provision_service_is_asked_for_the_worker_by_its_id(endpoint: tuple[str, list[str]]) -> None:
    info = provision(endpoint[0], "1-2")
    assert endpoint[1] == ["1-2"]
    assert list(info.runner_capabilities) == ["one", "two"]


def told(**given: str) -> dict[str, str]:
    """The environment of a worker where Flink gives some endpoints and the provision service others."""
    options = {"control_endpoint": "", "logging_endpoint": "", "semi_persist_dir": "/tmp"} | given
    info = SimpleNamespace(
        pipeline_options=struct_pb2.Struct(fields={"name": struct_pb2.Value(string_value="x")}),
        control_endpoint=SimpleNamespace(url="localhost:1"),
        logging_endpoint=SimpleNamespace(url="localhost:2"),
        runner_capabilities=["one", "two"],
    )
    return environment(info, "1-2", argparse.Namespace(**options))


def test_a_worker_is_told_what_the_provision_service_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    found = told()
    assert found["WORKER_ID"] == "1-2"
    assert json.loads(found["PIPELINE_OPTIONS"]) == {"name": "x"}
    assert found["CONTROL_API_SERVICE_DESCRIPTOR"].strip() == 'url: "localhost:1"'
    assert found["LOGGING_API_SERVICE_DESCRIPTOR"].strip() == 'url: "localhost:2"'
    assert found["RUNNER_CAPABILITIES"] == "one two"
    assert found["SEMI_PERSISTENT_DIRECTORY"] == "/tmp"


def test_an_endpoint_that_flink_gives_counts_more() -> None:
    assert told(control_endpoint="localhost:3")["CONTROL_API_SERVICE_DESCRIPTOR"].strip() == 'url: "localhost:3"'


def test_a_worker_has_one_polars_thread_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    assert told()["POLARS_MAX_THREADS"] == "1"
    monkeypatch.setenv("POLARS_MAX_THREADS", "3")
    assert told()["POLARS_MAX_THREADS"] == "3"
    assert os.environ["POLARS_MAX_THREADS"] == "3"
