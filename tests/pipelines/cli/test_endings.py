"""How a command ends that cannot go on: by a signal, on a full disk, without a reader, or before it destroys a file."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.store import StoreError, open_store
from tests.builders import installed, mode_changed, visited, write_files
from tests.pipelines.cli.commands import ROLLOUT, environment, rollout
from tests.pipelines.store.runs import Cell, new_store, write

FULL = 4_096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an input and a place for temporary files."""
    write_files(tmp_path / "in", [installed(), mode_changed(), visited()])
    (tmp_path / "tmp").mkdir()
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a run."""
    write(new_store(tmp_path), "former", Cell(1))
    return tmp_path / "rollout.db"


def started(folder: Path, *arguments: str, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """A command that runs in a folder, in a process group of its own as one of a terminal."""
    return subprocess.Popen(
        [ROLLOUT, *arguments],
        cwd=folder,
        env=environment(folder / "home") | {"TMPDIR": str(folder / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=before,  # noqa: PLW1509 - it sets a limit and takes no lock
    )


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Waits until something holds. Raises AssertionError if it does not."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def works(folder: Path) -> bool:
    return any((folder / "home/work").glob("run-*"))


def left(folder: Path) -> list[str]:
    """What lies beside the input after a run, but for the key and the lock of the store."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return [path for path in found if not path.startswith(("in/", "home/pseudonym")) and "lock" not in path]


def tree() -> str:
    return subprocess.run(["ps", "-wweo", "pid,sid,stat,args"], capture_output=True, text=True, check=True).stdout


def of_session(number: int) -> list[str]:
    """The processes of a session that still run."""
    rows = [line.split(None, 3) for line in tree().splitlines()[1:]]
    return [row[3] for row in rows if int(row[1]) == number and not row[2].startswith("Z")]


@pytest.mark.beam
@pytest.mark.parametrize(
    ("number", "options"),
    [
        (signal.SIGINT, ()),
        (signal.SIGTERM, ()),
        (signal.SIGINT, ("--direct_num_workers=2", "--direct_running_mode=multi_processing")),
        (signal.SIGTERM, ("--direct_num_workers=2", "--direct_running_mode=multi_processing")),
    ],
)
def test_a_run_that_a_signal_ends_says_nothing_and_leaves_nothing(
    folder: Path, number: signal.Signals, options: tuple[str, ...]
) -> None:
    run = started(folder, "run", "--input", "in", "--store", "new.db", *(["--", *options] if options else []))
    until(lambda: works(folder))
    if options:
        until(lambda: any("pipelines.local.worker" in line for line in of_session(run.pid)))
    # As a terminal does it: to all processes.
    os.killpg(run.pid, number) if number == signal.SIGINT else run.send_signal(number)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert "Traceback" not in errors
    assert left(folder) == []
    assert list((folder / "tmp").iterdir()) == []
    until(lambda: of_session(run.pid) == [])


@pytest.mark.beam
def test_what_a_killed_run_leaves_lies_in_its_work_folder_and_the_next_run_takes_it_away(folder: Path) -> None:
    run = started(folder, "run", "--input", "in", "--store", "new.db")
    until(lambda: works(folder))
    run.kill()
    run.communicate(timeout=60)
    assert list((folder / "tmp").iterdir()) == []
    assert rollout(folder / "home", "run", "--input", "in", "--store", "new.db").returncode == 0
    assert not works(folder)


@pytest.mark.beam
def test_a_reader_that_leaves_costs_no_run(folder: Path) -> None:
    run = started(folder, "run", "--input", "in", "--store", "new.db")
    assert run.stdout
    run.stdout.close()
    _, errors = run.communicate(timeout=120)
    assert (run.returncode, "Traceback" in errors) == (0, False)
    assert len(open_store(str(folder / "new.db")).cells()) > 0


def full() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL, FULL))


@pytest.mark.beam
def test_a_full_disk_is_one_sentence_and_leaves_no_store(folder: Path) -> None:
    rollout(folder / "home", "run", "--input", "in", "--store", "key.db")
    (folder / "key.db").unlink()
    run = started(folder, "run", "--input", "in", "--store", "new.db", before=full)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "The disk is full" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert left(folder) == []


def test_a_synthetic_britain_that_does_not_fit_leaves_nothing_and_may_be_tried_again(folder: Path) -> None:
    run = started(folder, "generate", "--out", "new/er", "--meters", "200", before=full)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "The disk is full" in errors.splitlines()[-1]
    assert not (folder / "new").exists()
    assert rollout(folder / "home", "generate", "--out", "new/er", "--meters", "200").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--input", "in", "--store", "new.db", "--shards", "99999999999999999999"),
        ("run", "--input", "in", "--store", "new.db", "--", "--runner=Nope"),
        ("run", "--input", "in", "--store", "new.db", "--", "--direct_num_workers=many"),
        ("generate", "--out", "new", "--meters", "1000000000000"),
        ("generate", "--out", "new", "--seed", "-1"),
        ("generate", "--out", "new", "--meters", "-1"),
    ],
)
def test_a_number_or_name_that_nobody_can_use_is_refused_and_nothing_is_made(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    done = rollout(folder / "home", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert left(folder) == []


@pytest.mark.parametrize("verb", ["cells", "quarantine", "intake"])
@pytest.mark.parametrize("out", ["rollout.db", "link.db", "./in/../rollout.db", "other.db", "rollout.db-wal"])
def test_an_output_never_takes_the_place_of_a_store(folder: Path, store: Path, verb: str, out: str) -> None:
    (folder / "link.db").symlink_to(store)
    (folder / "other.db").write_bytes(store.read_bytes())
    before = {path: path.read_bytes() for path in folder.rglob("*.db")}
    done = rollout(folder / "home", verb, "--store", str(store), "--out", out)
    assert (done.returncode, done.stdout) == (2, "")
    assert "name another file" in done.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*.db")} == before
    assert not (folder / "rollout.db-wal").exists()


@pytest.mark.parametrize("verb", ["cells", "quarantine", "intake"])
def test_an_output_never_takes_the_place_of_events(folder: Path, store: Path, verb: str) -> None:
    events = min((folder / "in").rglob("*.avro"))
    before = events.read_bytes()
    done = rollout(folder / "home", verb, "--store", str(store), "--out", events)
    assert done.returncode == 2
    assert "is a file of events" in done.stderr
    assert events.read_bytes() == before


def test_a_britain_is_not_generated_over_an_input(folder: Path) -> None:
    before = {path: path.read_bytes() for path in (folder / "in").rglob("*.avro")}
    done = rollout(folder / "home", "generate", "--out", "in", "--meters", "100")
    assert done.returncode == 2
    assert "is not an empty folder" in done.stderr
    assert {path: path.read_bytes() for path in (folder / "in").rglob("*.avro")} == before


def test_what_is_written_together_stands_together_or_not_at_all(store: Path) -> None:
    opened = open_store(str(store))

    def write_and_fail() -> None:
        with opened.together():
            write(opened, "newer", Cell(2))
            assert opened.current_run().run_id == "newer"
            raise StoreError("There is no room.")

    with pytest.raises(StoreError, match="no room"):
        write_and_fail()
    assert opened.current_run().run_id == "former"
    with opened.together():
        write(opened, "newer", Cell(2))
    assert opened.current_run().run_id == "newer"
