"""Programs that go on after the command that started them: found again, ended whole, and never mistaken for another."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import processes
from infra.processes import (
    ClusterError,
    Place,
    alone,
    is_listening,
    members,
    running,
    start,
    state_of,
    stop,
    wait_until,
)
from tests.infra.programs import HAS_A_CHILD, IS_DEAF, SLEEPS, lives, place_in, program, said, soon

NAME = "sleeper"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    wanted = place_in(tmp_path)
    yield wanted
    stop(wanted, NAME)


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of the loopback address that is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A program that is none of ours."""
    with subprocess.Popen([sys.executable, "-c", SLEEPS], start_new_session=True) as process:
        yield process
        process.kill()


def test_a_program_that_was_started_is_found_by_its_file(place: Place) -> None:
    pid = start(place, program(SLEEPS))
    assert running(place, NAME) == pid
    assert os.getsid(pid) == pid != os.getsid(0)


def test_what_a_program_prints_is_in_its_log(place: Place) -> None:
    start(place, program("import sys; print('heard'); print('seen', file=sys.stderr)"))
    assert soon(lambda: {"heard", "seen"} <= set(place.log_of(NAME).read_text(encoding="utf-8").split()))


def test_a_program_runs_in_the_folder_of_its_log_where_a_crash_leaves_its_report(place: Place) -> None:
    start(place, program("import os; print(os.getcwd())"))
    assert Path(said(place)) == place.log


def test_a_program_s_arguments_are_its_own_whatever_is_in_them(place: Place) -> None:
    words = ["two words", "$HOME", "'", "*", ""]
    start(place, processes.Program(NAME, [*program("import sys; print(sys.argv[1:])").command, *words], ()))
    assert said(place) == str(words)


def test_a_program_gets_what_it_adds_to_the_environment(place: Place) -> None:
    wanted = processes.Program(NAME, program("import os; print(os.environ['GIVEN'])").command, (), {"GIVEN": "too"})
    start(place, wanted)
    assert said(place) == "too"


def test_stopping_ends_a_program_and_what_it_started(place: Place) -> None:
    pid = start(place, program(HAS_A_CHILD))
    child = int(said(place))
    assert set(members(place, NAME)) == {pid, child}
    assert stop(place, NAME)
    assert not lives(pid)
    assert not lives(child)
    assert running(place, NAME) is None


def test_stopping_ends_what_a_killed_program_has_left(place: Place) -> None:
    pid = start(place, program(HAS_A_CHILD))
    child = int(said(place))
    os.kill(pid, signal.SIGKILL)
    assert soon(lambda: not lives(pid))
    assert running(place, NAME) is None
    assert lives(child)
    assert stop(place, NAME)
    assert not lives(child)


def test_a_program_that_does_not_listen_is_made_to_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    pid = start(place, program(IS_DEAF))
    assert said(place) == "deaf"
    assert stop(place, NAME)
    assert soon(lambda: not lives(pid))


def test_stopping_twice_is_no_mistake(place: Place) -> None:
    start(place, program(SLEEPS))
    assert stop(place, NAME)
    assert not stop(place, NAME)


def test_a_number_that_went_to_another_program_is_not_taken_for_ours(
    place: Place, stranger: subprocess.Popen[bytes]
) -> None:
    place.run.mkdir(parents=True)
    (place.run / f"{NAME}.pid").write_text(f"{stranger.pid} 1", encoding="ascii")
    assert running(place, NAME) is None
    assert not stop(place, NAME)
    assert stranger.poll() is None


@pytest.mark.parametrize("text", ["", "no number", "1 2 3", "\n"])
def test_a_spoilt_file_means_that_nothing_runs(place: Place, text: str) -> None:
    place.run.mkdir(parents=True)
    (place.run / f"{NAME}.pid").write_text(text, encoding="ascii")
    assert running(place, NAME) is None
    assert state_of(place, NAME, "nowhere").pid is None


def test_a_taken_port_is_told_in_one_sentence_and_nothing_starts(place: Place, listener: int) -> None:
    with pytest.raises(ClusterError, match=rf"^Port {listener}, which sleeper wants, is taken by another program"):
        start(place, program(SLEEPS, listener))
    assert running(place, NAME) is None


def test_a_port_is_taken_while_somebody_listens(listener: int) -> None:
    assert is_listening(listener)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert not is_listening(free.getsockname()[1])


def test_waiting_ends_when_a_program_is_ready(place: Place) -> None:
    start(place, program("print('ready', flush=True)\n" + SLEEPS))
    wait_until(lambda: place.log_of(NAME).read_text(encoding="utf-8") != "", place, NAME, 30)
    assert said(place) == "ready"


def test_a_program_that_ends_before_it_is_ready_is_told_with_its_log(place: Place) -> None:
    start(place, program("raise SystemExit(3)"))
    with pytest.raises(
        ClusterError, match=rf"^sleeper has ended before it was ready; its log is {place.log_of(NAME)}\.$"
    ):
        wait_until(lambda: False, place, NAME, 30)


def test_a_program_that_takes_too_long_is_told_with_its_log(place: Place) -> None:
    start(place, program(SLEEPS))
    with pytest.raises(ClusterError, match=rf"^sleeper was not ready after 0 s; its log is {place.log_of(NAME)}\.$"):
        wait_until(lambda: False, place, NAME, 0.1)


def test_the_state_of_a_program_has_its_memory(place: Place) -> None:
    pid = start(place, program("print('there', flush=True)\n" + SLEEPS))
    assert said(place) == "there"
    state = state_of(place, NAME, "127.0.0.1:1")
    assert (state.name, state.pid, state.address, state.log) == (NAME, pid, "127.0.0.1:1", place.log_of(NAME))
    assert state.memory_mib > 0


def test_two_do_not_start_things_under_one_folder_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path / "home"), (tmp_path / "home" / ".lock").open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with alone(tmp_path / "home"):
        pass
