"""The bounded driver: plans files, runs the flow on a Beam runner, checks the balance, hands over what to keep.

`count` knows no store; `run` and `verify` on the command line decide what becomes of its answer.
"""

import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, TypeVar

import apache_beam as beam
import polars as pl
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import create_runner

from pipelines import quarantine
from pipelines.columns import SOURCE_CODES
from pipelines.conservation import Balance, balance_of
from pipelines.flow import flow
from pipelines.fold import Counted, added
from pipelines.loopback import servers_on_loopback
from pipelines.outcome import Outcome, of_losses
from pipelines.progress import Progress, progress
from pipelines.pseudonym import Key
from pipelines.quarterly.cellkeys import CountTooLarge, named_cells
from pipelines.source.files import Plan
from pipelines.source.kafka import LogPlan
from pipelines.transforms import UNMARKED, Settings
from pipelines.workers import end_workers, runner_for

# One shard holds some ten thousand meters, and a meter has some ten events.
EVENTS_A_SHARD: Final = 100_000
# Below this a second worker costs more (it imports Great Expectations for itself) than it saves.
EVENTS_FOR_TWO_WORKERS: Final = 400_000
POLL_SECONDS: Final = 0.5
# What Beam puts behind the message of an error.
WHERE: Final = re.compile(r" \[while running '[^']*'\]$")
# The name of Beam's threads that wait for a worker process to end.
WATCHER: Final = "run_worker"

Result = TypeVar("Result", Outcome, Counted)
Show = Callable[[Progress], None]


class PipelineError(RuntimeError):
    """The Beam pipeline ended in an error of ours or of the machine; the message is its last line."""


class OptionsError(ValueError):
    """Beam knows no runner of the name that its options give; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class How:
    """How to run: folder for keys and work, shard count (None: by the events), as-at in milliseconds, Beam options.

    With `snapshot`, a folder that is made, the shards' histories are left in it.
    """

    home: Path
    shards: int | None = None
    as_at: int | None = None
    beam_options: tuple[str, ...] = ()
    snapshot: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a bounded run finds out, in the columns of the ledger tables, and whether it balances.

    `shards` is the number of shards that it was counted in, `synthetic` whether all input says that it is synthetic.
    """

    cells: pl.DataFrame
    intake: pl.DataFrame
    quarantine: pl.DataFrame
    warnings: pl.DataFrame
    balance: Balance
    shards: int
    synthetic: bool


def count(plan: Plan | LogPlan, key: Key, how: How, show: Show) -> Answer:
    """The exact cells of all planned events, with intake, quarantine and warnings. Raises PipelineError."""
    with _work_folder(how.home) as work:
        return _count(plan, key, how, (work, show))


def _count(plan: Plan | LogPlan, key: Key, how: How, at: tuple[Path, Show]) -> Answer:
    work, show = at
    shards = how.shards or max(1, -(-plan.records // EVENTS_A_SHARD))
    log = plan.settings if isinstance(plan, LogPlan) else None
    settings = Settings(str(work), str(how.home), key.key_id, shards, how.as_at, log, how.snapshot is not None)
    if plan.packets:
        with _shown(str(work), show):
            _run(plan, settings, options_for(plan.records, how.beam_options))
    outcome = Outcome.of([_kept(Outcome, work, Outcome.of([])), of_losses(plan.losses)])
    if how.snapshot is not None:
        _hand_over(work, how.snapshot)
    synthetic = plan.synthetic if isinstance(plan, Plan) else not (work / UNMARKED).exists()
    return _answer(outcome, _kept(Counted, work, added([])), (shards, synthetic))


def _hand_over(work: Path, folder: Path) -> None:
    """What a snapshot needs of the work folder lies in its own."""
    folder.mkdir(parents=True)
    for path in work.glob("shard-*"):
        shutil.move(path, folder / path.name)


@contextmanager
def _work_folder(home: Path) -> Iterator[Path]:
    """A folder of the run's own, also for temporary files, gone at its end; what killed runs left is swept away."""
    folder = home / "work"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("run-*-*"):
        if not Path(f"/proc/{left.name.split('-')[1]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=folder))
    try:
        with _temporary_files_in(work):
            yield work
    finally:
        # A step that was broken off may still add a file.
        while work.exists():
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _temporary_files_in(work: Path) -> Iterator[None]:
    """Beam makes temporary folders, which it leaves where it is killed, in this one."""
    before, folder = os.environ.get("TMPDIR"), str(work.absolute())
    os.environ["TMPDIR"], tempfile.tempdir = folder, folder
    try:
        yield
    finally:
        tempfile.tempdir = None
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before


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


def options_for(records: int, given: Sequence[str]) -> list[str]:
    """Beam options: DirectRunner on all cores where the work is worth it, unless the given ones say otherwise."""
    options = list(given)
    if not any(option.split("=")[0] == "--runner" for option in options):
        options.append("--runner=DirectRunner")
    direct = not any(option.startswith("--direct_") for option in options)
    if "--runner=DirectRunner" in options and direct and records >= EVENTS_FOR_TWO_WORKERS:
        workers = len(os.sched_getaffinity(0))
        # Workers inherit this: one thread each, since there are as many workers as cores.
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
        options += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    return options


def _run(plan: Plan | LogPlan, settings: Settings, options: list[str]) -> None:
    # What goes wrong is raised with its whole traceback; Beam would tell it a second time, and a third.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    parsed = PipelineOptions(options)
    _require_runner(str(parsed.view_as(StandardOptions).runner))
    runner = runner_for(parsed, Path(settings.work, "workers.log"))

    def work() -> None:
        with servers_on_loopback(), beam.Pipeline(runner=runner, options=parsed) as pipeline:
            results = flow(pipeline | "List the packets" >> beam.Create(plan.packets), settings)
            _ = results.outcome | "Keep the outcome" >> beam.Map(keep, settings.work)
            _ = results.counted | "Keep the counts" >> beam.Map(keep, settings.work)

    try:
        _apart(work)
    except Exception as error:
        raise _fault(error) from error
    finally:
        end_workers()


def _require_runner(name: str) -> None:
    try:
        create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise OptionsError(f"Beam has no runner {name!r}; without --runner it runs on this machine.") from error


def _apart(work: Callable[[], None]) -> None:
    """Does work in a thread of its own and raises what it raises, so that Ctrl+C ends the wait and not a step of Beam.

    Beam takes a KeyboardInterrupt for an error of the step that it meets, and waits for ever for a worker that was
    killed: the thread that watches the worker fails, and nobody asks it.
    """
    raised: list[BaseException] = []
    over = threading.Event()

    def do() -> None:
        work()
        over.set()

    thread = threading.Thread(target=do, name="pipeline", daemon=True)
    before = threading.excepthook

    def noticed(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is None or failed.thread is None or failed.thread.name not in (thread.name, WATCHER):
            before(failed)
            return
        raised.append(failed.exc_value)
        over.set()

    threading.excepthook = noticed
    thread.start()
    over.wait()
    if raised:
        # What else breaks is a consequence, so it goes on being noticed here and told nowhere.
        raise raised[0]
    threading.excepthook = before


def _fault(error: Exception) -> Exception:
    """What a step raised, as far as a person can put it right; a worker's error comes as the text of its traceback."""
    line, name = WHERE.sub("", _last_line(error)), f"{CountTooLarge.__module__}.{CountTooLarge.__name__}: "
    is_too_large = isinstance(error, CountTooLarge) or line.startswith(name)
    return CountTooLarge(line.removeprefix(name)) if is_too_large else PipelineError(_last_line(error))


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__


def keep(result: Outcome | Counted, folder: str) -> None:
    """Writes the frames of a result where the driver finds them."""
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
