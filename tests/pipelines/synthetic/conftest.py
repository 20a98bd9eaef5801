"""Small synthetic Britains, each made once a test process."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.synthetic import Plan, Report, generate
from schemas.tables import CELL_COLUMNS
from tests.oracle.event import Outcome
from tests.oracle.plain import recount

UNTIL = date(2026, 6, 30)
COLUMNS = [column.name for column in CELL_COLUMNS]


@dataclass(frozen=True)
class Britain:
    """A generated Britain, what its generator says of it, and what the plain recount makes of its files."""

    folder: Path
    report: Report
    recounted: Outcome

    @property
    def cells(self) -> pl.DataFrame:
        """The recounted cells."""
        rows = [(*key, value) for key, value in self.recounted.cells.items()]
        return pl.DataFrame(rows, schema=COLUMNS, orient="row").with_columns(pl.col("value").cast(pl.Int64))


def quiet(_what: str, _share: float) -> None:
    """Hears nothing."""


def britain(folder: Path, meters: int, dirt: float) -> Britain:
    """A Britain of so many meters, generated and recounted."""
    report = generate(folder, Plan(meters, 1, UNTIL, dirt), quiet)
    return Britain(folder, report, recount([folder]))


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Britain:
    """Five hundred meters without dirt."""
    return britain(tmp_path_factory.mktemp("clean"), 500, 0.0)


@pytest.fixture(scope="session")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Britain:
    """A thousand meters with a lot of dirt."""
    return britain(tmp_path_factory.mktemp("dirty"), 1000, 0.5)
