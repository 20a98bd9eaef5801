"""A real broker and a real Flink cluster by the commands that a person gives, and a job on them that loses nothing.

That a stream goes on from checkpoints and savepoints is shown in `tests/end_to_end`.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kafka.admin
import pytest
from apache_beam.coders import VarIntCoder
from kafka import KafkaProducer

from infra.flink import cluster, jobs
from infra.flink.cluster import EXPANSION, JOB_MANAGER, NAMES, TASK_MANAGER, Folders
from infra.kafka.cluster import NAME as KAFKA
from infra.kafka.cluster import place_of
from infra.processes import members, running
from infra.settings import ClusterSettings
from pipelines.stream.dealing import keys_of
from tests.end_to_end.world import workers_of
from tests.infra.counting import counted, expected, submit
from tests.infra.programs import lives, soon
from tests.listening import listeners, reached_from_outside
from tests.pipelines.cli.commands import ROLLOUT, environment

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
PORTS = (
    "kafka_port",
    "kafka_controller_port",
    "flink_rest_port",
    "flink_rpc_port",
    "job_server_port",
    "job_server_artifact_port",
    "job_server_expansion_port",
    "expansion_port",
)
PATIENCE = 240.0
# What the TaskManager opens for each of its workers: their control, data, state, logs, artefacts and provision.
SERVICES = 6


def free_ports(number: int) -> list[int]:
    """Ports of the loopback address that nobody listens at."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass(frozen=True)
class Clusters:
    """A home of a test's own, with ports of its own."""

    home: Path
    settings: ClusterSettings

    def rollout(self, *arguments: str, status: int = 0) -> str:
        """What a command prints; its exit status is as expected."""
        ports = {
            f"ROLLOUT_{name.upper()}": str(getattr(self.settings, name)) for name in (*PORTS, "flink_metrics_ports")
        }
        # So that workers find the job of these tests.
        given = {**environment(self.home), **ports, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [ROLLOUT, *arguments], capture_output=True, text=True, check=False, env=given, timeout=600
        )
        assert done.returncode == status, done.stderr
        return done.stdout.strip()

    def pids(self) -> dict[str, int | None]:
        found = {name: running(Folders(self.home).place, name) for name in NAMES}
        return {**found, KAFKA: running(place_of(self.home), KAFKA)}

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """The process id of a program that was sent a signal."""
        pid = self.pids()[name]
        assert pid is not None
        os.kill(pid, number)
        return pid

    def listen(self, name: str) -> dict[int, str]:
        """Where a program and all that it has started listen."""
        place = place_of(self.home) if name == KAFKA else Folders(self.home).place
        return listeners(members(place, name))

    def workers(self) -> list[int]:
        """What the TaskManager has started and still runs."""
        return [pid for pid in members(Folders(self.home).place, TASK_MANAGER) if pid != self.pids()[TASK_MANAGER]]

    def send(self, topic: str, numbers: range) -> None:
        producer = KafkaProducer(bootstrap_servers=self.settings.kafka, acks="all")
        for number in numbers:
            producer.send(topic, value=b"%d" % number)
        producer.flush()
        producer.close()


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    metrics = free_ports(1)[0]
    settings = ClusterSettings.model_validate({**ports, "flink_metrics_ports": f"{metrics}-{metrics + 9}"})
    ours = Clusters(tmp_path_factory.mktemp("clusters"), settings)
    try:
        assert ours.rollout("kafka", "up") == settings.kafka
        assert ours.rollout("flink", "up") == settings.flink
        yield ours
    finally:
        ours.rollout("flink", "down")
        ours.rollout("kafka", "down")


def topic(clusters: Clusters, name: str) -> str:
    """A topic of one partition whose messages stay."""
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=clusters.settings.kafka)
    admin.create_topics([kafka.admin.NewTopic(name, 1, 1, topic_configs={"retention.ms": "-1"})])
    admin.close()
    return name


def test_flink_deals_shards_as_their_keys_were_chosen_for(clusters: Clusters) -> None:
    keys = [key for shards in (8, 24, 600) for key in keys_of(shards, 2)]
    codes = [VarIntCoder().encode(key).hex() for key in keys]
    jars = Folders(clusters.home).flink / "lib" / "*"
    command = ["java", "-cp", str(jars), str(Path(__file__).with_name("Dealt.java")), "2", *codes]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert told == [str(shard % 2) for shards in (8, 24, 600) for shard in range(shards)]


def test_what_runs_is_told_and_goes_on_when_it_is_started_again(clusters: Clusters) -> None:
    before = clusters.pids()
    assert None not in before.values()
    table = clusters.rollout("flink", "status") + clusters.rollout("kafka", "status")
    assert all(str(pid) in table for pid in before.values())
    clusters.rollout("kafka", "up")
    clusters.rollout("flink", "up")
    assert clusters.pids() == before


def test_what_has_crashed_is_told_and_started_alone_and_its_report_lies_beside_the_logs(clusters: Clusters) -> None:
    before = clusters.pids()
    crashed = clusters.kill(EXPANSION, signal.SIGSEGV)
    assert soon(lambda: clusters.pids()[EXPANSION] is None)
    assert [path.name for path in clusters.home.rglob("hs_err*")] == [f"hs_err_pid{crashed}.log"]
    assert (Folders(clusters.home).place.log / f"hs_err_pid{crashed}.log").exists()
    clusters.rollout("flink", "status", status=1)
    clusters.rollout("flink", "up")
    after = clusters.pids()
    assert after[EXPANSION] not in (None, before[EXPANSION])
    assert {**after, EXPANSION: 0} == {**before, EXPANSION: 0}


def test_while_a_job_runs_nothing_listens_where_another_machine_reaches_it(clusters: Clusters, tmp_path: Path) -> None:
    name, out, settings = topic(clusters, "listened"), tmp_path / "counted", clusters.settings
    clusters.send(name, range(100))
    submit(settings, name, out)
    assert soon(lambda: counted(out) == expected(100), PATIENCE)
    found = {program: clusters.listen(program) for program in (*NAMES, KAFKA)}
    workers = workers_of(clusters.pids()[TASK_MANAGER])
    assert workers
    assert len(found[TASK_MANAGER]) > SERVICES * len(workers)
    # The test looks at all of them: those that are known are among those that were found.
    everywhere = {port: address for ports in found.values() for port, address in ports.items()}
    assert {getattr(settings, port) for port in PORTS} <= set(everywhere)
    first = int(settings.flink_metrics_ports.partition("-")[0])
    assert {program: any(port in found[program] for port in range(first, first + 10)) for program in found} == {
        program: program in (JOB_MANAGER, TASK_MANAGER) for program in found
    }
    assert {program: reached_from_outside(ports) for program, ports in found.items()} == {
        program: {} for program in found
    }
    jobs.cancel(settings.flink, jobs.wait_for_job(settings.flink, name, None, PATIENCE).job_id)


def test_a_job_counts_every_message_once_though_its_task_manager_is_killed(clusters: Clusters, tmp_path: Path) -> None:
    name, out = topic(clusters, "killed"), tmp_path / "counted"
    clusters.send(name, range(1_000))
    submit(clusters.settings, name, out)
    assert soon(lambda: counted(out) == expected(1_000), PATIENCE)
    left = clusters.workers()
    assert left
    clusters.kill(TASK_MANAGER)
    clusters.send(name, range(1_000, 1_500))
    assert soon(lambda: not any(map(lives, left)))
    clusters.rollout("flink", "up")
    assert soon(lambda: counted(out) == expected(1_500), PATIENCE)
    job = jobs.job_named(clusters.settings.flink, name)
    assert job is not None
    jobs.cancel(clusters.settings.flink, job.job_id)


def test_nothing_is_left_running_after_down(clusters: Clusters) -> None:
    ours = [pid for name in NAMES for pid in members(Folders(clusters.home).place, name)]
    assert len(ours) >= len(NAMES)
    clusters.rollout("flink", "down")
    assert not any(map(lives, ours))
    assert cluster.overview(clusters.settings) is None
