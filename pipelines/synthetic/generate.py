"""Generates a synthetic Britain into a folder: the one door of this package."""

from collections.abc import Callable
from pathlib import Path

from pipelines.synthetic.plan import Plan
from pipelines.synthetic.report import Report, report_of
from pipelines.synthetic.simulate import new_world, quarter_number_of, simulate
from pipelines.synthetic.targets import FIRST
from pipelines.synthetic.writing import Writer, lists_of

# Events held in memory before they are written.
_PENDING = 3_000_000


def generate(out: Path, plan: Plan, progress: Callable[[str, float], None]) -> Report:
    """Writes Avro files as `<source_id>/<Record>-<part>-<number>.avro` under `out` and says how close they came.

    The same plan gives the same bytes. `progress` hears what is being done and the fraction done. Raises OSError where
    the folder cannot be written, FileExistsError where it holds something already.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"The folder {out} is not empty.")
    out.mkdir(parents=True, exist_ok=True)
    progress("Opening position", 0.0)
    world = new_world(plan)
    writer = Writer(out, lists_of(world), plan.seed)
    last = quarter_number_of(plan.until)

    def each(quarter: int) -> None:
        progress("Quarters", 0.8 * (quarter - FIRST + 1) / (last - FIRST + 1))
        if world.recorder.events > _PENDING:
            writer.write(world.recorder.take())

    truth = simulate(world, last, each)
    progress("Writing files", 0.8)
    writer.write(world.recorder.take())
    progress("Done", 1.0)
    return report_of(plan, truth, writer.files, writer.events)
