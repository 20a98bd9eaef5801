"""What hurts a stream in catching up, but does not kill it cleanly: it ends in the cells of a bounded run all the same.

A full disk, a locked store, odd messages, programs that stand still, a JVM that crashes, another number of shards.
"""

import io
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import fastavro
import pytest
from kafka import KafkaProducer

from infra.flink.cluster import Folders
from pipelines.log.topics import ensure_topics, topic_of
from pipelines.store import open_store
from pipelines.store.sqlite import BUSY_SECONDS
from pipelines.synthetic import Plan
from schemas.registry import parsed
from tests.builders import ACME, BOLT, installed
from tests.end_to_end.ledger import at_rest, cells_of, statuses
from tests.end_to_end.world import World, messages_of, send_all, soon, world
from tests.listening import listeners, reached_from_outside
from tests.pipelines.whole_runs import britain

pytestmark = pytest.mark.cluster

SEED = int(os.environ.get("ROLLOUT_SEED", "1"))
DISK_BYTES = 64_000_000
# Enough for the tables of a new store, and for no more.
LEFT_BYTES = 700_000
LARGE_BYTES = 999_999
# Longer than Flink waits for a sign of a TaskManager, and than it takes to find the broker silent.
STOPPED_SECONDS = 20
TOLD_SECONDS = 180
FULL = "is full; make room"


@dataclass(frozen=True)
class Bounded:
    """What a bounded run over the log has counted."""

    received: int
    cells: bytes


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture(scope="module")
def later(here: World, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """Half of a dirty Britain, to be sent later; the other half, and odd messages, are in the log."""
    folder = britain(tmp_path_factory.mktemp("britain"), Plan(1_500, SEED, date(2018, 6, 30), 0.3))
    every = messages_of(folder, random.Random(SEED))
    ensure_topics(here.log)
    send_all(here.log, [*every[::2], (topic_of(BOLT), large())])
    send_odd(here)
    return every[1::2]


def large() -> bytes:
    """A container with one event, as large as a message may just be."""
    event = {name: value for name, value in installed(by=BOLT).items() if name != "record"}

    def written(padding: int) -> bytes:
        out = io.BytesIO()
        fastavro.writer(
            out, parsed("MeterInstalled"), [event], metadata={"padding": "x" * padding}, sync_marker=b"s" * 16
        )
        return out.getvalue()

    # Beyond a few thousand bytes the number that tells the padding's length is as long as it will be.
    return written(LARGE_BYTES - len(written(500_000)) + 500_000)


def send_odd(here: World) -> None:
    """An empty message, one without a value, and a large one that is no event."""
    with closing(KafkaProducer(bootstrap_servers=here.bootstrap, acks="all")) as producer:
        for value in (b"", None, b"?" * LARGE_BYTES):
            producer.send(topic_of(ACME), key=b"odd", value=value)


@pytest.fixture(scope="module")
def snapshot(here: World, later: list[tuple[str, bytes]]) -> Path:
    """A snapshot of the log before the later messages."""
    assert later
    folder = here.home / "snapshot"
    here.rollout("run", "--kafka", here.bootstrap, "--store", here.home / "before.db", "--snapshot", folder)
    return folder


@pytest.fixture(scope="module")
def whole(here: World, later: list[tuple[str, bytes]], snapshot: Path) -> Bounded:
    """What a bounded run over the whole log counts; the later messages are in it from now on."""
    assert snapshot.exists()
    send_all(here.log, later)
    url = f"sqlite:///{here.home}/whole.db"
    here.rollout("run", "--kafka", here.bootstrap, "--store", url)
    return Bounded(open_store(url).current_run().received, cells_of(here, url, "whole").read_bytes())


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "rollout", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def nearly_full(disk: Path) -> Iterator[None]:
    """There is room for LEFT_BYTES on a disk."""
    filler = disk / "filler"
    filler.write_bytes(bytes(DISK_BYTES - LEFT_BYTES))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Another program writes to a store, and goes on doing so."""
    with closing(sqlite3.connect(store, isolation_level=None, timeout=BUSY_SECONDS)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield
        writer.execute("ROLLBACK")


def received(url: str) -> int:
    """The records that have come of the current run of a store."""
    store = open_store(url)
    return statuses(store, store.current_run().run_id)["received"]


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root may mount a disk that can be filled.")
def test_a_full_disk_is_told_and_then_a_locked_store_is_waited_for(
    here: World, disk: Path, snapshot: Path, request: pytest.FixtureRequest
) -> None:
    assert snapshot.exists()
    store, url = disk / "live.db", f"sqlite:///{disk}/live.db"
    with nearly_full(disk):
        here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", url, "--shards", 6)
        soon("a sentence about the disk", lambda: FULL in here.rollout("stream", "status", fails=None), TOLD_SECONDS)
    with locked(store):
        begin = time.monotonic()
        whole = request.getfixturevalue("whole")
        time.sleep(max(0.0, BUSY_SECONDS + 5 - (time.monotonic() - begin)))
        assert received(url) < whole.received
    at_rest(url, whole.received)
    assert cells_of(here, url, "disk").read_bytes() == whole.cells
    assert reached_from_outside(listeners(here.processes())) == {}
    here.rollout("stream", "stop")


def test_a_broker_and_a_task_manager_that_stand_still_lose_nothing_with_other_shards(
    here: World, snapshot: Path, whole: Bounded
) -> None:
    url = f"sqlite:///{here.home}/three.db"
    goes_on(here, url, snapshot, "--shards", 3)
    with here.stopped("broker", "task manager"):
        assert received(url) < whole.received
        time.sleep(STOPPED_SECONDS)
    at_rest(url, whole.received)
    assert cells_of(here, url, "three").read_bytes() == whole.cells
    here.rollout("stream", "stop")


def test_a_jvm_that_crashes_comes_back_with_other_shards_and_without_another_subtask(
    here: World, snapshot: Path, whole: Bounded
) -> None:
    url = f"sqlite:///{here.home}/five.db"
    goes_on(here, url, snapshot, "--shards", 5, "--", "--parallelism=1", "--max_parallelism=1")
    (crashed,) = here.pids("task manager")
    os.kill(crashed, signal.SIGSEGV)
    assert received(url) < whole.received
    at_rest(url, whole.received)
    assert cells_of(here, url, "five").read_bytes() == whole.cells
    assert [path.name for path in Folders(here.home).place.log.glob("hs_err*")] == [f"hs_err_pid{crashed}.log"]


def goes_on(here: World, url: str, snapshot: Path, *options: object) -> None:
    """A stream runs that goes on from a snapshot."""
    here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", url, "--from-snapshot", snapshot, *options)
