"""A broker, a Flink cluster and a PostgreSQL server of the tests' own, driven by commands, and ways to hurt them."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from infra.flink import cluster as flink
from infra.kafka import cluster as kafka
from infra.kafka import secured
from infra.processes import is_listening, running
from pipelines.log.connection import KafkaSettings, LogError
from pipelines.log.message import SYNTHETIC_HEADER
from pipelines.log.producing import Producer
from pipelines.log.topics import topic_of
from pipelines.submitting.parcels import Parcel, parcels
from tests.postgres import Server, postgres

PORTS = (
    "KAFKA_PORT",
    "KAFKA_CONTROLLER_PORT",
    "FLINK_REST_PORT",
    "FLINK_RPC_PORT",
    "JOB_SERVER_PORT",
    "JOB_SERVER_ARTIFACT_PORT",
    "JOB_SERVER_EXPANSION_PORT",
    "EXPANSION_PORT",
    "STREAM_METRICS_PORT",
)


def environment_of(home: Path) -> dict[str, str]:
    """Settings under which a cluster comes in the way of no other.

    The ports lie below those that the system gives to whoever connects: a port must still be free when its program is
    started again.
    """
    free = (port for port in random.sample(range(20_000, 32_000), 2_000) if not is_listening(port))
    ports = {f"ROLLOUT_{name}": str(next(free)) for name in PORTS}
    first = next(free)
    return {"ROLLOUT_HOME": str(home), "ROLLOUT_FLINK_METRICS_PORTS": f"{first}-{first + 9}", **ports}


WORKER = "apache_beam.runners.worker.sdk_worker_main"
# Options of a stream with half as many workers, which are there (again) in half the time.
FEW_WORKERS = ("--", "--parallelism=1")
VICTIMS = ("task manager", "worker", "job manager", "broker", "store")


@dataclass(slots=True)
class World:
    """All of it under one home."""

    home: Path
    server: Server
    environment: dict[str, str]
    killed: list[str] = field(default_factory=list)

    @property
    def bootstrap(self) -> str:
        """The broker's address."""
        return f"127.0.0.1:{self.environment['ROLLOUT_KAFKA_PORT']}"

    @property
    def log(self) -> KafkaSettings:
        """How the log is reached."""
        return KafkaSettings.at(self.bootstrap)

    def rollout(
        self, *arguments: object, fails: bool | None = False, principal: str = "", folder: Path | None = None
    ) -> str:
        """What a command prints; it must succeed, or fail where that is wanted, or either (None).

        A principal is one of a secured log; `folder` is where the command is given, ours by default.
        """
        command = [sys.executable, "-m", "pipelines.cli", *map(str, arguments)]
        environment = {**os.environ, **self.environment, **(login(self.home, principal) if principal else {})}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=600, cwd=folder
        )
        assert fails in (None, done.returncode != 0), (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
        )
        return done.stdout + done.stderr

    def kill(self, victim: str) -> None:
        """One of VICTIMS is killed with SIGKILL; broker and store are started again, the others are the stream's."""
        self.killed.append(victim)
        if victim == "store":
            self.server.kill()
            time.sleep(1)
            self.server.start()
            return
        for pid in self.pids(victim):
            os.kill(pid, signal.SIGKILL)
        if victim == "broker":
            self.rollout("kafka", "up")

    @contextmanager
    def stopped(self, *victims: str) -> Iterator[None]:
        """Programs do nothing for a while, and then go on."""
        pids = [pid for victim in victims for pid in self.pids(victim)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def processes(self) -> list[int]:
        """All that was started under this home: the programs, their workers and the stream's supervisor."""
        return [one.pid for one in psutil.process_iter() if _home_of(one) == str(self.home)]

    def pids(self, victim: str) -> list[int]:
        """The processes of one of VICTIMS other than the store."""
        if victim == "broker":
            return _found(running(kafka.place_of(self.home), kafka.NAME))
        place = flink.Folders(self.home).place
        if victim == "job manager":
            return _found(running(place, flink.JOB_MANAGER))
        task_manager = running(place, flink.TASK_MANAGER)
        if victim == "task manager":
            return _found(task_manager)
        return workers_of(task_manager)[:1]


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("ROLLOUT_HOME")
    except psutil.Error:
        return None


def _found(pid: int | None) -> list[int]:
    return [] if pid is None else [pid]


def workers_of(task_manager: int | None) -> list[int]:
    """The Python workers of a TaskManager."""
    if task_manager is None or not psutil.pid_exists(task_manager):
        return []
    found = []
    for child in psutil.Process(task_manager).children(recursive=True):
        try:
            if WORKER in child.cmdline():
                found.append(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def login(home: Path, principal: str) -> dict[str, str]:
    """The settings by which a principal logs in at the secured broker under a home."""
    lines = secured.environment(home, principal)
    return dict(line.removeprefix("export ").split("=", maxsplit=1) for line in lines)


@contextmanager
def world(home: Path, *kafka_options: str) -> Iterator[World]:
    """Kafka, Flink and PostgreSQL are up, and nothing of them is left behind."""
    with postgres() as server:
        made = World(home, server, environment_of(home))
        try:
            made.rollout("kafka", "up", *kafka_options)
            made.rollout("flink", "up")
            yield made
            if (home / "stream").exists():
                made.rollout("stream", "stop")
        finally:
            made.rollout("flink", "down")
            made.rollout("kafka", "down")


def messages_of(folder: Path, chance: random.Random) -> list[tuple[str, bytes]]:
    """All that can be read of the files under a folder, as topic and message, shuffled; some as single events."""
    found = []
    for path in sorted(folder.rglob("*.avro")):
        sent = parcels(path.read_bytes(), single=chance.random() < 0.2)
        found += [(topic_of(path.parent.name), parcel.value) for parcel in sent if isinstance(parcel, Parcel)]
    chance.shuffle(found)
    return found


@dataclass(slots=True)
class Feeder:
    """Sends messages at a pace in a thread; what the broker did not take is sent again, with what went beside it."""

    log: KafkaSettings
    messages: Sequence[tuple[str, bytes]]
    seconds: float
    batches: int = 60
    thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.thread is not None
        self.thread.join(timeout=600)
        assert not self.thread.is_alive()

    def _run(self) -> None:
        size = -(-len(self.messages) // self.batches)
        for begin in range(0, len(self.messages), size):
            send_all(self.log, self.messages[begin : begin + size])
            time.sleep(self.seconds / self.batches)


def send_all(log: KafkaSettings, messages: Sequence[tuple[str, bytes]]) -> None:
    """All messages are in the log, whatever becomes of the broker meanwhile; some may be there twice."""
    while True:
        producer = Producer(log)
        try:
            for topic, value in messages:
                producer.send(topic, None, value, [(SYNTHETIC_HEADER, b"true")])
            producer.close()
        except LogError:
            time.sleep(1)
        else:
            return


def soon(what: str, holds: Callable[[], bool], seconds: float) -> None:
    """Something comes to hold; fails with its name if it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds:.0f} s"
        time.sleep(1)
