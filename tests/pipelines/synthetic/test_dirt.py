"""Dirt: every fault that the contract knows a reason for, in the amount that was asked for."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl

from pipelines.synthetic import generate
from schemas.codes import INCONSISTENCIES
from tests.oracle.validation import RULES
from tests.pipelines.synthetic.conftest import Britain, quiet

HISTORY = ("EVENT_ID_REUSED", "CORRECTION_NOT_OWNER", "CORRECTION_TYPE_MISMATCH")


def test_every_reason_to_reject_or_to_call_inconsistent_occurs(dirty: Britain) -> None:
    found = {code for _, _, codes in dirty.recounted.rejected for code in codes.split(";")}
    found |= set(dirty.cells.filter(pl.col("measure") == "inconsistent")["detail"])
    wanted = {*RULES, *HISTORY, *INCONSISTENCIES, "UNDECODABLE", "UNKNOWN_SCHEMA"}
    assert wanted - found == set()


def test_there_are_duplicates_superseded_and_pending_events(dirty: Britain) -> None:
    counts = Counter[str]()
    for (_, status), records in dirty.recounted.intake.items():
        counts[status] += records
    assert min(counts[status] for status in ("duplicate", "superseded", "pending", "rejected")) > 0


def test_what_is_true_does_not_depend_on_the_dirt(dirty: Britain, tmp_path: Path) -> None:
    clean = generate(tmp_path, replace(dirty.report.plan, dirt=0.0), quiet)
    assert clean.cells.equals(dirty.report.cells)
    assert clean.held == dirty.report.held


def test_some_files_come_late_or_again_and_say_when_they_were_received(dirty: Britain) -> None:
    names = [path.name for path in dirty.folder.rglob("*.avro")]
    assert any("-late-" in name for name in names)
    assert any("-again-" in name for name in names)
