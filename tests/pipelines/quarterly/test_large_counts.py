"""Counts near what 64 bits hold: exact as long as they fit, and refused loudly where they do not."""

import sqlite3
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.quarterly.cellkeys import CountTooLarge, keys_of, named_cells, summed, summed_by_key
from tests.builders import BOLT, DCC, Event, declared, service_measured, void, write_files
from tests.pipelines.cli.commands import rollout
from tests.pipelines.columnar import counted

MOST = 2**63 - 1
KEYS = keys_of("declared_meters", np.array([2026 * 4, 2026 * 4 + 1, 2026 * 4 + 2]), np.array([1, 1, 1]))
VALUES = st.integers(-MOST, MOST) | st.sampled_from([MOST, -MOST, 2**62, -(2**62), 1, -1, 0])
LATER = {"day": date(2026, 4, 4), "id": "later"}


def values(measure: str, *events: Event) -> list[int]:
    cells = named_cells(counted(list(events)).cells)
    return cells.filter(pl.col("measure") == measure)["value"].to_list()


@given(st.lists(st.tuples(st.integers(0, 2), VALUES), max_size=8))
def test_a_sum_is_exact_or_refused(rows: list[tuple[int, int]]) -> None:
    keys = KEYS[np.array([at for at, _ in rows], dtype=np.int64)]
    added = np.array([value for _, value in rows], dtype=np.int64)
    frame = pl.DataFrame({"text": pl.Series([None] * len(rows), dtype=pl.String), "key": keys, "value": added})
    exact = {int(KEYS[at]): sum(value for place, value in rows if place == at) for at, _ in rows}
    if any(abs(total) > MOST for total in exact.values()):
        with pytest.raises(CountTooLarge, match=r"^The declared_meters of 2026Q[123] come to .*\.$"):
            summed(frame)
        with pytest.raises(CountTooLarge):
            summed_by_key(keys, added)
    else:
        wanted = {key: total for key, total in exact.items() if total}
        assert dict(summed(frame).select("key", "value").iter_rows()) == wanted
        found = summed_by_key(keys, added)
        assert dict(zip(found[0].tolist(), found[1].tolist(), strict=True)) == wanted


def test_the_largest_count_is_exact() -> None:
    assert values("declared_meters", declared(MOST), declared(MOST, by=BOLT)) == [MOST, MOST]
    assert values("declared_meters", declared(5), declared(MOST, reported="2026-07-03")) == [MOST]
    assert values("service_numerator", service_measured(2**62), service_measured(2**62 - 1, **LATER)) == [MOST]


def test_a_sum_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CountTooLarge, match=r"^The service_numerator of 2026Q2 come to 9,223,372,036,854,775,808, "):
        counted([service_measured(2**62), service_measured(2**62, **LATER)])


@pytest.mark.beam
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_whose_sum_does_not_fit_keeps_nothing_and_says_why(tmp_path: Path, workers: int) -> None:
    wrong = service_measured(2**62, **LATER)
    write_files(tmp_path / "in", [service_measured(2**62), wrong, declared(MOST)])
    options = ["--", "--direct_running_mode=multi_processing", "--direct_num_workers=2"] if workers == 2 else []
    run = ("run", "--input", tmp_path / "in", "--store", tmp_path / "rollout.db")
    refused = rollout(tmp_path / "home", *run, *options)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith(
        "The service_numerator of 2026Q2 come to 9,223,372,036,854,775,808"
    )
    # What a worker process prints before it ends is Beam's.
    assert workers == 2 or "Traceback" not in refused.stderr
    assert not (tmp_path / "rollout.db").exists()
    write_files(tmp_path / "more", [void(wrong)])
    (tmp_path / "more" / DCC / "ServiceMeasured.avro").rename(tmp_path / "in" / DCC / "withdrawn.avro")
    kept = rollout(tmp_path / "home", *run)
    assert kept.returncode == 0, kept.stderr
    with sqlite3.connect(tmp_path / "rollout.db") as connection:
        found = connection.execute("SELECT measure, value FROM ledger_cells WHERE value > 1 ORDER BY 1").fetchall()
    connection.close()
    assert found == [("declared_meters", MOST), ("service_denominator", 100), ("service_numerator", 2**62)]


def test_a_check_of_a_sum_that_does_not_fit_says_so(tmp_path: Path) -> None:
    write_files(tmp_path / "in", [service_measured(2**62), service_measured(2**62, **LATER)])
    refused = rollout(tmp_path / "home", "check", tmp_path / "in")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("The service_numerator of 2026Q2 come to")
