import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.store import open_published
from pipelines.release.draft import DraftReport, NothingToPublish, NotSynthetic, installations, publish_draft, stock
from pipelines.store import Store
from schemas.tables import SYNTHETIC_NOTICE
from tests.pipelines.store.runs import NOON, Cell, cells, intake, new_store, quarantine, run, write

QUARTERS = [f"{year}Q{quarter}" for year in range(2011, 2016) for quarter in (1, 2, 3, 4)]
OFFICIAL = QUARTERS[QUARTERS.index("2012Q4") :]
FITTED = Cell(3, measure="installations", detail="SMART_FOR_NON_SMART")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def published(store: Store, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.name)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def meters(store: Store) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.name)) as connection:
        return connection.execute("SELECT quarter, fuel, meters FROM published_stock ORDER BY 1, 2").fetchall()


CHANGES = st.dictionaries(
    st.tuples(st.sampled_from(QUARTERS), st.sampled_from(["GAS", "ELECTRICITY"])),
    st.integers(-3, 5).filter(bool),
    max_size=12,
)


@given(changes=CHANGES)
def test_stock_is_the_running_sum_of_the_changes_in_every_quarter(changes: dict[tuple[str, str], int]) -> None:
    frame = stock(cells(*(Cell(n, quarter=quarter, fuel=fuel) for (quarter, fuel), n in changes.items())), OFFICIAL[-1])
    expected = Counter[tuple[str, str]]()
    for end in OFFICIAL:
        for (quarter, fuel), change in changes.items():
            expected[end, fuel] += change if quarter <= end else 0
    summed = {(row["quarter"], row["fuel"]): row["meters"] for row in frame.iter_rows(named=True)}
    assert summed == {key: number for key, number in expected.items() if number != 0}
    assert frame.height == len(summed)


def test_a_cell_that_does_not_change_still_has_stock_in_every_quarter(store: Store) -> None:
    write(store, "first", Cell(5, quarter="2025Q4"), FITTED)
    publish_draft(store, NOON)
    assert meters(store) == [(quarter, "ELECTRICITY", 5) for quarter in ("2025Q4", "2026Q1", "2026Q2", "2026Q3")]


def test_a_cell_that_empties_has_no_row_from_then_on(store: Store) -> None:
    write(store, "first", Cell(5, quarter="2026Q1"), Cell(-5, quarter="2026Q2"), FITTED)
    publish_draft(store, NOON)
    assert meters(store) == [("2026Q1", "ELECTRICITY", 5)]


def test_what_was_in_place_before_the_series_is_the_stock_of_its_first_quarter(store: Store) -> None:
    write(store, "first", Cell(5, quarter="2008Q1"), Cell(-1, quarter="2012Q3"), FITTED)
    report = publish_draft(store, NOON, last_quarter="2012Q4")
    assert (report.last_quarter, meters(store)) == ("2012Q4", [("2012Q4", "ELECTRICITY", 4)])


def test_stock_below_0_is_left_out_and_counted(store: Store) -> None:
    gone = [Cell(2, quarter="2026Q1", fuel="GAS"), Cell(-3, quarter="2026Q2", fuel="GAS")]
    write(store, "first", *gone, Cell(5), FITTED)
    report = publish_draft(store, NOON)
    assert meters(store) == [("2026Q1", "GAS", 2), ("2026Q3", "ELECTRICITY", 5)]
    assert report == DraftReport("first", "2026Q3", stock_rows=2, installation_rows=1, negative_stock=2)


def test_other_measures_are_not_stock() -> None:
    others = cells(Cell(measure="meters_local"), Cell(measure="declared_meters"), Cell(measure="installations"))
    assert stock(others, "2026Q3").is_empty()


def test_installations_keep_their_reason_and_quarter() -> None:
    rows = cells(FITTED, Cell(4), Cell(9, quarter="2026Q4", measure="installations", detail="NEW_CONNECTION"))
    fitted = installations(rows, "2026Q3").select("quarter", "install_reason", "installations", "marker")
    assert fitted.rows() == [("2026Q3", "SMART_FOR_NON_SMART", 3, "[p]")]


def test_no_quarter_after_the_last_is_published(store: Store) -> None:
    write(store, "first", Cell(5, quarter="2026Q2"), Cell(1, quarter="2026Q3"), FITTED)
    publish_draft(store, NOON, last_quarter="2026Q2")
    assert (meters(store), published(store, "published_installations")) == ([("2026Q2", "ELECTRICITY", 5)], [])


@pytest.mark.parametrize("measure", ["installations", "declarations"])
def test_the_last_quarter_is_the_newest_with_an_installation_or_a_declaration(store: Store, measure: str) -> None:
    write(store, "first", Cell(5, quarter="2026Q1"), Cell(1, quarter="2027Q1"), Cell(quarter="2026Q2", measure=measure))
    assert publish_draft(store, NOON).last_quarter == "2026Q2"


@pytest.mark.parametrize("quarter", ["2026", "2026Q5", "2026q3", "26Q3", "2026-09-30"])
def test_a_last_quarter_of_another_form_raises(store: Store, quarter: str) -> None:
    write(store, "first", FITTED)
    with pytest.raises(ValueError, match="is not a quarter"):
        publish_draft(store, NOON, last_quarter=quarter)


def test_every_draft_says_that_its_data_is_synthetic(store: Store) -> None:
    write(store, "first", Cell(), FITTED)
    publish_draft(store, NOON)
    release = open_published(f"sqlite:///{store.name}").release()
    assert release is not None
    assert (release.key.vintage, release.data_notice) == ("draft", SYNTHETIC_NOTICE)
    assert (release.marker, release.last_quarter, release.published_at) == ("[p]", "2026Q3", NOON)
    assert (release.stock["meters"].sum(), release.installations["installations"].sum()) == (1, 3)


def test_a_run_that_is_not_marked_synthetic_is_refused_and_the_former_draft_stands(store: Store) -> None:
    write(store, "first", Cell(5), FITTED)
    publish_draft(store, NOON)
    store.write_run(run("real", synthetic=False), cells(Cell(6), FITTED), intake(), quarantine())
    with pytest.raises(NotSynthetic, match=r"^The run real in \S+ is not marked synthetic; [^.]*\.$"):
        publish_draft(store, NOON + timedelta(days=1))
    assert meters(store) == [("2026Q3", "ELECTRICITY", 5)]


def test_a_run_without_any_quarter_is_refused(store: Store) -> None:
    write(store, "first", Cell(5))
    with pytest.raises(NothingToPublish, match="has no installation and no declaration"):
        publish_draft(store, NOON)
    assert published(store, "published_releases") == []


def test_a_draft_takes_the_place_of_the_former(store: Store) -> None:
    write(store, "first", Cell(5), FITTED)
    publish_draft(store, NOON)
    write(store, "second", Cell(6, fuel="GAS"), FITTED)
    publish_draft(store, NOON + timedelta(days=1))
    assert meters(store) == [("2026Q3", "GAS", 6)]
    assert len(published(store, "published_releases")) == 1


def test_a_draft_that_cannot_be_written_leaves_the_former(store: Store) -> None:
    write(store, "first", Cell(5), FITTED)
    publish_draft(store, NOON)
    strange = Cell(6, measure="installations", detail="ON_A_WHIM")
    write(store, "second", Cell(6), strange)
    with pytest.raises(Exception, match="ck_published_installations_install_reason"):
        publish_draft(store, NOON + timedelta(days=1))
    assert meters(store) == [("2026Q3", "ELECTRICITY", 5)]


def test_nothing_published_names_the_run(store: Store) -> None:
    write(store, "run-of-today", Cell(5), FITTED)
    publish_draft(store, NOON)
    tables = ("published_releases", "published_stock", "published_installations")
    assert "run-of-today" not in str([published(store, table) for table in tables])


def test_the_order_of_the_cells_does_not_matter() -> None:
    rows = cells(*(Cell(n, quarter=quarter) for n, quarter in enumerate(QUARTERS, start=1)))
    assert stock(rows, "2015Q4").equals(stock(rows.reverse(), "2015Q4"))
    assert stock(rows, "2015Q4")["meters"].max() == pl.int_range(1, 21, eager=True).sum()
