"""No meter point id that came in is found in anything that a run keeps, writes or says."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pipelines.keys import key_from_text
from pipelines.shards.spilling import gather, spill
from pipelines.source.files import find_files
from tests.pipelines.cli.commands import rollout
from tests.pipelines.columnar import identified_in
from tests.pipelines.whole_runs import rows_of, small_britain

pytestmark = pytest.mark.beam

SHORTEST, LONGEST = 6, 13
DIGITS = re.compile(rb"[0-9]{6,}")


@pytest.fixture(scope="module")
def britain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_britain(tmp_path_factory.mktemp("britain") / "in", dirt=0.5)


@pytest.fixture(scope="module")
def ids(britain: Path) -> frozenset[str]:
    """Every meter point id in the files, however it is spelt, long enough not to occur by chance."""
    found = {row["meter_point_id"] for path in find_files([britain]) for row in (rows_of(path) or ((), []))[1]}
    return frozenset(text for text in found if len(text) >= SHORTEST)


def told(data: bytes, ids: frozenset[str]) -> set[str]:
    """The ids that occur in some bytes."""
    odd = {text for text in ids if not (text.isascii() and text.isdigit() and len(text) <= LONGEST)}
    runs = {run.decode() for run in DIGITS.findall(data)}
    windows = {
        run[at : at + size]
        for run in runs
        for size in range(SHORTEST, LONGEST + 1)
        for at in range(len(run) - size + 1)
    }
    return (windows & ids) | {text for text in odd if text.encode() in data}


def numbers_in(store: Path) -> Iterator[int]:
    """Every number in every table of a store."""
    with sqlite3.connect(store) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield from (value for value in row if isinstance(value, int))
    connection.close()


def test_the_scan_finds_an_id_where_there_is_one(ids: frozenset[str]) -> None:
    assert len(ids) > 200
    assert {len(text) for text in ids} >= {10, 13}
    for text in sorted(ids)[:50]:
        assert text in told(f"row 12{text}34, {text}".encode(), ids)
    assert told(b"2026Q3,BGAS,E12000007,17", ids) == set()


def test_no_id_is_kept_written_or_said_by_a_run(tmp_path: Path, britain: Path, ids: frozenset[str]) -> None:
    home, store = tmp_path / "home", tmp_path / "rollout.db"
    url = f"sqlite:///{store}"
    done = [rollout(home, "run", "--input", britain, "--store", url)]
    verbs = ("cells", "intake", "quarantine")
    done += [rollout(home, verb, "--store", url, "--out", tmp_path / f"{verb}.csv") for verb in verbs]
    assert [process.returncode for process in done] == [0, 0, 0, 0], done[0].stderr
    for process in done:
        assert told((process.stdout + process.stderr).encode(), ids) == set()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"rollout.db", "cells.csv", "intake.csv", "quarantine.csv"} <= {path.name for path in files}
    for path in files:
        if path.name != "pseudonym.key":
            assert told(path.read_bytes(), ids) == set(), path
    assert not {int(text) for text in ids if text.isdigit()} & set(numbers_in(store))


def test_no_id_is_in_what_is_spilled_between_the_steps(tmp_path: Path, britain: Path, ids: frozenset[str]) -> None:
    events = identified_in(britain, key_from_text("secret"))
    (tmp_path / "work").mkdir()
    segments = [segment for _, segment in spill(events, 3, str(tmp_path / "work"))]
    spilled = gather(segments)
    assert spilled.height == events.height > 1000
    texts = spilled.select(pl.col(pl.String)).unpivot()["value"].drop_nulls().unique()
    assert told("\n".join(texts).encode(), ids) == set()
    for path in (tmp_path / "work").iterdir():
        assert not {text for text in ids if len(text) >= 9 and text.encode() in path.read_bytes()}
    numbers = {int(text) for text in ids if text.isdigit()}
    for name in ("meter_a", "meter_b", "event_a", "event_b", "corrects_a", "corrects_b"):
        assert not numbers & set(spilled[name].unique())
