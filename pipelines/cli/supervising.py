"""The supervisor of a stream: restarts what has died, resubmits a lost job from its newest checkpoint, and measures.

Flink itself restarts a job when a worker or a TaskManager dies. When a JobManager dies, its jobs are lost: then the
supervisor starts the cluster and resubmits the job from the newest checkpoint that it left.
"""

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from infra.flink import cluster, jobs
from infra.flink.options import beam_options
from infra.processes import ClusterError, Place, Program, alone, running
from infra.processes import start as start_program
from infra.processes import stop as stop_program
from infra.settings import ClusterSettings, cluster_settings
from pipelines.cli.ending import ended_by_its_log
from pipelines.cli.measuring import Measures
from pipelines.stream.record import (
    StreamRecord,
    current,
    folder_of,
    forget_secrets,
    former,
    is_kept,
    jaas_path,
    keep,
)
from pipelines.stream.starting import StreamError

if TYPE_CHECKING:
    from pipelines.log.connection import KafkaSettings

NAME: Final = "supervisor"
POLL_SECONDS: Final = 2.0
MEASURE_EVERY: Final = 3
START_SECONDS: Final = 180.0
PAUSE_SECONDS: Final = 5.0


def require_flink(clusters: ClusterSettings) -> None:
    """Raises ClusterError if Flink does not answer."""
    if cluster.overview(clusters) is None:
        raise ClusterError(f"Flink at {clusters.flink} does not answer; `rollout flink up` starts it.")


def require_no_stream(home: Path, clusters: ClusterSettings) -> None:
    """Raises StreamError if the stream that was last started still runs. Raises FlinkAway."""
    if not is_kept(home):
        return
    record = current(home)
    job = jobs.job_named(clusters.flink, record.name)
    if job is not None and job.state not in jobs.LOST:
        raise StreamError(f"The stream of run {record.run_id} runs; end it first with `rollout stream stop`.")


def forget_former(home: Path) -> None:
    """Deletes the checkpoints and secrets of the streams before the current one, which nothing continues from."""
    for record in former(home):
        jobs.forget_checkpoints(cluster.Folders(home).checkpoints, record.jobs)
        forget_secrets(home, record)


def place_of(home: Path, run_id: str) -> Place:
    """Returns where the supervisor of a stream keeps its files."""
    return Place(folder_of(home, run_id), folder_of(home, run_id))


def start(home: Path, record: StreamRecord) -> None:
    """Starts the stream's supervisor."""
    command = [sys.executable, "-m", "pipelines.cli", "stream", "supervise"]
    start_program(place_of(home, record.run_id), Program(NAME, command, (), {"ROLLOUT_HOME": str(home)}))


def is_watched(home: Path, record: StreamRecord) -> bool:
    """Whether the stream's supervisor is running."""
    return running(place_of(home, record.run_id), NAME) is not None


def was_stopped(home: Path, record: StreamRecord) -> bool:
    """Whether the supervisor was ended on purpose: `end` deletes the file with its process id."""
    return not (place_of(home, record.run_id).run / f"{NAME}.pid").exists()


def watch_again(home: Path) -> str:
    """Starts the current stream's supervisor unless it is running; returns a sentence.

    Raises StreamError if the stream was stopped and its job is lost or over.
    """
    record = current(home)
    # If two commands ask for it at once, only one starts it.
    with alone(folder_of(home, record.run_id)):
        if is_watched(home, record):
            return f"The stream of run {record.run_id} is watched already."
        if was_stopped(home, record) and not _has_job(record):
            raise StreamError(f"The stream of run {record.run_id} was stopped; `rollout stream start` starts another.")
        start(home, record)
    return f"The stream of run {record.run_id} is watched again."


def _has_job(record: StreamRecord) -> bool:
    """Whether the stream's job is on the cluster and not over; False if Flink does not answer."""
    try:
        job = jobs.job_named(cluster_settings().flink, record.name)
    except jobs.FlinkAway:
        return False
    return job is not None and job.state not in jobs.LOST


def end(home: Path, run_id: str) -> None:
    """Ends the stream's supervisor."""
    stop_program(place_of(home, run_id), NAME)


def submitted(home: Path, record: StreamRecord, log: "KafkaSettings", savepoint: Path | None) -> StreamRecord:
    """Submits the job and waits until it runs; returns the record with the job's id.

    Raises ClusterError, FlinkAway and StreamError.
    """
    from pipelines.stream.starting import consumer_config, submit

    clusters = cluster_settings()
    former = jobs.job_named(clusters.flink, record.name)
    given = [*record.beam_options, *([f"--savepoint_path=file://{savepoint.absolute()}"] if savepoint else [])]
    submit(
        record.settings(home),
        consumer_config(log, record.name, jaas_path(home, record.run_id)),
        clusters.expansion,
        beam_options(clusters, record.name, given),
    )
    job = jobs.wait_for_job(clusters.flink, record.name, former.job_id if former else None, START_SECONDS)
    with_job = replace(record, jobs=(*record.jobs, job.job_id))
    keep(home, with_job)
    return with_job


def watch(home: Path) -> None:
    """Watches the current stream until it ends, another is started, or one of its topics is deleted or recreated."""
    record = current(home)
    clusters = cluster_settings()
    measures = _measures(home, clusters)
    round_number = 0
    while not record.ended and current(home).run_id == record.run_id:
        try:
            record = _once(home, record)
            if round_number % MEASURE_EVERY == 0:
                for unseen in [] if measures is None else measures.take(record):
                    _log(unseen)
                if why := ended_by_its_log(home, record):
                    _log(f"The stream was ended. {why}")
                    return
        except Exception as error:  # noqa: BLE001 - the stream stays watched whatever the error, which is logged
            _log(f"{type(error).__name__}: {error}")
            time.sleep(PAUSE_SECONDS)
        round_number += 1
        time.sleep(POLL_SECONDS)


def _measures(home: Path, clusters: ClusterSettings) -> Measures | None:
    """Returns the gauges, or None if their port is taken; the stream is watched without them."""
    try:
        return Measures(home, clusters.stream_metrics_port, clusters.stream_metrics_host)
    except OSError as error:
        _log(f"There are no gauges: port {clusters.stream_metrics_port} cannot be used: {error.strerror}.")
        return None


def _log(line: str) -> None:
    typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}")
    sys.stdout.flush()


def _once(home: Path, record: StreamRecord) -> StreamRecord:
    """Starts what has died and resubmits the job if it is lost; returns the stream's record."""
    clusters = cluster_settings()
    place = cluster.Folders(home).place
    dead = [name for name in cluster.NAMES if running(place, name) is None and (place.run / f"{name}.pid").exists()]
    if dead:
        _log(f"Not running, and started again: {', '.join(dead)}")
        cluster.up(home, clusters, _log)
    job = jobs.job_named(clusters.flink, record.name)
    if job is not None and job.state not in jobs.LOST:
        _forget_lost(cluster.Folders(home).checkpoints, record)
        return record
    return _resubmit(home, record)


def _forget_lost(checkpoints: Path, record: StreamRecord) -> None:
    """Deletes the checkpoints of lost jobs once the running job has a complete one, which replaces them."""
    *lost, running_one = record.jobs
    if any((checkpoints / job_id).exists() for job_id in lost) and jobs.newest_checkpoint(checkpoints, [running_one]):
        jobs.forget_checkpoints(checkpoints, lost)


def _resubmit(home: Path, record: StreamRecord) -> StreamRecord:
    from pipelines.log.offsets import set_group
    from pipelines.stream.settings import log_of

    log = log_of(record.settings(home))
    checkpoint = jobs.newest_checkpoint(cluster.Folders(home).checkpoints, list(record.jobs))
    if checkpoint is None:
        _log("The job is lost and left no checkpoint; it begins where the stream began.")
        set_group(log, record.name, record.begin)
    else:
        _log(f"The job is lost; it goes on from {checkpoint}.")
    again = submitted(home, record, log, checkpoint)
    _log(f"Job {again.jobs[-1]} runs.")
    return again
