"""`rollout stream`: the unbounded run on Flink, started, told of and stopped."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.clusters import home_folder, say
from pipelines.cli.counting import BeamOptions, Shards, StoreUrl
from pipelines.cli.errors import explained, fail

if TYPE_CHECKING:
    from pipelines.log.connection import KafkaSettings
    from pipelines.log.offsets import Offsets
    from pipelines.pseudonym import Key
    from pipelines.snapshot import Snapshot
    from pipelines.store import Store
    from pipelines.stream.record import StreamRecord

stream = typer.Typer(help="The stream: the Kafka log on Flink into a live ledger.", no_args_is_help=True)
# Each shard that an event touches costs a question to Flink's state.
DEFAULT_SHARDS = 8
FOLLOW_SECONDS = 2.0
NOT_RUNNING = 1

Brokers = Annotated[str, typer.Option("--kafka", help="The log: its brokers.", metavar="BOOTSTRAP")]
FromSnapshot = Annotated[
    Path | None, typer.Option(help="Go on from the snapshot that a bounded run has left.", metavar="DIR")
]
FromSavepoint = Annotated[
    Path | None,
    typer.Option(help="Go on with the stream that was stopped, from the savepoint that it left.", metavar="DIR"),
]
SavepointTo = Annotated[
    Path | None, typer.Option("--savepoint", help="Leave a savepoint under this folder.", metavar="DIR")
]


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
    from pipelines.stream.starting import StreamError

    home, clusters, log = home_folder(), cluster_settings(), KafkaSettings.at(kafka)
    supervising.require_flink(clusters)
    supervising.require_no_stream(home, clusters)
    made = ensure_topics(log)
    if made:
        say(f"Made {len(made)} topics.")
    opened = open_store(store, create=True)
    if from_savepoint is not None:
        record = _again(home, opened, from_savepoint, log)
    else:
        if from_snapshot is not None and not from_snapshot.is_dir():
            raise StreamError(f"There is no folder {from_snapshot} with a snapshot.")
        record = _new(home, (opened, store), log, from_snapshot, shards, tuple(beam_options or ()))
    _write_secrets(home, record, store, log)
    try:
        job = supervising.submitted(home, record, log, from_savepoint)
    except BaseException:
        opened.end_stream(record.run_id)
        raise
    supervising.start(home, job)
    supervising.forget_former(home)
    typer.echo(f"The stream of run {record.run_id} runs: http://{clusters.flink}/#/job/{job.jobs[-1]}/overview")


def _new(
    home: Path,
    to: "tuple[Store, str]",
    log: "KafkaSettings",
    from_snapshot: Path | None,
    shards: int | None,
    beam_options: tuple[str, ...],
) -> "StreamRecord":
    """A new stream's run is the current one of the store. Raises SnapshotError, StoreError and LogError."""
    from pipelines.cli import logwords
    from pipelines.log.offsets import set_group
    from pipelines.log.topics import topic_ids
    from pipelines.pseudonym import load_key
    from pipelines.settings import Environment
    from pipelines.snapshot import open_snapshot
    from pipelines.stream.record import StreamRecord, keep

    opened, address = to
    key, sentence = load_key(Environment())
    say(sentence)
    snapshot = None if from_snapshot is None else open_snapshot(from_snapshot.absolute())
    if snapshot is not None:
        snapshot.require(key.key_id)
    # Before the offsets: of a topic that is made again in between, the id is that of the older one.
    ids = topic_ids(log)
    begin = _begin(log, snapshot, ids)
    for line in logwords.of_strays(ids):
        say(line)
    _warn_of_many_readers(sum(map(len, begin.values())))
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z"
    record = StreamRecord(
        run_id,
        key.key_id,
        shards or DEFAULT_SHARDS,
        None if snapshot is None else str(snapshot.folder),
        log.bootstrap,
        address if "@" not in address else opened.name,
        begin,
        beam_options,
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
    """Where every partition of every source's topic is read from: where the snapshot ended, or the beginning.

    `ids` are those of the log's topics. Raises SnapshotError where the snapshot is of another log.
    """
    from pipelines.cli import logwords
    from pipelines.log.offsets import ranges
    from pipelines.log.topics import source_topics
    from pipelines.snapshot import SnapshotError

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
    """The stream's run is in the store, after the baseline's, which is put there if it is not."""
    from pipelines import versions
    from pipelines.store import RunRecord

    now = datetime.now(UTC)
    made_by = (versions.rule_version(), versions.schema_version(), versions.code_version())
    if snapshot is not None and not store.keeps(snapshot.manifest.run_id):
        told = snapshot.manifest
        header = (told.run_id, now, now, "bounded", told.synthetic, None, "", told.key_id, *made_by)
        store.write_run(RunRecord(*header, json.dumps({"kafka": told.offsets}), told.received), *snapshot.ledger())
    inputs = json.dumps({"kafka": record.begin})
    run = RunRecord(record.run_id, now, now, "stream", False, None, "", key.key_id, *made_by, inputs, 0)
    store.begin_stream(run, None if snapshot is None else snapshot.manifest.run_id)


def _again(home: Path, store: "Store", savepoint: Path, log: "KafkaSettings") -> "StreamRecord":
    """The stream that was stopped, live again. Raises StreamError, StoreError and LogError."""
    from pipelines.cli import logwords
    from pipelines.log.offsets import ranges
    from pipelines.log.topics import topic_ids
    from pipelines.stream.record import current
    from pipelines.stream.starting import StreamError

    if not (savepoint / "_metadata").is_file():
        raise StreamError(
            f"There is no savepoint in {savepoint}; `rollout stream stop --savepoint DIR` prints where it is."
        )
    record = current(home)
    # The savepoint holds the partitions and offsets that it goes on from, and Beam's source reads no others.
    if changed := logwords.of_topics_made_again(record.topic_ids, topic_ids(log), "the stream began"):
        raise StreamError(changed)
    if added := logwords.of_new_partitions(record.begin, ranges(log, list(record.begin))):
        raise StreamError(added)
    store.resume_stream(record.run_id)
    return record


def _write_secrets(home: Path, record: "StreamRecord", store: str, log: "KafkaSettings") -> None:
    """What workers need and no job may carry lies in files that only their owner can read."""
    from pipelines.pseudonym import worker_key_file
    from pipelines.settings import Environment, write_privately
    from pipelines.store.settings import with_password
    from pipelines.stream.record import jaas_path, key_path, secrets_path
    from pipelines.stream.settings import Secrets
    from pipelines.stream.starting import jaas_line

    key_file = worker_key_file(Environment(), key_path(home, record.run_id))
    address = with_password(store if "://" in store else f"sqlite:///{Path(store).absolute()}")
    Secrets(address, str(key_file), log.as_dict()).write(secrets_path(home, record.run_id))
    write_privately(jaas_path(home, record.run_id), jaas_line(log))


@stream.command("status")
@explained
def status(
    follow: Annotated[bool, typer.Option("--follow", help="Tell again every two seconds until Ctrl+C.")] = False,
) -> None:
    """Tell how the stream does: job, lag, checkpoints, records and balance; exit status 0 only if it runs."""
    from pipelines.cli.supervising import told_of

    while True:
        running, lines = told_of(home_folder())
        typer.echo("\n".join(lines))
        if not follow:
            break
        sys.stdout.flush()
        time.sleep(FOLLOW_SECONDS)
    if not running:
        raise typer.Exit(NOT_RUNNING)


@stream.command("stop")
@explained
def stop(savepoint: SavepointTo = None) -> None:
    """Stop the stream; its ledger stays. With --savepoint it can go on from there under the same code."""
    from infra.flink.jobs import LOST, FlinkAway, cancel, job_named, save_and_cancel
    from infra.settings import cluster_settings
    from pipelines.cli import supervising
    from pipelines.store import open_store
    from pipelines.stream.record import current
    from pipelines.stream.settings import secrets_of

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
    open_store(secrets_of(record.settings(home)).store).end_stream(record.run_id)
    typer.echo(f"The stream of run {record.run_id} has ended; its ledger stands.")


@stream.command("supervise", hidden=True)
@explained
def supervise() -> None:
    """Watch the current stream and start it again when it is lost (`stream start` runs this)."""
    from pipelines.cli.supervising import watch

    watch(home_folder())
