"""Ledgers made up for tests of releases: suppliers whose stock grows, with flows that explain it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from expectations.cells import check_cells
from expectations.run import CELLS, Checker, rules_of
from pipelines.keys import DISCLOSURE, SIGNING, key_from_text
from pipelines.release.create import Created, Files, Request, Tools, create, write_folder
from pipelines.store import Store
from schemas.quarters import quarters_between
from schemas.tables import CELL_KEY
from tests.pipelines.store.runs import NOON, Cell, cells, intake, quarantine, run

SUPPLIERS = ("BGAS", "EENG", "MRCY", "PURE", "ECOT")
REGIONS = ("E12000007", "S92000003", "W92000004")
FIRST, LAST = "2024Q1", "2026Q3"
KINDS = (("SMETS2", "SMART"), ("SMETS2", "TRADITIONAL"), ("NON_SMART", "NOT_APPLICABLE"))
KEY = "a disclosure key of tests"


def growing(seed: int, last: str = LAST) -> list[Cell]:
    """Meters fitted quarter after quarter, each as a change of stock and, from the second quarter on, a flow."""
    return list(_growing(random.Random(seed), last))


def _growing(chance: random.Random, last: str) -> Iterator[Cell]:
    for place, quarter in enumerate(quarters_between(FIRST, last)):
        for supplier in SUPPLIERS:
            yield Cell(chance.randint(20, 60), "reporting_delay", quarter, supplier, "", **_SENDER, detail="D1-7")
            for region in REGIONS:
                for fuel in ("ELECTRICITY", "GAS"):
                    yield from _fitted(chance, place, Cell(1, "meters", quarter, supplier, region, fuel))


_SENDER = {"sector": "", "meter_type": "", "operating_mode": "", "payment_mode": ""}


def _fitted(chance: random.Random, place: int, cell: Cell) -> Iterator[Cell]:
    for meter_type, mode in KINDS:
        most = 400 if place == 0 else 12
        if count := chance.randint(0, most):
            own = replace(cell, value=count, meter_type=meter_type, operating_mode=mode)
            yield own
            if place:
                yield replace(own, measure="installations", detail="SMART_FOR_NON_SMART")


def write_cells(store: Store, run_id: str, rows: list[Cell], superseded: int = 0) -> None:
    """A run of cells, those of one key added up; each supplier sent a hundred records, some of them superseded."""
    told = [(one, "received", 100) for one in SUPPLIERS]
    corrected = [("BGAS", "superseded", superseded)] if superseded else []
    frame = cells(*rows).group_by(CELL_KEY).agg(pl.col("value").sum())
    store.write_run(run(run_id), frame, intake(*told, *corrected), quarantine())


@dataclass(frozen=True, slots=True)
class Office:
    """Makes releases of one store into folders, with the real suite of checks."""

    store: Store
    folder: Path
    checker: Checker

    def tools(self, key: str = KEY) -> Tools:
        """The tools of the office with a disclosure key."""

        def check(facts: pl.DataFrame) -> pl.DataFrame:
            return check_cells(self.checker, facts)

        keys = key_from_text(key, DISCLOSURE), key_from_text("a signing key of tests", SIGNING)
        return Tools(*keys, check, len(rules_of(CELLS)))

    def release(self, quarter: str = LAST, because: str = "made up for a test", **more: str) -> Created:
        """A release, with its files in a folder of its name."""

        def keep(files: Files) -> None:
            write_folder(files, self.folder / f"release {len(self.store.vintages())}")

        status = more.get("status", "provisional")
        request = Request(quarter, status, None, because, more.get("correction", ""))
        return create(self.store, request, self.tools(more.get("key", KEY)), NOON, keep)
