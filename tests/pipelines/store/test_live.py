import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.store import Fenced, Portion, Store, StoreError
from tests.pipelines.store.runs import Cell, cells, intake, many_cells, quarantine, run, write
from tests.pipelines.store.streams import (
    ACME,
    BOLT,
    NO_SOURCE,
    begun,
    portion,
    provenances,
    rejections,
    stream,
    values,
)

ROOT = Path(__file__).parents[3]


def test_a_stream_is_the_current_run_and_live_until_it_ends(store: Store) -> None:
    begun(store)
    assert (store.current_run().run_id, store.live_stream()) == ("live", stream("live"))
    store.end_stream("live")
    assert (store.current_run().run_id, store.live_stream()) == ("live", None)


def test_a_store_without_a_run_has_no_live_stream(store: Store) -> None:
    assert store.live_stream() is None


def test_a_second_stream_and_a_run_are_refused_while_one_is_live(store: Store) -> None:
    begun(store)
    for attempt in (lambda: begun(store, "second"), lambda: write(store, "bounded", Cell())):
        with pytest.raises(StoreError, match=r"^The stream of run live is live in the store [^;]+; end it first with"):
            attempt()
    store.end_stream("live")
    write(store, "bounded", Cell(detail="now"))
    assert values(store) == {"now": 1}


def test_a_key_takes_its_next_number_at_each_start_and_keeps_it_in_between(store: Store) -> None:
    begun(store)
    assert store.write_portions("live", [portion(ACME), portion(BOLT)]) == {ACME: 1, BOLT: 1}
    assert store.write_portions("live", [portion(ACME, fence=1)]) == {ACME: 1}
    assert store.write_portions("live", [portion(ACME), portion(BOLT, fence=1)]) == {ACME: 2, BOLT: 1}


def test_a_worker_that_another_has_replaced_is_refused_and_writes_nothing(store: Store) -> None:
    begun(store)
    store.write_portions("live", [portion(ACME, cells_of=(Cell(1, detail="old"),)), portion(BOLT)])
    store.write_portions("live", [portion(ACME, cells_of=(Cell(2, detail="new"),))])
    zombie = [
        portion(BOLT, fence=1, cells_of=(Cell(9, detail="of BOLT"),), quarantined={"supplier.BOLT/0/1": "NO"}),
        portion(ACME, fence=1, cells_of=(Cell(9, detail="new"),)),
    ]
    with pytest.raises(Fenced, match="Another worker writes ACME of run live"):
        store.write_portions("live", zombie)
    assert (values(store), provenances(store)) == ({"new": 2}, [])


def test_a_number_that_was_never_taken_is_refused(store: Store) -> None:
    with pytest.raises(Fenced):
        begun(store).write_portions("live", [portion(ACME, fence=1)])


def test_a_stream_that_is_over_or_never_was_is_not_written(store: Store) -> None:
    begun(store).write_portions("live", [portion(ACME, cells_of=(Cell(1),))])
    store.end_stream("live")
    for run_id, fence in (("live", 1), ("live", None), ("other", None)):
        with pytest.raises(Fenced, match="is over"):
            store.write_portions(run_id, [portion(ACME, fence, (Cell(2),))])
    assert values(store) == {"": 1}


def test_totals_take_the_place_of_what_stood_and_0_leaves_nothing(store: Store) -> None:
    begun(store)
    first = portion(ACME, None, (Cell(1, detail="a"), Cell(2, detail="b")), {"received": 3, "pending": 1}, {"R": 1})
    store.write_portions("live", [first])
    store.write_portions(
        "live", [portion(ACME, 1, (Cell(5, detail="a"), Cell(0, detail="b")), {"pending": 0}, {"R": 0, "S": 4})]
    )
    assert (values(store), rejections(store)) == ({"a": 5}, {"S": 4})
    assert_frame_equal(store.intake(), intake((ACME, "received", 3)))


def test_the_first_write_after_a_start_leaves_no_total_of_the_worker_before(store: Store) -> None:
    begun(store)
    lost = portion(ACME, None, (Cell(1, detail="stale"),), {"pending": 1}, {"R": 1}, {"supplier.ACME/0/0": "NO"})
    other = portion(BOLT, None, (Cell(3, detail="other"),), {"received": 3}, {"T": 3})
    local = portion(NO_SOURCE, None, (Cell(4, detail="local"),))
    store.write_portions("live", [lost, other, local])
    store.write_portions("live", [portion(ACME, None, (Cell(2, detail="right"),), {"received": 2})])
    assert values(store) == {"right": 2, "other": 3, "local": 4}
    assert rejections(store) == {"T": 3}
    assert_frame_equal(store.intake(), intake((ACME, "received", 2), (BOLT, "received", 3)))
    assert provenances(store) == ["supplier.ACME/0/0"]


def test_a_message_that_is_read_again_is_in_quarantine_once(store: Store) -> None:
    begun(store)
    store.write_portions("live", [portion(ACME, quarantined={"supplier.ACME/0/0": "NO", "supplier.ACME/0/1": "NO"})])
    again = {"supplier.ACME/0/1": "NO", "supplier.ACME/0/2": "NO"}
    store.write_portions("live", [portion(ACME, 1, quarantined=again)])
    store.write_portions("live", [portion(ACME, quarantined=again)])
    assert provenances(store) == [f"supplier.ACME/0/{offset}" for offset in range(3)]


def test_readers_see_the_baseline_and_the_stream_as_one(store: Store) -> None:
    turned_away = (ACME, "MeterInstalled", "NO", "No.", "ACME/a.avro:1", 1)
    lifted = (ACME, "MeterInstalled", "R", "The meter is there already.", "", 2)
    before = [Cell(5, detail="both", source_id=ACME), Cell(7, detail="gone", source_id=ACME), Cell(1, detail="old")]
    received = intake((ACME, "received", 3), (ACME, "pending", 1))
    store.write_run(run("base"), cells(*before), received, quarantine(turned_away, lifted))
    begun(store, baseline="base")
    since = (Cell(-2, detail="both"), Cell(-7, detail="gone"), Cell(4, detail="new"))
    added = {"received": 2, "pending": -1}
    store.write_portions("live", [portion(ACME, None, since, added, {"R": -2, "S": 1}, {"supplier.ACME/0/0": "NO"})])
    assert values(store) == {"both": 3, "new": 4, "old": 1}
    assert store.cells(measures=["none"]).is_empty()
    assert_frame_equal(store.intake(), intake((ACME, "received", 5)))
    assert (rejections(store), provenances(store)) == ({"S": 1}, ["ACME/a.avro:1", "supplier.ACME/0/0"])
    assert values(store, "base") == {"both": 5, "gone": 7, "old": 1}
    assert store.baseline_of("live") == "base"
    standing, of_owners = store.standing("live")
    assert_frame_equal(standing, store.cells(), check_row_order=False)
    assert_frame_equal(of_owners, store.intake(), check_row_order=False)
    assert (store.cells_written("live"), store.cells_written("base")) == (3, 3)


def test_a_stream_over_nothing_has_no_baseline(store: Store) -> None:
    assert begun(store).baseline_of("live") is None


def test_a_baseline_must_be_kept_and_bounded(store: Store) -> None:
    write(store, "base", Cell())
    with pytest.raises(StoreError, match="keeps no rows of a run lost for a stream to go on from"):
        begun(store, baseline="lost")
    begun(store, "first").end_stream("first")
    with pytest.raises(StoreError, match="A stream goes on from a bounded run, and first in"):
        begun(store, "second", "first")
    assert store.current_run().run_id == "first"


def test_the_rows_of_a_kept_stream_include_its_baseline(store: Store) -> None:
    for run_id in ("oldest", "base", "middle"):
        write(store, run_id, Cell(5, detail=run_id))
    begun(store, "live", "base").end_stream("live")
    write(store, "next", Cell(1))
    assert values(store, "live") == {"base": 5}
    for run_id in ("middle", "oldest"):
        with pytest.raises(StoreError, match="keeps no rows"):
            store.cells(run_id)
    write(store, "last", Cell(1))
    with pytest.raises(StoreError, match="keeps no rows"):
        store.cells("base")


def test_the_last_write_is_told(store: Store) -> None:
    begin = datetime.now(UTC)
    assert begun(store).last_write("live") is None
    store.write_portions("live", [portion(ACME)])
    first = store.last_write("live")
    store.write_portions("live", [portion(ACME, 1)])
    second = store.last_write("live")
    assert first is not None
    assert second is not None
    assert begin <= first < second <= datetime.now(UTC)


def test_nothing_to_write_is_written(store: Store) -> None:
    assert begun(store).write_portions("live", []) == {}


@pytest.mark.parametrize(
    ("portions", "words"),
    [
        ([portion(ACME), portion(ACME)], "a key comes twice"),
        ([portion(ACME, cells_of=(Cell(1), Cell(2)))], "two rows with one key"),
    ],
)
def test_portions_that_cannot_be_right_raise_and_change_nothing(
    store: Store, portions: list[Portion], words: str
) -> None:
    begun(store)
    with pytest.raises(ValueError, match=words):
        store.write_portions("live", portions)
    assert store.last_write("live") is None


@pytest.mark.parametrize("name", ["cells", "intake", "rejections", "quarantined"])
def test_a_portion_holds_no_rows_of_another_key(store: Store, name: str) -> None:
    theirs = portion(BOLT, None, (Cell(1),), {"received": 1}, {"R": 1}, {"supplier.BOLT/0/0": "NO"})
    mixed = replace(portion(ACME), **{name: getattr(theirs, name)})
    with pytest.raises(ValueError, match="a portion of ACME has rows of another"):
        begun(store).write_portions("live", [mixed])


# As many as are written one by one, through a table of their own, and by a merge.
@pytest.mark.parametrize("count", [40, 1_000, 20_100])
def test_a_portion_of_any_size_is_replaced_and_upserted_whole(store: Store, count: int) -> None:
    begun(store)
    many = many_cells(count).with_columns(pl.lit(ACME).alias("source_id"))
    third = many.with_columns(pl.col("value") % 3)
    other = many.with_columns(pl.col("detail").replace_strict({"0": "other"}, default=pl.col("detail")))
    store.write_portions("live", [replace(portion(ACME), cells=many), portion(BOLT, cells_of=(Cell(1),))])
    for fence, frame in ((1, third), (None, other)):
        store.write_portions("live", [replace(portion(ACME, fence), cells=frame)])
        ours = store.cells().filter(pl.col("source_id") == ACME)
        assert_frame_equal(ours, frame.filter(pl.col("value") != 0), check_row_order=False)
    assert store.cells().height == count + 1


def test_processes_that_write_different_keys_at_once_lose_nothing(store: Store, url: str) -> None:
    begun(store)
    keys, rounds = (ACME, BOLT, NO_SOURCE), 30
    command = [sys.executable, "-m", "tests.pipelines.store.live_writer", url, "live", str(rounds)]
    writers = [subprocess.Popen([*command, key], cwd=ROOT) for key in keys]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    counted = {(str(row["source_id"]), str(row["detail"])): row["value"] for row in store.cells().iter_rows(named=True)}
    assert counted == {(key, detail): rounds for key in keys for detail in ("first", "second")}
    assert len(provenances(store)) == rounds * len(keys)


@pytest.mark.parametrize("rows", [1, 100])
def test_a_nul_in_what_a_stream_writes_is_kept_alike_in_either_back_end(store: Store, rows: int) -> None:
    begun(store)
    odd = tuple(Cell(at + 1, detail=f"\0{at}") for at in range(rows))
    places = {f"a\0b row {at}": "REGION_UNKNOWN" for at in range(rows)}
    fences = store.write_portions("live", [portion(cells_of=odd, quarantined=places)])
    for _ in range(2):
        store.write_portions("live", [portion(fence=fences[ACME], cells_of=odd, quarantined=places)])
    assert values(store) == {f"\\x00{at}": at + 1 for at in range(rows)}
    assert sorted(provenances(store)) == sorted(f"a\\x00b row {at}" for at in range(rows))
