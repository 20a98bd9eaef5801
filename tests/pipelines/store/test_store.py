from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal
from sqlalchemy.exc import IntegrityError, StatementError

from pipelines.store import Store, StoreError
from tests.pipelines.store.runs import NOON, Cell, cells, intake, many_cells, quarantine, run, write

REJECTED = ("BGAS", "MeterInstalled", "REGION_UNKNOWN", "No such region, here.", "BGAS/a.avro:1", 1)


def values(store: Store, run_id: str | None = None) -> list[int]:
    return store.cells(run_id)["value"].to_list()


def test_a_run_is_read_as_it_was_written(store: Store) -> None:
    gas, power = Cell(5, fuel="GAS"), Cell(-2)
    store.write_run(run("first"), cells(gas, power), intake(("BGAS", "received", 7)), quarantine(REJECTED))
    assert store.current_run() == run("first")
    assert_frame_equal(store.cells(), cells(power, gas))
    assert_frame_equal(store.intake(), intake(("BGAS", "received", 7)))
    assert_frame_equal(store.quarantine(), quarantine(REJECTED))


def test_a_run_is_written_after_another_was_read_in_the_same_transaction(store: Store) -> None:
    write(store, "first", Cell(1))
    with store.together():
        write(store, "second", Cell(2))
        assert values(store) == [2]
        write(store, "third", Cell(3))
        assert values(store) == [3]
    assert values(store) == [3]


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


def stored_runs(beside: sa.Engine) -> set[str]:
    with beside.connect() as connection:
        return set(connection.execute(sa.text("SELECT run_id FROM ledger_cells")).scalars())


def test_older_rows_leave_the_database(store: Store, beside: sa.Engine) -> None:
    for run_id in ("first", "second", "third"):
        write(store, run_id, Cell())
    assert stored_runs(beside) == {"second", "third"}


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


def test_a_word_that_is_on_no_code_list_raises_and_changes_nothing(store: Store, beside: sa.Engine) -> None:
    write(store, "first", Cell(7))
    with pytest.raises(IntegrityError):
        write(store, "second", *(Cell(fuel=fuel) for fuel in ("GAS", "STEAM")))
    assert (store.current_run().run_id, values(store)) == ("first", [7])
    assert stored_runs(beside) == {"first"}


def test_a_run_cannot_be_written_twice(store: Store) -> None:
    write(store, "first", Cell(1))
    with pytest.raises(IntegrityError):
        write(store, "first", Cell(2))
    assert values(store) == [1]


def test_a_store_without_a_run_says_so(store: Store) -> None:
    for read in (store.current_run, store.cells, store.intake, store.quarantine, store.runs):
        with pytest.raises(StoreError, match="holds no run yet"):
            read()


@pytest.mark.parametrize("text", ["", "\\N", "a\tb", "a,b", '"', "\n\\.\n", "\r\n", "\\", " ", "é\u2028", "NULL"])
def test_a_text_is_kept_as_it_is(store: Store, text: str) -> None:
    write(store, "first", Cell(measure="meters_local", region_code=text))
    assert store.cells()["region_code"].to_list() == [text]


def test_texts_that_are_no_plain_utf8_are_kept_alike_in_either_back_end(store: Store) -> None:
    odd = "Z\0\\N\t\\.\n\r'\"é\U0001f525"
    rejected = (odd, "", "UNDECODABLE", odd, odd, 1)
    said = replace(run("first"), inputs='["\udce4\0"]', as_at_basis="\ud800")
    store.write_run(said, cells(Cell(detail=odd)), intake((odd, "received", 1)), quarantine(rejected))
    kept = odd.replace("\0", "\\x00")
    assert store.quarantine().row(0) == (kept, "", "UNDECODABLE", kept, kept, 1)
    assert store.intake()["owner"].to_list() == [kept]
    assert store.cells()["detail"].to_list() == [kept]
    assert (store.current_run().inputs, store.current_run().as_at_basis) == ('["\\udce4\\x00"]', "\\ud800")
