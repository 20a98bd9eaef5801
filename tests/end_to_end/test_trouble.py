"""A stream in trouble, on the real things: its status says what is wrong, what helps, and when it is over.

One stream lives through all of it, with its store named by a relative path from a folder that Flink does not work in.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.flink.cluster import TASK_MANAGER, Folders
from infra.processes import running
from pipelines.cli.supervising import NAME, place_of
from pipelines.log.topics import topic_of
from pipelines.stream.record import current
from tests.builders import ACME, installed
from tests.end_to_end.ledger import at_rest
from tests.end_to_end.test_stream import single
from tests.end_to_end.world import FEW_WORKERS, World, send_all, soon, workers_of, world

pytestmark = [
    pytest.mark.cluster,
    # A client of a broker that is killed under it leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SIDE_FILES = ("", "-wal", "-shm")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("trouble")) as made:
        yield made


@pytest.fixture(scope="module")
def folder(here: World) -> Path:
    """Where commands are given."""
    made = here.home / "elsewhere"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def store(here: World, folder: Path) -> Path:
    """The store of a stream that runs."""
    start(here, folder)
    return folder / "live.db"


def start(here: World, folder: Path, *more: str, fails: bool = False) -> str:
    named = ("--kafka", here.bootstrap, "--store", "sqlite:///live.db")
    options = () if "--" in more else FEW_WORKERS
    return here.rollout("stream", "start", *named, *more, *options, folder=folder, fails=fails)


sent: list[int] = []


def send(here: World, number: int) -> int:
    """Sends some events, each a message; gives how many have been sent in all."""
    first = sum(sent)
    events = [installed(on="2019-02-03", id=f"event {first + each}") for each in range(number)]
    send_all(here.log, [(topic_of(ACME), single(event)) for event in events])
    sent.append(number)
    return first + number


def status(here: World) -> tuple[bool, str]:
    """Whether the stream does well, and what is told of it."""
    command = [sys.executable, "-m", "pipelines.cli", "stream", "status"]
    environment = {**os.environ, **here.environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr
    return done.returncode == 0, done.stdout


def soon_told(here: World, well: bool, *words: str, seconds: float = 300) -> str:
    """What is told once the stream does well, or does not, and the status has some words."""
    told = ""

    def holds() -> bool:
        nonlocal told
        is_well, told = status(here)
        return is_well == well and all(word in told for word in words)

    soon(f"a status with {words}", holds, seconds)
    return told


WELL = ("RUNNING", "Lag: 0 messages not read yet; 0 read and not in the ledger yet", "Balance: holds", "Watched")


def test_a_relative_store_is_that_of_the_folder_in_which_the_stream_was_started(here: World, store: Path) -> None:
    at_rest(str(store), send(here, 3))
    told = soon_told(here, True, *WELL)
    assert f"store {store}, " in told
    assert not re.search("^(Last t|T)rouble", told, re.MULTILINE)
    assert " failed" not in told


def test_while_the_store_is_locked_the_balance_is_not_said_to_hold(here: World, store: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        number = send(here, 2)
        told = soon_told(here, True, "Lag: 0 messages not read yet; 2 read and not in the ledger yet", seconds=60)
        assert "it is behind what was read" in told
        other.execute("ROLLBACK")
    at_rest(str(store), number)
    soon_told(here, True, *WELL)


def test_a_store_that_is_gone_is_named_as_the_trouble_until_it_is_back(here: World, store: Path) -> None:
    present = [name for name in SIDE_FILES if Path(f"{store}{name}").exists()]
    for name in present:
        Path(f"{store}{name}").rename(f"{store}.away{name}")
    number = send(here, 2)
    told = soon_told(here, False, "\nTrouble, at ", "failing (")
    (trouble,) = re.findall(r"^Trouble, at [\d: -]+ UTC: (.*)$", told, re.MULTILINE)
    assert trouble.startswith(f"StoreMissing: The store {store} that the stream wrote is gone: move it back")
    assert not store.exists()
    for name in present:
        Path(f"{store}.away{name}").rename(f"{store}{name}")
    at_rest(str(store), number)
    told = soon_told(here, True, *WELL)
    assert re.search(r"^Last trouble, at .* UTC, over since .* UTC: StoreMissing: ", told, re.MULTILINE)


def test_one_command_mends_a_stream_whose_supervisor_and_job_manager_died_together(here: World, store: Path) -> None:
    place = place_of(here.home, current(here.home).run_id)
    supervisor = running(place, NAME)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    here.kill("job manager")
    number = send(here, 2)
    # What a TaskManager has read it may still write until it notices.
    soon_told(here, False, "NOT watched", "`rollout stream watch`", "does not answer", "Records: received ")
    assert "is watched again" in here.rollout("stream", "watch")
    at_rest(str(store), number)
    soon_told(here, True, *WELL)
    assert "is watched already" in here.rollout("stream", "watch")
    assert "cells agree" in here.rollout("verify", "--kafka", here.bootstrap, "--store", store)


def test_a_broker_that_is_away_hides_nothing_of_the_ledger(here: World, store: Path) -> None:
    assert store.exists()
    here.rollout("kafka", "down")
    told = soon_told(here, False, "cannot be reached", "Records: received 9", "how far it is behind cannot be seen")
    assert "Job " in told
    here.rollout("kafka", "up")
    at_rest(str(store), send(here, 1))


def test_a_savepoint_is_named_relatively_and_gone_on_from_with_the_same_shards_only(
    here: World, store: Path, folder: Path
) -> None:
    told = here.rollout("stream", "stop", "--savepoint", "saved", folder=folder)
    (place,) = (folder / "saved").iterdir()
    assert str(place) in told
    relative = ("--from-savepoint", f"saved/{place.name}")
    assert "of a stream with 8 shards, which stay" in start(here, folder, *relative, "--shards", "3", fails=True)
    assert "keeps the Beam options" in start(here, folder, *relative, "--", "--parallelism=2", fails=True)
    start(here, folder, *relative, "--shards", "8")
    at_rest(str(store), send(here, 1))
    assert "cells agree" in here.rollout("verify", "--kafka", here.bootstrap, "--store", store)


def test_workers_that_find_another_pseudonym_key_say_so(here: World, store: Path) -> None:
    key = here.home / "pseudonym.key"
    right = key.read_text(encoding="utf-8")
    key.write_text("another key", encoding="utf-8")
    for pid in workers_of(running(Folders(here.home).place, TASK_MANAGER)):
        os.kill(pid, signal.SIGKILL)
    number = send(here, 1)
    told = soon_told(here, False, "Trouble, at ", "KeyChangedError: The stream began with pseudonym key ")
    assert "another key" not in told
    key.write_text(right, encoding="utf-8")
    at_rest(str(store), number)
    soon_told(here, True, *WELL, "over since")


def test_a_stream_whose_store_was_deleted_can_be_stopped(here: World, store: Path) -> None:
    for name in SIDE_FILES:
        Path(f"{store}{name}").unlink(missing_ok=True)
    assert f"has ended; its ledger {store} is gone" in here.rollout("stream", "stop")
    assert not store.exists()
