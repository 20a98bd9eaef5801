import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal
from sqlalchemy.exc import IntegrityError, StatementError

from pipelines.store import Store, StoreError, open_store, sqlite
from pipelines.store.tables import CURRENT_RUN
from tests.pipelines.store.runs import NOON, Cell, cells, intake, many_cells, new_store, quarantine, run, write

ROOT = Path(__file__).parents[3]
REJECTED = ("BGAS", "MeterInstalled", "REGION_UNKNOWN", "No such region, here.", "BGAS/a.avro:1", 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def values(store: Store, run_id: str | None = None) -> list[int]:
    return store.cells(run_id)["value"].to_list()


def test_a_run_is_read_as_it_was_written(store: Store) -> None:
    gas, power = Cell(5, fuel="GAS"), Cell(-2)
    store.write_run(run("first"), cells(gas, power), intake(("BGAS", "received", 7)), quarantine(REJECTED))
    assert store.current_run() == run("first")
    assert_frame_equal(store.cells(), cells(power, gas))
    assert_frame_equal(store.intake(), intake(("BGAS", "received", 7)))
    assert_frame_equal(store.quarantine(), quarantine(REJECTED))


def test_a_run_of_nothing_has_empty_frames_of_the_same_columns(store: Store) -> None:
    store.write_run(run("empty"), cells(), intake(), quarantine())
    assert_frame_equal(store.cells(), cells())
    assert_frame_equal(store.quarantine(), quarantine())


def test_more_cells_than_a_slice_come_back_whole(store: Store) -> None:
    written = many_cells(45_000)
    store.write_run(run("large"), written, intake(), quarantine())
    assert_frame_equal(store.cells(), written, check_row_order=False)


@pytest.mark.parametrize("value", [1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_an_int64_is_kept_exactly(store: Store, value: int) -> None:
    write(store, "first", Cell(value))
    assert values(store) == [value]


def test_cells_come_in_byte_order_of_their_lines(store: Store) -> None:
    # '+' and '-' stand on either side of the comma, so the order of lines is not that of the columns.
    written = [Cell(detail=detail, value=value) for detail, value in (("D", 1), ("D-", 2), ("D+", 3), ("", 4))]
    write(store, "first", *written)
    assert store.cells()["detail"].to_list() == ["", "D+", "D", "D-"]


def test_times_come_back_in_utc(store: Store) -> None:
    summer = datetime(2026, 7, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    store.write_run(run("first", as_at=summer), cells(), intake(), quarantine())
    assert store.current_run().as_at == datetime(2026, 6, 30, 23, 30, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="has no time zone"):
        store.write_run(run("first", as_at=NOON.replace(tzinfo=None)), cells(), intake(), quarantine())


def test_a_new_run_takes_the_place_of_the_former(store: Store) -> None:
    write(store, "first", Cell(1))
    write(store, "second", Cell(2))
    assert (store.current_run().run_id, values(store)) == ("second", [2])


def test_the_rows_of_the_former_run_are_kept_and_of_older_runs_only_the_header(store: Store) -> None:
    for number, run_id in enumerate(("first", "second", "third"), start=1):
        write(store, run_id, Cell(number))
    assert values(store, "second") == [2]
    assert [header.run_id for header in store.runs()] == ["first", "second", "third"]
    with pytest.raises(StoreError, match="keeps no rows of a run first"):
        store.cells("first")


def stored_runs(store: Store) -> set[str]:
    with closing(sqlite3.connect(store.name)) as connection:
        return {run_id for (run_id,) in connection.execute("SELECT run_id FROM ledger_cells")}


def test_older_rows_leave_the_file(store: Store) -> None:
    for run_id in ("first", "second", "third"):
        write(store, run_id, Cell())
    assert stored_runs(store) == {"second", "third"}


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (cells(Cell(0)), "cell of value 0"),
        (cells(Cell(1), Cell(2)), "two rows with one key"),
        (cells(Cell()).drop("detail"), "wants the columns"),
        (cells(Cell()).with_columns(pl.lit(None, pl.String).alias("detail")), "empty field"),
    ],
)
def test_cells_that_cannot_be_right_raise_and_change_nothing(store: Store, frame: pl.DataFrame, sentence: str) -> None:
    write(store, "first", Cell(7))
    with pytest.raises(ValueError, match=sentence):
        store.write_run(run("second"), frame, intake(), quarantine())
    assert (store.current_run().run_id, values(store)) == ("first", [7])


def test_a_word_that_is_on_no_code_list_raises_and_changes_nothing(store: Store) -> None:
    write(store, "first", Cell(7))
    with pytest.raises(IntegrityError):
        write(store, "second", *(Cell(fuel=fuel) for fuel in ("GAS", "STEAM")))
    assert (store.current_run().run_id, values(store)) == ("first", [7])
    assert stored_runs(store) == {"first"}


def test_a_run_cannot_be_written_twice(store: Store) -> None:
    write(store, "first", Cell(1))
    with pytest.raises(IntegrityError):
        write(store, "first", Cell(2))
    assert values(store) == [1]


def test_a_store_without_a_run_says_so(store: Store) -> None:
    for read in (store.current_run, store.cells, store.intake, store.quarantine, store.runs):
        with pytest.raises(StoreError, match="holds no run yet"):
            read()
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
