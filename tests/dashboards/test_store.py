"""What the dashboard reads, and what it says when it cannot."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboards.errors import StoreUnreadable
from dashboards.store import Release, open_published
from tests.dashboards.published import RELEASE, Meters, of_meters, published


def newest(url: str) -> Release | None:
    store = open_published(url)
    release = store.release()
    store.close()
    return release


def test_a_release_is_read_with_its_words(tmp_path: Path) -> None:
    release = newest(of_meters(tmp_path / "s.db", [Meters(quarter="2026Q1"), Meters()]))
    assert release is not None
    assert (release.data_notice, release.marker) == ("Synthetic data, not official statistics", "p")
    assert release.published_at == datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    assert release.quarters == ("2026Q1", "2026Q2", "2026Q3")


def test_nothing_published_is_no_release(tmp_path: Path) -> None:
    assert newest(published(tmp_path / "s.db", None, [], [])) is None


def test_a_store_without_published_tables_is_no_release(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "s.db").execute("CREATE TABLE ledger_runs (run_id TEXT)").connection.close()
    assert newest(f"sqlite:///{tmp_path / 's.db'}") is None


def test_the_newest_of_two_releases_counts(tmp_path: Path) -> None:
    url = of_meters(tmp_path / "s.db", [Meters(number=7)])
    later = RELEASE | {"vintage": "2026Q3-1", "published_at": "2026-11-26T09:30:00+00:00"}
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute(
            f"INSERT INTO published_releases ({', '.join(later)}) VALUES ({', '.join('?' * len(later))})",
            list(later.values()),
        )
    connection.close()
    release = newest(url)
    assert release is not None
    assert release.key.vintage == "2026Q3-1"
    assert release.stock.is_empty()


def test_a_draft_published_again_is_read_again(tmp_path: Path) -> None:
    store = open_published(of_meters(tmp_path / "s.db", [Meters(number=7)]))
    first = store.release()
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute("UPDATE published_stock SET meters = 8")
        connection.execute("UPDATE published_releases SET published_at = '2026-11-25T09:30:00+00:00'")
    connection.close()
    second = store.release()
    third = store.release()
    store.close()
    assert first is not None
    assert second is not None
    assert (first.stock["meters"].sum(), second.stock["meters"].sum()) == (7, 8)
    assert third is second


def test_credit_and_prepayment_are_added_up(tmp_path: Path) -> None:
    release = newest(of_meters(tmp_path / "s.db", [Meters(number=2), Meters(payment_mode="PREPAYMENT", number=3)]))
    assert release is not None
    assert release.stock["meters"].to_list() == [5]


def test_a_quarter_after_the_last_complete_one_is_not_read(tmp_path: Path) -> None:
    release = newest(of_meters(tmp_path / "s.db", [Meters(number=2), Meters(quarter="2026Q4", number=9)]))
    assert release is not None
    assert release.stock["meters"].sum() == 2


def test_a_path_may_hold_what_an_address_may_not(tmp_path: Path) -> None:
    assert newest(of_meters(tmp_path / "a ?#% b.db", [Meters()])) is not None


def test_the_store_cannot_be_written_through_the_dashboard(tmp_path: Path) -> None:
    url = of_meters(tmp_path / "s.db", [Meters()])
    store = open_published(url)
    with pytest.raises(Exception, match="readonly"), store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM published_stock")
    store.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:////nowhere/rollout.db", "There is no store at /nowhere/rollout.db."),
        ("sqlite:///", "The store's address names no file; it looks like sqlite:///rollout.db."),
        ("sqlite://", "The store's address is not understood; it looks like sqlite:///rollout.db, with three slashes."),
        ("rollout.db", "There is no store at rollout.db."),
        ("http://localhost:port/", "The store's address is not understood; it looks like sqlite:///rollout.db."),
        ("mysql://somebody:secret@host/db", "A store is a sqlite or postgresql address, not mysql."),
    ],
)
def test_an_address_that_leads_nowhere_is_named_in_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StoreUnreadable) as raised:
        open_published(url)
    assert str(raised.value) == sentence


def test_a_file_that_is_no_store_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_text("This is a letter, not a database. " * 100)
    with pytest.raises(StoreUnreadable, match="could not be read"):
        open_published(f"sqlite:///{tmp_path / 's.db'}")


def test_a_store_with_other_columns_is_of_another_version(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "s.db").execute("CREATE TABLE published_stock (vintage TEXT)").connection.close()
    with pytest.raises(StoreUnreadable, match=r"another version: published_stock has no column quarter\."):
        open_published(f"sqlite:///{tmp_path / 's.db'}")
