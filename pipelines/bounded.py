"""The driver of a bounded run: runs the flow over a plan on a Beam runner and returns the counts with their balance.

`count` does not use a store; `run` and `verify` on the command line decide what happens to its answer.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, TypeVar

import apache_beam as beam
import polars as pl

from pipelines.events import quarantine
from pipelines.events.columns import SOURCE_CODES
from pipelines.events.conservation import Balance, balance_of
from pipelines.events.outcome import Outcome, of_losses
from pipelines.flow import flow
from pipelines.fold import Counted, added
from pipelines.keys import Key
from pipelines.local.running import options_for, run
from pipelines.local.work_folder import work_folder
from pipelines.quarterly.cellkeys import named_cells
from pipelines.source.files import Plan
from pipelines.source.kafka import LogPlan
from pipelines.steps.progress import Progress, progress
from pipelines.steps.settings import Settings

# A shard of this size holds some ten thousand meters with some ten events each.
EVENTS_A_SHARD: Final = 100_000
POLL_SECONDS: Final = 0.5

Result = TypeVar("Result", Outcome, Counted)
Show = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class How:
    """How to run: folder for keys and work, shard count (None: by the events), as-at in milliseconds, Beam options.

    With `snapshot`, a folder that the run makes, the shards' histories are kept in it.
    """

    home: Path
    shards: int | None = None
    as_at: int | None = None
    beam_options: tuple[str, ...] = ()
    snapshot: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The results of a bounded run in the columns of the ledger tables, and their balance.

    `shards` is the number of shards used, `synthetic` whether all input is marked as synthetic.
    """

    cells: pl.DataFrame
    intake: pl.DataFrame
    quarantine: pl.DataFrame
    warnings: pl.DataFrame
    balance: Balance
    shards: int
    synthetic: bool


def count(plan: Plan | LogPlan, key: Key, how: How, show: Show) -> Answer:
    """Returns the exact cells of all planned events, with intake, quarantine, warnings and balance.

    Raises what `local/running.py` raises: OptionsError, CountTooLarge, PipelineError.
    """
    with work_folder(how.home) as work:
        return _count(plan, key, how, (work, show))


def _count(plan: Plan | LogPlan, key: Key, how: How, at: tuple[Path, Show]) -> Answer:
    work, show = at
    shards = how.shards or max(1, -(-plan.records // EVENTS_A_SHARD))
    log = plan.settings if isinstance(plan, LogPlan) else None
    settings = Settings(str(work), str(how.home), key.key_id, shards, how.as_at, log, how.snapshot is not None)
    if plan.packets:
        with _shown(str(work), show):
            run(lambda pipeline: _build(pipeline, plan, settings), options_for(plan.records, how.beam_options), work)
    outcome = Outcome.of([_kept(Outcome, work, Outcome.of([])), of_losses(plan.losses)])
    if how.snapshot is not None:
        _hand_over(work, how.snapshot)
    synthetic = plan.synthetic if isinstance(plan, Plan) else outcome.unmarked.is_empty()
    return _answer(outcome, _kept(Counted, work, added([])), (shards, synthetic))


def _build(pipeline: beam.Pipeline, plan: Plan | LogPlan, settings: Settings) -> None:
    results = flow(pipeline | "List the packets" >> beam.Create(plan.packets), settings)
    _ = results.outcome | "Keep the outcome" >> beam.Map(keep, settings.work)
    _ = results.counted | "Keep the counts" >> beam.Map(keep, settings.work)


def _hand_over(work: Path, folder: Path) -> None:
    """Moves the shards' histories from the work folder to the folder of the snapshot."""
    folder.mkdir(parents=True)
    for path in work.glob("shard-*"):
        shutil.move(path, folder / path.name)


@contextmanager
def _shown(work: str, show: Show) -> Iterator[None]:
    """Shows the progress from a thread while the pipeline runs."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL_SECONDS):
            show(progress(work))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        show(progress(work))


def keep(result: Outcome | Counted, folder: str) -> None:
    """Writes the frames of a result to a folder, where the driver finds them."""
    for field in fields(result):
        getattr(result, field.name).write_ipc(f"{folder}/{type(result).__name__}-{field.name}.arrow")


def _kept(kind: type[Result], folder: Path, otherwise: Result) -> Result:
    paths = {field.name: folder / f"{kind.__name__}-{field.name}.arrow" for field in fields(kind)}
    if not all(path.exists() for path in paths.values()):
        return otherwise
    return kind(**{name: pl.read_ipc(path) for name, path in paths.items()})


def _answer(outcome: Outcome, counted: Counted, made: tuple[int, bool]) -> Answer:
    meters = counted.intake.select(
        owner=pl.Series(SOURCE_CODES, dtype=pl.String).gather(counted.intake["source"]),
        status="status",
        records="records",
    )
    intake = pl.concat([outcome.intake, meters]).group_by("owner", "status").agg(pl.col("records").sum())
    rejected = pl.concat([outcome.quarantined, quarantine.of_rejections(counted.rejections)])
    return Answer(
        named_cells(counted.cells),
        intake,
        quarantine.with_sentences(rejected),
        outcome.warnings,
        balance_of(intake),
        *made,
    )
