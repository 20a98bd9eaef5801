"""A clean synthetic Britain: consistent in itself, and true to what its generator says of it."""

import hashlib
from datetime import date
from pathlib import Path

import fastavro
import polars as pl
import pytest

from pipelines.synthetic import Plan, generate
from schemas.registry import parsed
from schemas.sources import records_of, sources
from tests.pipelines.synthetic.conftest import COLUMNS, Britain, quiet

KEY = ["source_id", "region_code", "fuel", "sector", "meter_type", "operating_mode"]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.avro")
    }


def test_nothing_is_rejected_and_nothing_is_inconsistent(clean: Britain) -> None:
    statuses = {status for (_, status), records in clean.recounted.intake.items() if records}
    assert not clean.recounted.rejected
    assert statuses == {"received", "accepted"}
    assert clean.cells.filter(pl.col("measure") == "inconsistent").is_empty()


def test_the_recount_of_the_files_is_what_the_generator_says_is_true(clean: Britain) -> None:
    # What was in place before 2012 took effect before it; the generator counts it into the first quarter.
    recounted = (
        clean.cells.filter(pl.col("measure").is_in(["meters", "installations"]))
        .with_columns(quarter=pl.when(pl.col("quarter") < "2012Q1").then(pl.lit("2012Q1")).otherwise("quarter"))
        .group_by(COLUMNS[:-1])
        .agg(pl.col("value").sum())
        .filter(pl.col("value") != 0)
    )
    said = clean.report.cells.select(COLUMNS)
    assert recounted.sort(COLUMNS).equals(said.sort(COLUMNS))


def test_every_declared_total_is_what_was_counted(clean: Britain) -> None:
    declared = clean.cells.filter(pl.col("measure") == "declared_meters")
    stock = clean.cells.filter(pl.col("measure") == "meters")
    for quarter in ("2012Q4", "2019Q4", "2025Q4"):
        counted = stock.filter(pl.col("quarter") <= quarter).group_by(KEY).agg(pl.col("value").sum())
        said = declared.filter(pl.col("quarter") == quarter).select(*KEY, "value")
        assert said.sort(KEY).equals(counted.filter(pl.col("value") != 0).sort(KEY))


def test_the_same_plan_gives_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate(tmp_path / name, Plan(300, seed, date(2016, 3, 31), 0.4), quiet)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")


def test_every_file_is_read_under_the_contract_and_lies_with_its_owner(clean: Britain) -> None:
    for path in clean.folder.rglob("*.avro"):
        record = path.name.split("-")[0]
        with path.open("rb") as file:
            reader = fastavro.reader(file, parsed(record))
            first = next(reader)
        assert isinstance(first, dict)
        assert first["source_id"] == path.parent.name
        assert record in records_of(sources()[path.parent.name].kind)
        assert reader.metadata["gb.smartmeter.synthetic"] == "true"


def test_nothing_takes_effect_or_is_reported_after_the_last_day(tmp_path: Path) -> None:
    generate(tmp_path / "out", Plan(200, 1, date(2016, 8, 15), 0.0), quiet)
    for path in (tmp_path / "out").rglob("*.avro"):
        with path.open("rb") as file:
            days = {event["reported_at"].date() for event in fastavro.reader(file) if isinstance(event, dict)}
        assert max(days) <= date(2016, 8, 15)


def test_a_supplier_says_nothing_of_what_happened_when_it_did_not_trade(clean: Britain) -> None:
    ended = {s.source_id: s.active_to for s in sources().values() if s.active_to}
    for source, last in ended.items():
        for path in (clean.folder / source).glob("*.avro"):
            with path.open("rb") as file:
                days = [event["effective_at"].date() for event in fastavro.reader(file) if isinstance(event, dict)]
            assert max(days) <= last


def test_whole_books_move_when_a_supplier_ends(clean: Britain) -> None:
    moved = clean.cells.filter((pl.col("measure") == "switches") & (pl.col("detail").is_in(["SOLR", "BOOK_TRANSFER"])))
    assert {"2021Q2", "2021Q4"} <= set(moved["quarter"])
    left = clean.cells.filter((pl.col("measure") == "meters") & (pl.col("source_id") == "SSEL"))
    assert left["value"].sum() == 0


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(FileExistsError, match="is not empty"):
        generate(tmp_path, Plan(10, 1, date(2012, 3, 31), 0.0), quiet)


def test_one_meter_is_enough(tmp_path: Path) -> None:
    assert generate(tmp_path, Plan(1, 1, date(2026, 6, 30), 1.0), quiet).events > 0
