import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipelines.store import Store, StoreError, StoreMissing, open_store, sqlite
from pipelines.store.tables import CURRENT_RUN
from tests.pipelines.store.runs import Cell, intake, many_cells, new_store, quarantine, run, write

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def values(store: Store) -> list[int]:
    return store.cells()["value"].to_list()


def stored_runs(store: Store) -> set[str]:
    with closing(sqlite3.connect(store.name)) as connection:
        return {run_id for (run_id,) in connection.execute("SELECT run_id FROM ledger_cells")}


def test_reading_makes_no_file(store: Store) -> None:
    with pytest.raises(StoreError, match="holds no run yet"):
        store.cells()
    assert not Path(store.name).exists()


def killed(store: Store, moment: str) -> int:
    command = [sys.executable, "-m", "tests.pipelines.store.killed_writer", f"sqlite:///{store.name}", moment]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


@pytest.mark.parametrize("moment", ["insert", "commit"])
def test_a_killed_writer_leaves_the_former_run_and_no_half_run(store: Store, moment: str) -> None:
    write(store, "first", Cell(7))
    assert killed(store, moment) == -signal.SIGKILL
    # As the dashboard opens it, before anybody could have repaired something.
    with closing(sqlite3.connect(f"file:{store.name}?mode=ro", uri=True)) as connection:
        assert connection.execute("SELECT run_id, value FROM ledger_cells").fetchall() == [("first", 7)]
    assert [header.run_id for header in store.runs()] == ["first"]
    write(store, "second", Cell(8))
    assert (values(store), stored_runs(store)) == ([8], {"first", "second"})


def test_a_writer_killed_in_the_first_run_leaves_a_store_without_a_run(store: Store) -> None:
    assert killed(store, "insert") == -signal.SIGKILL
    with pytest.raises(StoreError, match="holds no run yet"):
        open_store(store.name).cells()
    write(store, "first", Cell(1))
    assert values(store) == [1]


@pytest.mark.parametrize("cache_kib", [64, sqlite.CACHE_KIB])
def test_a_full_disk_is_one_sentence_and_the_former_run_stands(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    no_file_beyond: Callable[[int], AbstractContextManager[None]],
    cache_kib: int,
) -> None:
    write(store, "first", Cell(7))
    # With a small cache the room runs out while rows are inserted, with the usual one at the commit.
    monkeypatch.setattr(sqlite, "CACHE_KIB", cache_kib)
    with no_file_beyond(400_000), pytest.raises(StoreError, match=r"^The disk with the store \S+ is full[^.]*\.$"):
        store.write_run(run("second"), many_cells(30_000), intake(), quarantine())
    assert (store.current_run().run_id, values(store)) == ("first", [7])
    write(store, "third", Cell(8))
    assert values(store) == [8]


def test_readers_see_the_former_run_while_a_run_is_written(store: Store) -> None:
    write(store, "first", Cell(7))
    with sqlite.SqliteBackend(Path(store.name), create=False).writing() as connection:
        connection.execute(sa.delete(CURRENT_RUN))
        assert values(store) == [7]
        connection.rollback()


def test_a_second_writer_is_told_that_the_store_is_in_use(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, "first", Cell(7))
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.0)
    other = sqlite.SqliteBackend(Path(store.name), create=False)
    with other.writing(), pytest.raises(StoreError, match="is in use by another program"):
        write(store, "second", Cell(8))
    assert values(store) == [7]


def test_at_rest_a_store_is_one_file(store: Store, tmp_path: Path) -> None:
    write(store, "first", Cell())
    store.cells()
    assert [path.name for path in tmp_path.iterdir()] == ["rollout.db"]


def test_a_store_that_somebody_reads_all_the_time_can_still_be_written(store: Store) -> None:
    write(store, "first", Cell(7))
    with closing(sqlite3.connect(f"file:{store.name}?mode=ro", uri=True)) as dashboard:
        dashboard.execute("SELECT * FROM ledger_cells").fetchall()
        write(store, "second", Cell(8))
        assert dashboard.execute("SELECT run_id FROM current_run").fetchall() == [("second",)]
        write(store, "third", Cell(9))
    assert values(store) == [9]


def test_a_file_that_goes_after_it_was_opened_is_told_apart_and_not_made(tmp_path: Path) -> None:
    write(new_store(tmp_path), "first", Cell())
    store = open_store(str(tmp_path / "rollout.db"))
    (tmp_path / "rollout.db").unlink()
    with pytest.raises(StoreMissing, match="There is no store at"):
        write(store, "second", Cell())
    assert list(tmp_path.iterdir()) == []
