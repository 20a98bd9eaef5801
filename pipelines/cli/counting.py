"""`rollout run` and `rollout verify`: count event files or the log, to keep in a store or compare with one."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.errors import explained, fail
from pipelines.cli.inputs import event_files, files_read
from pipelines.cli.stopping import heed_still

if TYPE_CHECKING:
    import polars as pl

    from pipelines.bounded import Answer, How
    from pipelines.keys import Key
    from pipelines.shards.snapshot import Manifest
    from pipelines.source.files import Plan
    from pipelines.source.kafka import LogPlan
    from pipelines.store import RunRecord, Store

Inputs = Annotated[
    list[Path] | None,
    typer.Option("--input", help="Folders with <source_id>/<name>.avro under them, or files.", metavar="PATH…"),
]


def _absolute(store: str) -> str:
    from pipelines.store.opening import absolute

    return absolute(store)


def absolute_path(path: Path | None) -> Path | None:
    """Returns the absolute path, which means the same in every working folder."""
    return None if path is None else path.absolute()


StoreUrl = Annotated[
    str,
    typer.Option(
        "--store",
        help="Where results are kept: a SQLite file by its path, with sqlite:/// before it or without (every letter "
        "of the path stands for itself), or postgresql://user@host/database.",
        metavar="URL",
        callback=_absolute,
    ),
]
AsAt = Annotated[
    str | None,
    typer.Option(
        "--as-at", help="Use only what was received by then: a date (its end in London) or a time.", metavar="T"
    ),
]
Shards = Annotated[
    int | None,
    typer.Option(min=1, max=10_000, help="Number of shards of meters; by default one for about 100,000 events."),
]
BeamOptions = Annotated[list[str] | None, typer.Argument(metavar="-- BEAM OPTIONS", help="Passed to Beam untouched.")]

Kafka = Annotated[
    str | None, typer.Option("--kafka", help="The Kafka log instead of files: its brokers.", metavar="BOOTSTRAP")
]
Topics = Annotated[
    list[str] | None,
    typer.Option("--topics", help="Topics to read; by default those of all sources.", metavar="TOPIC…"),
]
SnapshotOut = Annotated[
    Path | None,
    typer.Option(
        "--snapshot",
        help="Folder to leave a snapshot in, from which a stream can go on; over Kafka one is left under ROLLOUT_HOME.",
        metavar="DIR",
        callback=absolute_path,
    ),
]


@explained
def run(
    store: StoreUrl,
    inputs: Inputs = None,
    kafka: Kafka = None,
    topics: Topics = None,
    as_at: AsAt = None,
    shards: Shards = None,
    snapshot: SnapshotOut = None,
    beam_options: BeamOptions = None,
) -> None:
    """Count event files or the Kafka log into a store: cells, quarantine and intake, switched to when all is done."""
    from pipelines.shards.snapshot import require_new
    from pipelines.store import open_store

    if snapshot is not None:
        require_new(snapshot)
    opened = open_store(store, create=True)
    options = Options(as_at, shards, tuple(beam_options or ()), snapshot)
    work = begin(inputs or [], options) if kafka is None else begin_log(kafka, inputs, topics, options)
    keep(work, work.count(), opened)


@explained
def verify(
    store: StoreUrl,
    inputs: Inputs = None,
    kafka: Kafka = None,
    topics: Topics = None,
    shards: Shards = None,
    beam_options: BeamOptions = None,
) -> None:
    """Count files or the log again and print every cell that differs from the store's; exit status 1 if any does."""
    from pipelines.store import open_store

    opened = open_store(store)
    kept = opened.current_run()
    as_at = None if kept.as_at is None else kept.as_at.replace(tzinfo=UTC).isoformat()
    options = Options(as_at, shards, tuple(beam_options or ()), leaves_snapshot=False)
    if kafka is None:
        cells, answer = opened.cells(), begin(inputs or [], options).count()
    else:
        from pipelines.cli.standing import standing_at

        work = begin_log(kafka, inputs, topics, options)
        answer = work.count()
        cells = standing_at(opened, kept.run_id, answer, work.has_grown)
    differing = differences(cells, answer.cells)
    if differing.is_empty():
        typer.echo(f"All {cells.height:,} cells agree.")
        return
    _list(differing)
    fail(f"{differing.height:,} cells differ.", status=1)


def differences(kept: "pl.DataFrame", counted: "pl.DataFrame") -> "pl.DataFrame":
    """Returns the cells in which a store and a recount differ: the key, `kept` and `counted` (0 where missing)."""
    import polars as pl

    from schemas.tables import CELL_KEY

    joined = kept.rename({"value": "kept"}).join(
        counted.rename({"value": "counted"}), on=list(CELL_KEY), how="full", coalesce=True
    )
    filled = joined.with_columns(pl.col("kept", "counted").fill_null(0))
    return filled.filter(pl.col("kept") != pl.col("counted")).sort(CELL_KEY)


def _list(differing: "pl.DataFrame") -> None:
    typer.echo(",".join(differing.columns))
    for row in differing.iter_rows():
        typer.echo(",".join(str(value) for value in row))


@dataclass(frozen=True, slots=True)
class Work:
    """A planned bounded run. `inputs` returns what is read as JSON text: names and a hash, or offsets."""

    plan: "Plan | LogPlan"
    inputs: Callable[[], str]
    key: "Key"
    how: "How"
    started_at: datetime
    snapshot_to: Path | None = None

    def count(self) -> "Answer":
        """Counts the events and shows progress on standard error."""
        from pipelines.bounded import count
        from pipelines.cli.display import progress_of

        heed_still()
        with progress_of(self.plan.records) as show:
            return count(self.plan, self.key, self.how, show)

    def has_grown(self) -> bool:
        """Whether the log now holds messages after those that were read."""
        from pipelines.log.offsets import beyond, ranges
        from pipelines.log.reading import unread
        from pipelines.source.kafka import LogPlan

        if not isinstance(self.plan, LogPlan):
            return False
        settings, read = self.plan.settings, self.plan.offsets
        return bool(unread(settings, beyond(read, ranges(settings, list(read)))))

    @contextmanager
    def snapshot_of(self, record: "RunRecord", answer: "Answer") -> Iterator[Path | None]:
        """Yields the folder of the run's snapshot, or None if it makes none; deletes it if the block fails.

        Raises SnapshotError.
        """
        from pipelines.shards.snapshot import finish

        if self.how.snapshot is None:
            yield None
            return
        folder = self.snapshot_to or self.how.home / "snapshots" / record.run_id
        try:
            ledger = (answer.cells, answer.intake, answer.quarantine)
            finish(self.how.snapshot, folder, self._manifest(record, answer.shards), ledger)
        finally:
            shutil.rmtree(self.how.snapshot, ignore_errors=True)
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _manifest(self, record: "RunRecord", shards: int) -> "Manifest":
        from pipelines.shards.snapshot import Manifest
        from pipelines.source.kafka import LogPlan

        read = (self.plan.offsets, self.plan.topic_ids) if isinstance(self.plan, LogPlan) else ({}, {})
        made_by = (record.rule_version, record.schema_version, record.code_version)
        return Manifest(record.run_id, record.key_id, shards, *made_by, record.synthetic, record.received, *read)

    def basis(self) -> str:
        """Names the time by which "received by then" was judged; empty without --as-at."""
        from pipelines.source.files import Plan

        if self.how.as_at is None:
            return ""
        if not isinstance(self.plan, Plan):
            return "the broker's time of each message"
        undated = self.plan.files - self.plan.dated_files
        parts = [(self.plan.dated_files, "received_at of the file"), (undated, "reported_at of the event")]
        return "; ".join(f"{name} ({files:,} files)" for files, name in parts if files)

    def record(self, answer: "Answer", finished_at: datetime) -> "RunRecord":
        """Returns the run's record, under which the store keeps the answer."""
        from pipelines.cli.times import moment_of
        from pipelines.store import RunRecord, versions

        return RunRecord(
            run_id=f"{self.started_at:%Y%m%dT%H%M%S%f}Z",
            started_at=self.started_at,
            finished_at=finished_at,
            kind="bounded",
            synthetic=answer.synthetic,
            as_at=moment_of(self.how.as_at),
            as_at_basis=self.basis(),
            key_id=self.key.key_id,
            rule_version=versions.rule_version(),
            schema_version=versions.schema_version(),
            code_version=versions.code_version(),
            inputs=self.inputs(),
            received=int(answer.balance.table["received"].sum()),
        )


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a bounded run, as given on the command line."""

    as_at: str | None = None
    shards: int | None = None
    beam: tuple[str, ...] = ()
    snapshot: Path | None = None
    leaves_snapshot: bool = True


def begin(inputs: list[Path], options: Options) -> Work:
    """Finds and plans the files to read. Raises InputError, NoTime and KeyMissing."""
    from pipelines.cli.times import as_at_ms
    from pipelines.keys import load_key
    from pipelines.settings import Environment
    from pipelines.source.files import InputError, plan
    from pipelines.source.finding import settled
    from pipelines.source.names import escaped

    if not inputs:
        raise InputError("Say what to count: files by --input PATH…, or the log by --kafka BOOTSTRAP.")
    started_at, at = datetime.now(UTC), as_at_ms(options.as_at)
    environment = Environment()
    files = event_files(inputs)
    key, sentence = load_key(environment)
    planned = plan(files, at)
    typer.echo(f"{planned.files:,} files with {planned.records:,} events. {sentence}", err=True)
    names = [escaped(settled(path).name) for path in inputs]
    how = _how(environment.home, at, options, options.snapshot is not None)
    read = partial(files_read, names, files)
    return Work(planned, read, key, how, started_at, options.snapshot)


def begin_log(kafka: str, inputs: list[Path] | None, topics: list[str] | None, options: Options) -> Work:
    """Plans a run over the log and fixes how far to read it. Raises InputError, LogError, NoTime and KeyMissing."""
    from pipelines.cli import logwords
    from pipelines.cli.times import as_at_ms
    from pipelines.keys import load_key
    from pipelines.log.connection import KafkaSettings, LogError
    from pipelines.log.topics import require_topics, topic_ids, without_append_time
    from pipelines.settings import Environment
    from pipelines.source.files import InputError
    from pipelines.source.kafka import plan_log

    if inputs:
        raise InputError("Give either files by --input or the log by --kafka, not both.")
    started_at, at = datetime.now(UTC), as_at_ms(options.as_at)
    environment = Environment()
    settings = KafkaSettings.at(kafka)
    wanted = require_topics(settings, topics)
    undated = without_append_time(settings, wanted) if at is not None else ()
    if undated:
        raise LogError(f"The topic {undated[0]} keeps no broker's time (LogAppendTime), by which --as-at could judge.")
    key, sentence = load_key(environment)
    planned = plan_log(settings, wanted)
    for line in logwords.of_strays(topic_ids(settings)) + logwords.of_beginnings(planned.ranges):
        typer.echo(line, err=True)
    messages = sum(one.end - one.start for one in planned.ranges)
    typer.echo(
        f"{len(wanted):,} topics with up to {messages:,} messages, some {planned.records:,} events. {sentence}",
        err=True,
    )
    read = partial(json.dumps, {"kafka": planned.offsets})
    how = _how(environment.home, at, options, options.leaves_snapshot and at is None)
    return Work(planned, read, key, how, started_at, options.snapshot)


def _how(home: Path, at: int | None, options: Options, snapshot: bool) -> "How":
    """Returns how to run; a snapshot's histories are first written to the home's `work` folder."""
    from pipelines.bounded import How

    work = home / "work" / f"run-{os.getpid()}-snapshot"
    return How(home, options.shards, at, options.beam, work if snapshot else None)


def keep(work: Work, answer: "Answer", store: "Store") -> None:
    """Prints the answer and stores run, draft and snapshot, or none of them: nothing if the balance is broken."""
    from pipelines.cli import display

    display.conservation_table(answer.balance)
    display.reasons_table("Rejected, by reason", display.rejections(answer.quarantine))
    display.reasons_table("Accepted with a warning", answer.warnings)
    answer.balance.check()
    finished_at = datetime.now(UTC)
    record = work.record(answer, finished_at)
    with work.snapshot_of(record, answer) as snapshot, store.together():
        store.write_run(record, answer.cells, answer.intake, answer.quarantine)
        published = _publish(store)
    seconds = max((finished_at - work.started_at).total_seconds(), 0.001)
    typer.echo(
        f"Run {record.run_id}: {record.received:,} records gave {answer.cells.height:,} cells "
        f"in {seconds:,.1f} s ({record.received / seconds:,.0f} a second); pseudonym key {record.key_id}."
    )
    if snapshot is not None:
        typer.echo(f"A stream can go on from the snapshot in {snapshot}.")
    if record.as_at_basis:
        typer.echo(f"As at {record.as_at:%Y-%m-%d %H:%M:%S} UTC, judged by {record.as_at_basis}.")
    typer.echo(published)


def _publish(store: "Store") -> str:
    """Publishes the current run as a draft if allowed; returns a sentence that says whether it did."""
    from pipelines.release.draft import NothingToPublish, ReleasesExist, publish_draft
    from pipelines.store import NotAllowed
    from schemas.tables import SYNTHETIC_NOTICE

    if not store.current_run().synthetic:
        return "The input is not marked synthetic, so no draft was published."
    try:
        report = publish_draft(store, datetime.now(UTC))
    except (NothingToPublish, ReleasesExist) as reason:
        return str(reason)
    except NotAllowed:
        return "No draft was published: the name that the store was opened with may not, as it lacks the role release."
    return f"Published as a draft up to {report.last_quarter}. {SYNTHETIC_NOTICE}."
