"""`rollout stream`: starts, reports on and stops the unbounded run on Flink."""

import json
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.clusters import home_folder, say
from pipelines.cli.counting import BeamOptions, Shards, StoreUrl, absolute_path
from pipelines.cli.errors import explained, fail

if TYPE_CHECKING:
    from pipelines.keys import Key
    from pipelines.log.connection import KafkaSettings
    from pipelines.log.offsets import Offsets
    from pipelines.shards.snapshot import Snapshot
    from pipelines.store import Store
    from pipelines.stream.record import StreamRecord

stream = typer.Typer(help="The stream: the Kafka log on Flink into a live ledger.", no_args_is_help=True)
# Each shard that an event touches costs a request to Flink's state.
DEFAULT_SHARDS = 8
FOLLOW_SECONDS = 2.0
NOT_RUNNING = 1

Brokers = Annotated[str, typer.Option("--kafka", help="The log: its brokers.", metavar="BOOTSTRAP")]
FromSnapshot = Annotated[
    Path | None,
    typer.Option(help="Go on from the snapshot that a bounded run has left.", metavar="DIR", callback=absolute_path),
]
FromSavepoint = Annotated[
    Path | None,
    typer.Option(
        help="Go on with the stream that was stopped, from the savepoint that it left, with its shards and options.",
        metavar="DIR",
        callback=absolute_path,
    ),
]
SavepointTo = Annotated[
    Path | None,
    typer.Option("--savepoint", help="Leave a savepoint under this folder.", metavar="DIR", callback=absolute_path),
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream continues from and how it runs, as given on the command line."""

    snapshot: Path | None = None
    savepoint: Path | None = None
    shards: int | None = None
    beam_options: tuple[str, ...] = ()

    def require(self) -> None:
        """Raises StreamError if both a snapshot and a savepoint are given, or the one given does not exist."""
        from pipelines.stream.starting import StreamError

        if self.snapshot is not None and self.savepoint is not None:
            raise StreamError("A stream goes on from a snapshot or from a savepoint; give one of the two.")
        if self.snapshot is not None and not self.snapshot.is_dir():
            raise StreamError(f"There is no folder {self.snapshot} with a snapshot.")
        if self.savepoint is not None and not (self.savepoint / "_metadata").is_file():
            raise StreamError(
                f"There is no savepoint in {self.savepoint}; `rollout stream stop --savepoint DIR` prints where it is."
            )

    def require_as_it_was(self, record: "StreamRecord") -> None:
        """Raises StreamError if the options differ from the savepoint's stream, by which its state is distributed."""
        from pipelines.stream.starting import StreamError

        if self.shards not in (None, record.shards):
            raise StreamError(
                f"The savepoint is of a stream with {record.shards} shards, which stay; give no --shards, or go on "
                "from a snapshot."
            )
        if self.beam_options and self.beam_options != record.beam_options:
            was = " ".join(record.beam_options) or "none"
            raise StreamError(
                f"The savepoint's stream keeps the Beam options that it was started with ({was}); leave them out, or "
                "go on from a snapshot."
            )


@stream.command("start", no_args_is_help=True)
@explained
def start(
    kafka: Brokers,
    store: StoreUrl,
    from_snapshot: FromSnapshot = None,
    from_savepoint: FromSavepoint = None,
    shards: Shards = None,
    beam_options: BeamOptions = None,
) -> None:
    """Start the stream and return when its job runs; a supervisor starts it again should it be lost."""
    from infra.settings import cluster_settings
    from pipelines.cli import supervising
    from pipelines.log.connection import KafkaSettings
    from pipelines.log.topics import ensure_topics
    from pipelines.store import open_store

    wanted = Wanted(from_snapshot, from_savepoint, shards, tuple(beam_options or ()))
    wanted.require()
    home, clusters, log = home_folder(), cluster_settings(), KafkaSettings.at(kafka)
    supervising.require_flink(clusters)
    supervising.require_no_stream(home, clusters)
    made = ensure_topics(log)
    if made:
        say(f"Made {len(made)} topics.")
    opened = open_store(store, create=from_savepoint is None)
    record = (_new if from_savepoint is None else _again)(home, opened, log, wanted)
    _write_secrets(home, record, store, log)
    try:
        job = supervising.submitted(home, record, log, from_savepoint)
    except BaseException:
        opened.end_stream(record.run_id)
        raise
    supervising.start(home, job)
    supervising.forget_former(home)
    typer.echo(f"The stream of run {record.run_id} runs: http://{clusters.flink}/#/job/{job.jobs[-1]}/overview")


def _new(home: Path, opened: "Store", log: "KafkaSettings", wanted: Wanted) -> "StreamRecord":
    """Makes a new stream's run the store's current run. Raises SnapshotError, StoreError and LogError."""
    from pipelines.cli import logwords
    from pipelines.keys import load_key
    from pipelines.log.offsets import set_group
    from pipelines.log.topics import topic_ids
    from pipelines.settings import Environment
    from pipelines.shards.snapshot import open_snapshot
    from pipelines.stream.record import StreamRecord, keep

    key, sentence = load_key(Environment())
    say(sentence)
    snapshot = None if wanted.snapshot is None else open_snapshot(wanted.snapshot)
    if snapshot is not None:
        snapshot.require(key.key_id)
    # Read before the offsets, so that a topic recreated in between has its older id here.
    ids = topic_ids(log)
    begin = _begin(log, snapshot, ids)
    for line in logwords.of_strays(ids):
        say(line)
    _warn_of_many_readers(sum(map(len, begin.values())))
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z"
    record = StreamRecord(
        run_id,
        key.key_id,
        wanted.shards or DEFAULT_SHARDS,
        None if snapshot is None else str(snapshot.folder),
        log.bootstrap,
        opened.name,
        begin,
        wanted.beam_options,
        topic_ids={topic: ids[topic] for topic in begin if topic in ids},
    )
    set_group(log, record.name, begin)
    _enter(opened, record, key, snapshot)
    keep(home, record)
    return record


def _warn_of_many_readers(partitions: int) -> None:
    from pipelines.stream.starting import MANY_READERS, readers_of

    if (readers := readers_of(partitions)) > MANY_READERS:
        say(
            f"The log has {partitions} partitions, which Beam reads with {readers} readers: the stream will be slow. "
            "An even number is read with two; give one topic another partition."
        )


def _begin(log: "KafkaSettings", snapshot: "Snapshot | None", ids: dict[str, str]) -> "Offsets":
    """Returns the start offset of every partition of every source's topic: the snapshot's end, or the beginning.

    `ids` are those of the log's topics. Raises SnapshotError if the snapshot was made from another log.
    """
    from pipelines.cli import logwords
    from pipelines.log.offsets import ranges
    from pipelines.log.topics import source_topics
    from pipelines.shards.snapshot import SnapshotError

    if snapshot is not None:
        changed = logwords.of_topics_made_again(snapshot.manifest.topic_ids, ids, "the snapshot was made")
        if changed:
            raise SnapshotError(changed)
    read = {} if snapshot is None else snapshot.manifest.offsets
    begin: Offsets = {}
    for one in ranges(log, source_topics()):
        at = read.get(one.topic, {}).get(str(one.partition), one.start)
        if not one.start <= at <= one.end:
            raise SnapshotError(
                f"The snapshot has read {one.topic} up to {at}, but the log holds {one.start} to {one.end}."
            )
        begin.setdefault(one.topic, {})[str(one.partition)] = at
    return begin


def _enter(store: "Store", record: "StreamRecord", key: "Key", snapshot: "Snapshot | None") -> None:
    """Writes the stream's run to the store, after its baseline's run, which it adds if missing."""
    from pipelines.store import RunRecord, versions

    now = datetime.now(UTC)
    made_by = (versions.rule_version(), versions.schema_version(), versions.code_version())
    if snapshot is not None and not store.keeps(snapshot.manifest.run_id):
        told = snapshot.manifest
        header = (told.run_id, now, now, "bounded", told.synthetic, None, "", told.key_id, *made_by)
        store.write_run(RunRecord(*header, json.dumps({"kafka": told.offsets}), told.received), *snapshot.ledger())
    inputs = json.dumps({"kafka": record.begin})
    run = RunRecord(record.run_id, now, now, "stream", False, None, "", key.key_id, *made_by, inputs, 0)
    store.begin_stream(run, None if snapshot is None else snapshot.manifest.run_id)


def _again(home: Path, opened: "Store", log: "KafkaSettings", wanted: Wanted) -> "StreamRecord":
    """Makes the stopped stream live again. Raises StreamError, KeyMissing, StoreError and LogError."""
    from pipelines.cli import logwords
    from pipelines.keys import load_key
    from pipelines.log.offsets import ranges
    from pipelines.log.topics import topic_ids
    from pipelines.settings import Environment
    from pipelines.stream.record import current
    from pipelines.stream.starting import StreamError

    record = current(home)
    wanted.require_as_it_was(record)
    key, _ = load_key(Environment())
    if key.key_id != record.key_id:
        raise StreamError(f"The stream began with pseudonym key {record.key_id}, but {key.key_id} is set.")
    # The savepoint holds the partitions and offsets that the stream continues from; Beam's source reads no others.
    if changed := logwords.of_topics_made_again(record.topic_ids, topic_ids(log), "the stream began"):
        raise StreamError(changed)
    if added := logwords.of_new_partitions(record.begin, ranges(log, list(record.begin))):
        raise StreamError(added)
    opened.resume_stream(record.run_id)
    return replace(record, store=opened.name, bootstrap=log.bootstrap)


def _write_secrets(home: Path, record: "StreamRecord", store: str, log: "KafkaSettings") -> None:
    """Writes the secrets that workers need, and no job may carry, to files that only their owner can read."""
    from pipelines.keys import worker_key_file
    from pipelines.settings import Environment, write_privately
    from pipelines.store.settings import with_password
    from pipelines.stream.record import jaas_path, key_path, secrets_path
    from pipelines.stream.settings import Secrets
    from pipelines.stream.starting import jaas_line

    key_file = worker_key_file(Environment(), key_path(home, record.run_id))
    Secrets(with_password(store), str(key_file), log.as_dict()).write(secrets_path(home, record.run_id))
    write_privately(jaas_path(home, record.run_id), jaas_line(log))


@stream.command("status")
@explained
def status(
    follow: Annotated[bool, typer.Option("--follow", help="Tell again every two seconds until Ctrl+C.")] = False,
) -> None:
    """Tell how the stream does: job, lag, checkpoints, records and balance; exit status 0 only if it runs well."""
    from pipelines.cli.telling import told_of

    while True:
        told = told_of(home_folder(), datetime.now(UTC))
        typer.echo("\n".join(told.lines))
        if not follow:
            break
        sys.stdout.flush()
        time.sleep(FOLLOW_SECONDS)
    if not told.is_well:
        raise typer.Exit(NOT_RUNNING)


@stream.command("watch")
@explained
def watch() -> None:
    """Have the stream that was started watched again if its supervisor has died; it then starts what is lost."""
    from pipelines.cli.supervising import watch_again

    typer.echo(watch_again(home_folder()))


@stream.command("stop")
@explained
def stop(savepoint: SavepointTo = None) -> None:
    """Stop the stream; its ledger stays. With --savepoint it can go on from there under the same code."""
    from infra.flink.jobs import LOST, FlinkAway, cancel, job_named, save_and_cancel
    from infra.settings import cluster_settings
    from pipelines.cli import supervising
    from pipelines.stream.record import current

    home, clusters = home_folder(), cluster_settings()
    record = current(home)
    supervising.end(home, record.run_id)
    try:
        job = job_named(clusters.flink, record.name)
        if job is None or job.state in LOST:
            typer.echo("The stream's job was not running.")
        elif savepoint is not None:
            savepoint.mkdir(parents=True, exist_ok=True)
            typer.echo(f"The savepoint is in {save_and_cancel(clusters.flink, job.job_id, savepoint)}")
        else:
            cancel(clusters.flink, job.job_id)
    except FlinkAway as away:
        if savepoint is not None:
            fail(str(away))
        typer.echo("Flink does not answer, so no job of the stream runs.")
    typer.echo(_ended(home, record))


def _ended(home: Path, record: "StreamRecord") -> str:
    """Marks the ledger as no longer live; returns a sentence about it. Raises StoreError."""
    from pipelines.store import StoreMissing
    from pipelines.stream.settings import store_of

    try:
        store_of(record.settings(home)).end_stream(record.run_id)
    except StoreMissing:
        return f"The stream of run {record.run_id} has ended; its ledger {record.store} is gone."
    return f"The stream of run {record.run_id} has ended; its ledger stands."


@stream.command("supervise", hidden=True)
@explained
def supervise() -> None:
    """Watch the current stream and start it again when it is lost (`stream start` runs this)."""
    from pipelines.cli.supervising import watch

    watch(home_folder())
