"""Flink's configuration, what the cluster is made of, and what its REST interface is asked."""

import json
import re
import socket
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from infra.flink.cluster import (
    FLINKS_OWN,
    NAMES,
    POM,
    REQUIREMENTS,
    Folders,
    _programs,
    configuration,
    down,
    overview,
    slots,
    status,
)
from infra.settings import ClusterSettings

ROOT = Path(__file__).parents[3]
MAVEN = {"m": "http://maven.apache.org/POM/4.0.0"}
FOLDERS = Folders(Path("/some/home"))


def configured(**settings: Any) -> dict[str, str]:
    lines = configuration(FOLDERS, ClusterSettings(**settings), "--add-opens=x").splitlines()
    return {key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines)}


def test_the_cluster_listens_on_the_loopback_address() -> None:
    told = configured()
    hosts = [told[key] for key in told if key.endswith(("bind-host", "bind-address", ".host", "rpc.address"))]
    assert hosts == ["127.0.0.1"] * 5


def test_metrics_are_on_the_loopback_address_unless_another_is_set() -> None:
    for settings, host in (({}, "127.0.0.1"), ({"flink_metrics_host": "0.0.0.0"}, "0.0.0.0")):
        (agent,) = re.findall(r"-javaagent:(\S+)=(\S+)", configured(**settings)["env.java.opts.all"])
        # Programs run in the folder of their logs.
        assert (FOLDERS.place.log / agent[0]).resolve() == FOLDERS.agent
        assert agent[1] == host


def test_every_java_program_of_beam_has_the_agent(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.beam.mkdir(parents=True)
    (folders.beam / "jamm-0.jar").touch()
    beam = [program.command for program in _programs(folders, ClusterSettings()) if program.command[0] == "java"]
    assert [command[1] for command in beam] == [f"-javaagent:{folders.agent}"] * 2


def test_checkpoints_lie_in_files_and_stay_when_a_job_is_cancelled() -> None:
    told = configured()
    assert told["state.backend.type"] == "rocksdb"
    assert told["state.backend.incremental"] == "true"
    assert told["state.checkpoint-storage"] == "filesystem"
    assert told["state.checkpoints.dir"] == "file:///some/home/flink/checkpoints"
    assert told["execution.checkpointing.externalized-checkpoint-retention"] == "RETAIN_ON_CANCELLATION"


def test_a_lost_task_manager_is_seen_within_ten_seconds_and_its_job_starts_again() -> None:
    told = configured()
    assert (told["heartbeat.interval"], told["heartbeat.timeout"]) == ("2000", "10000")
    assert told["restart-strategy.type"] == "exponential-delay"
    assert told["restart-strategy.exponential-delay.max-backoff"] == "10 s"


def test_ports_slots_and_memory_are_the_settings() -> None:
    told = configured(flink_rest_port=9081, flink_slots=2, flink_task_manager_memory="3g", flink_metrics_ports="1-2")
    assert told["rest.port"] == told["rest.bind-port"] == "9081"
    assert told["taskmanager.numberOfTaskSlots"] == "2"
    assert told["taskmanager.memory.process.size"] == "3g"
    assert told["metrics.reporter.prom.port"] == "1-2"


def test_what_java_17_needs_is_kept() -> None:
    assert "--add-opens=x" in configured()["env.java.opts.all"].split()


def pom_versions(pom: Path) -> dict[str, str]:
    found = ET.parse(pom).getroot().find("m:properties", MAVEN)
    assert found is not None
    return {child.tag.partition("}")[2]: child.text or "" for child in found}


def test_beam_is_of_one_version_in_python_and_java() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert f"apache-beam=={pom_versions(POM)['beam.version']}" in extras["pipeline"]


def test_beams_runner_is_for_the_flink_that_is_installed() -> None:
    (runner,) = re.findall(r"beam-runners-flink-([\d.]+)<", POM.read_text(encoding="utf-8"))
    pinned = re.findall(r"^([a-z-]+)==([\d.]+) \\$", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name, _ in pinned} == {"apache-flink", "apache-flink-libraries"}
    assert all(version.startswith(f"{runner}.") for _, version in pinned)


def test_kafka_comes_without_a_schema_registry() -> None:
    root = ET.parse(POM).getroot()
    assert [
        dependency.findtext("m:artifactId", namespaces=MAVEN)
        for dependency in root.iterfind(".//m:dependency", MAVEN)
        if dependency.findtext("m:exclusions/m:exclusion/m:groupId", namespaces=MAVEN) == "io.confluent"
    ] == ["beam-sdks-java-io-kafka"]


def test_flink_keeps_its_own_logging() -> None:
    assert "slf4j-jdk14-1.7.30.jar".startswith(FLINKS_OWN)
    assert not "beam-runners-flink-1.19-2.62.0.jar".startswith(FLINKS_OWN)


@pytest.fixture
def flink() -> Iterator[tuple[ClusterSettings, dict[str, Any]]]:
    """A REST interface that gives what a test puts in, by path."""
    given: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in given else 503)
            self.end_headers()
            self.wfile.write(json.dumps(given.get(self.path)).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield ClusterSettings(flink_rest_port=server.server_port), given
        server.shutdown()
        thread.join()


def test_the_slots_of_a_task_manager_that_was_killed_do_not_count(
    flink: tuple[ClusterSettings, dict[str, Any]],
) -> None:
    settings, given = flink
    with socket.socket() as killed:
        killed.bind(("127.0.0.1", 0))
        address = "pekko.tcp://flink@127.0.0.1:{}/user/rpc/taskmanager_0"
        given["/taskmanagers"] = {
            "taskmanagers": [
                {"path": address.format(settings.flink_rest_port), "slotsNumber": 4},
                {"path": address.format(killed.getsockname()[1]), "slotsNumber": 3},
            ]
        }
        assert slots(settings) == 4


def test_flink_is_not_ready_while_it_refuses(flink: tuple[ClusterSettings, dict[str, Any]]) -> None:
    settings, given = flink
    assert overview(settings) is None
    assert slots(settings) == 0
    given["/overview"] = {"taskmanagers": 0}
    assert overview(settings) == {"taskmanagers": 0}


def test_where_nothing_runs_all_four_programs_are_told_as_away(tmp_path: Path) -> None:
    assert not down(tmp_path)
    assert [(state.name, state.pid) for state in status(tmp_path, ClusterSettings())] == [
        (name, None) for name in NAMES
    ]
