"""The program of a stream's container, with a supervisor of its own where no cluster runs."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.keys import Key
from pipelines.stream.record import StreamRecord, keep
from tests.infra.documents import INFRA
from tests.infra.programs import soon

RUN = "20260701T0000Z"
# A loaded machine takes its time to import what a supervisor needs.
PATIENCE = 180.0


@pytest.fixture
def stopped_home(tmp_path: Path) -> Path:
    """A home with a stream that has run."""
    key = Key(b"a key")
    keep(tmp_path, StreamRecord(RUN, key.key_id, 4, None, "127.0.0.1:1", "x.db", {}, (), ("a job",)))
    return tmp_path


@pytest.fixture
def container(stopped_home: Path) -> Iterator[subprocess.Popen[str]]:
    """The container's program over a stream whose supervisor was watching when the container ended."""
    note = note_of(stopped_home)
    note.write_text("4194304 1", encoding="ascii")
    running = stream_program(stopped_home)
    yield running
    for pid in {running.pid, int(note.read_text(encoding="ascii").split()[0])} if note.exists() else {running.pid}:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
    running.communicate()


def note_of(home: Path) -> Path:
    return home / "stream" / RUN / "supervisor.pid"


def words_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")


def stream_program(home: Path) -> subprocess.Popen[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(INFRA.parent),
        "ROLLOUT_HOME": str(home),
        "ROLLOUT_STREAM_METRICS_PORT": str(port),
        "ROLLOUT_FLINK_REST_PORT": "1",
        "ROLLOUT_STREAM_LOOK_SECONDS": "0.2",
    }
    command = ["sh", str(INFRA / "compose" / "stream.sh")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_container_that_is_started_again_has_its_stream_watched_again_and_ends_with_the_supervisor(
    container: subprocess.Popen[str], stopped_home: Path
) -> None:
    note = note_of(stopped_home)
    assert soon(lambda: note.read_text(encoding="ascii") != "4194304 1", PATIENCE)
    supervisor = int(note.read_text(encoding="ascii").split()[0])

    assert soon(lambda: "supervise" in words_of(supervisor), PATIENCE)
    assert container.poll() is None
    os.kill(supervisor, signal.SIGKILL)
    said, _ = container.communicate(timeout=PATIENCE)
    assert container.returncode == 1
    assert said.splitlines() == [
        f"The stream of run {RUN} is watched again.",
        f"The supervisor of run {RUN} has ended.",
    ]


def test_a_stream_that_was_stopped_on_purpose_stays_stopped_and_its_container_ends_when_asked(
    stopped_home: Path,
) -> None:
    running = stream_program(stopped_home)
    assert running.stdout
    assert "was stopped" in running.stdout.readline()
    assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=PATIENCE)
    assert running.returncode == 0
    assert not note_of(stopped_home).exists()


def test_the_first_start_is_that_of_the_command_line_and_its_failure_the_container_s(tmp_path: Path) -> None:
    running = stream_program(tmp_path)
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 2
    # No arguments were given.
    assert "Usage: rollout stream start" in said
