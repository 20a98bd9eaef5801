"""Whole runs on DirectRunner: what they find is what the oracle finds, however the files lie and the work is split."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.bounded import Answer
from pipelines.synthetic import Plan
from tests.oracle.plain import recount
from tests.pipelines.columnar import by_reason, cells_by_key, unequal
from tests.pipelines.whole_runs import answer, britain, cells_csv, doubled, intake_of, rewritten, small_britain

pytestmark = pytest.mark.beam

UNREADABLE = ["UNDECODABLE", "UNKNOWN_SCHEMA"]


@dataclass(frozen=True, slots=True)
class Known:
    """A folder of files, the home of the run over it, and what that run found."""

    files: Path
    home: Path
    answer: Answer
    cells: bytes


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("dirty")
    files = small_britain(folder / "in", dirt=0.5)
    found = answer([files], folder / "home", shards=3)
    return Known(files, folder / "home", found, cells_csv(found, folder))


def test_a_run_over_a_dirty_britain_finds_what_the_oracle_finds(tmp_path: Path) -> None:
    files = britain(tmp_path / "in", Plan(meters=1500, seed=1, until=date(2024, 12, 31), dirt=0.2))
    found, oracle = answer([files], tmp_path / "home"), recount([files])
    assert unequal("cell", cells_by_key(found.cells), oracle.cells) == []
    known = {key: records for key, records in intake_of(found).items() if key[1] != "unknown"}
    assert unequal("intake", known, oracle.intake) == []
    assert {owner for (owner, status) in intake_of(found) if status == "unknown"} == set(oracle.unknown)
    rejected = Counter({key: value for key, value in by_reason(found.quarantine).items() if value})
    assert unequal("rejected", rejected, oracle.rejected) == []
    found.balance.check()


def test_the_dirt_of_these_tests_is_of_every_kind(dirty: Known) -> None:
    reasons = set(dirty.answer.quarantine["reason_code"].str.split(";").explode())
    assert {"UNDECODABLE", "MPAN_CHECK_DIGIT", "EVENT_ID_REUSED", "SOURCE_NOT_OWNER", "REGION_UNKNOWN"} <= reasons
    assert {"accepted", "duplicate", "superseded", "pending", "rejected"} <= set(dirty.answer.intake["status"])
    assert "inconsistent" in dirty.answer.cells["measure"]


def test_rows_in_other_files_and_blocks_give_the_same_bytes(dirty: Known, tmp_path: Path) -> None:
    mixed = rewritten(dirty.files, tmp_path / "in", block_records=7)
    found = answer([mixed], dirty.home)
    assert cells_csv(found, tmp_path) == dirty.cells
    assert intake_of(found) == intake_of(dirty.answer)
    assert by_reason(found.quarantine) == by_reason(dirty.answer.quarantine)


def test_every_file_twice_changes_no_cell_and_adds_only_duplicates(dirty: Known, tmp_path: Path) -> None:
    found = answer([doubled(dirty.files, tmp_path / "in")], dirty.home, shards=5)
    assert cells_csv(found, tmp_path) == dirty.cells
    by_history = dirty.answer.quarantine.filter(pl.col("provenance") == "").group_by("owner").agg(pl.col("rows").sum())
    judged_once = dict(by_history.iter_rows())
    once, twice = (one.balance.table.rows_by_key("owner", named=True, unique=True) for one in (dirty.answer, found))
    for owner, was in once.items():
        now = twice[owner]
        assert now["received"] == 2 * was["received"]
        assert [now[status] for status in ("accepted", "superseded", "pending")] == [
            was[status] for status in ("accepted", "superseded", "pending")
        ]
        assert now["rejected"] == 2 * was["rejected"] - judged_once.get(owner, 0)
        assert now["difference"] == was["difference"] == 0


def test_one_shard_and_two_keys_give_the_same_bytes(dirty: Known, tmp_path: Path) -> None:
    home = tmp_path / "another home"
    found = answer([dirty.files], home, shards=1)
    assert (home / "pseudonym.key").read_text() != (dirty.home / "pseudonym.key").read_text()
    assert cells_csv(found, tmp_path) == dirty.cells
    assert intake_of(found) == intake_of(dirty.answer)


def test_two_worker_processes_give_the_same_bytes(dirty: Known, tmp_path: Path) -> None:
    options = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    found = answer([dirty.files], dirty.home, shards=11, options=options)
    assert cells_csv(found, tmp_path) == dirty.cells
    assert intake_of(found) == intake_of(dirty.answer)
    assert by_reason(found.quarantine) == by_reason(dirty.answer.quarantine)


def test_a_run_leaves_no_work_behind(dirty: Known) -> None:
    assert list((dirty.home / "work").iterdir()) == []


def test_a_run_as_at_a_time_is_a_run_over_what_was_reported_by_then(tmp_path: Path) -> None:
    files = small_britain(tmp_path / "in", dirt=0)
    then = datetime(2016, 8, 17, 15, tzinfo=UTC)
    earlier = rewritten(files, tmp_path / "earlier", 50, lambda row: row["reported_at"] <= then)
    home, at = tmp_path / "home", int(then.timestamp() * 1000)
    as_at, alone = answer([files], home, as_at=at), answer([earlier], home)
    assert cells_csv(as_at, tmp_path) == cells_csv(alone, tmp_path)
    assert as_at.balance.table.equals(alone.balance.table)
    assert 0 < as_at.balance.table["received"].sum() < sum(recount([files]).intake.values()) / 2
