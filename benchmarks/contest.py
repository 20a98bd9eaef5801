"""The runs that are compared: the pipeline, the naive pipeline and the one-thread program."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.inputs import Britain
from benchmarks.measured import Measured, measured

_ROLLOUT: Final = (str(Path(sys.executable).with_name("rollout")),)
PHASES: Final = (
    "start, find and plan",
    "start workers, import, first block",
    "validate the rest",
    "count the meters",
    "hand over and balance",
    "write the store",
    "publish the draft",
)


class DifferError(AssertionError):
    """Two programs for the same job counted different cells."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program over an input: its cost, and the file of its cells."""

    program: str
    britain: Britain
    cost: Measured
    cells: Path

    @property
    def events_a_second(self) -> float:
        """The number of the input's events divided by the wall seconds."""
        return self.britain.events / self.cost.wall


@dataclass(frozen=True, slots=True)
class Arena:
    """Runs the programs; `home` is the folder of their files."""

    home: Path

    def pipeline(self, britain: Britain) -> Run:
        """Measures `rollout run` into a new store, and writes its cells to a file."""
        store, cells = self.home / "bench.db", self.home / f"pipeline-{britain.meters}.csv"
        for left in self.home.glob("bench.db*"):
            left.unlink()
        url = f"sqlite:///{store}"
        environment = {**os.environ, "ROLLOUT_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        run = [*_ROLLOUT, "run", "--input", str(britain.folder), "--store", url]
        cost = measured(run, environment, self.home / "work")
        measured([*_ROLLOUT, "cells", "--store", url, "--out", str(cells)], environment)
        return Run("pipeline", britain, cost, cells)

    def module(self, name: str, britain: Britain, *more: str) -> Run:
        """Measures one of the other programs of this package."""
        cells = self.home / f"{name}-{britain.meters}.csv"
        command = [sys.executable, "-m", f"benchmarks.{name}", str(britain.folder), str(cells), *more]
        return Run(" ".join((name, *more)), britain, measured(command, dict(os.environ)), cells)

    def stages(self, britain: Britain) -> dict[str, tuple[float, float]]:
        """Returns the wall seconds and core-seconds of every stage in one process."""
        cost = measured([sys.executable, "-m", "benchmarks.stages", str(britain.folder)], dict(os.environ))
        stages: dict[str, tuple[float, float]] = json.loads(cost.lines[-1][1])
        return stages


def assert_equal(pipeline: Run, other: Run) -> int:
    """Compares all cells of the other program's measures; returns their number or raises DifferError if one differs."""
    theirs = pl.read_csv(other.cells, infer_schema=False).with_columns(pl.all().fill_null(""))
    measures = theirs["measure"].unique()
    ours = pl.read_csv(pipeline.cells, infer_schema=False).with_columns(pl.all().fill_null(""))
    ours = ours.filter(pl.col("measure").is_in(measures.implode()))
    if not {"meters", "installations"} <= set(measures) or not ours.sort(ours.columns).equals(
        theirs.sort(ours.columns)
    ):
        raise DifferError(f"The {other.program} program and the pipeline give different cells.")
    return ours.height


def phases(run: Run) -> dict[str, float]:
    """Returns the wall seconds of each phase of a pipeline run, observed from outside to a quarter of a second."""
    samples, lines = run.cost.samples, run.cost.lines
    planned = _when(lines, "files with")
    validated, folded = samples.validated or [(planned, 0)], samples.folded or [(planned, 0)]
    counted = folded[-1][0]
    balanced = next((seconds for seconds, line in lines if seconds >= counted and "validated" not in line), counted)
    stored = _when(lines, "Run ")
    marks = [0.0, planned, validated[0][0], validated[-1][0], counted, balanced, stored, run.cost.wall]
    return {name: end - begin for name, begin, end in zip(PHASES, marks, marks[1:], strict=False)}


def _when(lines: list[tuple[float, str]], words: str) -> float:
    return next((seconds for seconds, line in lines if words in line), 0.0)
