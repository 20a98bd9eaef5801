"""`rollout stream watch`: one command has a stream watched whose supervisor has died, and no other."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.keys import Key
from pipelines.stream.record import StreamRecord, keep
from tests.infra.programs import lives, soon
from tests.pipelines.cli.commands import ROLLOUT, environment

RUN = "20260701T0000Z"
PATIENCE = 180.0


def note_of(home: Path) -> Path:
    return home / "stream" / RUN / "supervisor.pid"


def supervisor_of(home: Path) -> int:
    return int(note_of(home).read_text(encoding="ascii").split()[0])


def watch(home: Path) -> subprocess.Popen[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {**environment(home), "ROLLOUT_STREAM_METRICS_PORT": str(port), "ROLLOUT_FLINK_REST_PORT": "1"}
    command = [ROLLOUT, "stream", "watch"]
    return subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def watched(home: Path) -> tuple[int, str, str]:
    """The status of the command and what it says."""
    running = watch(home)
    out, err = running.communicate(timeout=PATIENCE)
    return running.returncode, out, err


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with a stream whose supervisor has died."""
    key = Key(b"a key")
    keep(tmp_path, StreamRecord(RUN, key.key_id, 4, None, "127.0.0.1:1", "x.db", {}, (), ("a job",)))
    note_of(tmp_path).write_text("4194304 1", encoding="ascii")
    yield tmp_path
    if note_of(tmp_path).exists() and lives(supervisor_of(tmp_path)):
        os.kill(supervisor_of(tmp_path), signal.SIGKILL)


def test_of_two_who_ask_at_once_one_starts_the_supervisor_and_the_other_says_that_it_runs(home: Path) -> None:
    asked = [watch(home), watch(home)]
    said = sorted(one.communicate(timeout=PATIENCE)[0] for one in asked)
    assert said == [f"The stream of run {RUN} is watched again.\n", f"The stream of run {RUN} is watched already.\n"]
    first = supervisor_of(home)
    assert lives(first)
    assert watched(home) == (0, f"The stream of run {RUN} is watched already.\n", "")
    assert supervisor_of(home) == first


def test_a_supervisor_whose_port_for_figures_is_taken_watches_all_the_same(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = {**environment(home), "ROLLOUT_STREAM_METRICS_PORT": str(port), "ROLLOUT_FLINK_REST_PORT": "1"}
        subprocess.run([ROLLOUT, "stream", "watch"], env=given, check=True, capture_output=True, timeout=PATIENCE)
        log = home / "stream" / RUN / "supervisor.log"
        assert soon(lambda: f"There are no gauges: port {port} cannot be used" in log.read_text(), PATIENCE)
        # It looks for the stream's job, so it watches.
        assert soon(lambda: "FlinkAway" in log.read_text(), PATIENCE)
        assert lives(supervisor_of(home))


def test_a_stream_that_was_stopped_is_not_watched(home: Path) -> None:
    note_of(home).unlink()
    status, out, err = watched(home)
    assert (status, out) == (2, "")
    assert err == f"The stream of run {RUN} was stopped; `rollout stream start` starts another.\n"


def test_where_no_stream_was_started_there_is_none_to_watch(tmp_path: Path) -> None:
    status, _, err = watched(tmp_path)
    assert status == 2
    assert err.startswith("No stream was started under")
