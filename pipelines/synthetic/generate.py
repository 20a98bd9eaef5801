"""Generates a synthetic Britain into a folder: the entry point of this package."""

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import polars as pl

from pipelines.events.calendar import day_end_ms
from pipelines.synthetic.dirt import damage
from pipelines.synthetic.plan import Plan
from pipelines.synthetic.report import Report, report_of
from pipelines.synthetic.simulate import new_world, simulate
from pipelines.synthetic.soiling import Soil
from pipelines.synthetic.state import World
from pipelines.synthetic.targets import FIRST, LAST, OPENING
from pipelines.synthetic.truth import Truth
from pipelines.synthetic.writing import Lists, Writer, bad_points, lists_of
from schemas.geography import region_codes
from schemas.quarters import quarter_of_day

Progress = Callable[[str, float], None]


class TakesEvents(Protocol):
    """A receiver of a synthetic Britain's events, part by part."""

    def write(self, frames: dict[str, pl.DataFrame]) -> None:
        """Takes a frame of events for each record."""
        ...


Taker = TypeVar("Taker", bound=TakesEvents)

# Events held in memory before they are written.
_PENDING = 3_000_000


def generate(out: Path, plan: Plan, progress: Progress) -> Report:
    """Writes Avro files as `<source_id>/<Record>-<part>-<number>.avro` under `out` and reports how close they came.

    The same plan always writes the same bytes. `progress` is called with the current step and the fraction done. Raises
    OSError if the folder cannot be written, FileExistsError if it is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"The folder {out} is not empty.")
    with _all_or_nothing(out):
        truth, writer = lived(plan, progress, lambda lists, soil: Writer(out, lists, plan.seed, soil))
        if writer.soil is not None:
            writer.files += damage(writer.soil, out)
    progress("Done", 1.0)
    return report_of(plan, truth, writer.files, writer.events)


@contextmanager
def _all_or_nothing(out: Path) -> Generator[None]:
    """Makes the folder; after an exception it is absent or empty again, as before."""
    missing = [path for path in (out, *out.parents) if not path.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in missing[-1:] or out.iterdir():
            shutil.rmtree(path, ignore_errors=True)
        raise


def lived(plan: Plan, progress: Progress, taking: Callable[[Lists, Soil | None], Taker]) -> tuple[Truth, Taker]:
    """Simulates a plan, passes its events to the receiver that `taking` makes, and returns truth and receiver."""
    progress("Opening position", 0.0)
    world = new_world(plan)
    lists = lists_of(world)
    taker = taking(lists, _soil(plan, world, lists) if plan.dirt else None)
    last = quarter_of_day(plan.until)

    def each(quarter: int) -> None:
        progress("Quarters", 0.8 * (quarter - FIRST + 1) / (last - FIRST + 1))
        if world.recorder.events > _PENDING:
            taker.write(world.recorder.take())

    truth = simulate(world, last, each)
    progress("Writing events", 0.8)
    taker.write(world.recorder.take())
    return truth, taker


def _soil(plan: Plan, world: World, lists: Lists) -> Soil:
    """Returns what spoiling needs, and appends bad values to the lists."""
    electricity, gas, malformed = bad_points(lists, world.meters.segment)
    return Soil(
        np.random.Generator(np.random.PCG64([plan.seed, plan.meters, 1])),
        plan.dirt,
        day_end_ms(plan.until),
        (electricity, gas),
        malformed,
        len(region_codes()),
        LAST - OPENING + 1,
    )
