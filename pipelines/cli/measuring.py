"""Measures a stream from outside, for people and Prometheus: lag, checkpoints, records and balance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from infra.flink import jobs
from infra.settings import cluster_settings
from pipelines.cli import logwords
from pipelines.events.conservation import balance_of
from pipelines.log.connection import KafkaSettings, LogError
from pipelines.log.offsets import Offsets, Range, beyond, group_offsets, joined, ranges
from pipelines.log.reading import unread
from pipelines.log.topics import topic_ids
from pipelines.store import StoreError
from pipelines.stream.positions import progress_group
from pipelines.stream.record import StreamRecord
from pipelines.stream.settings import log_of, store_of, written_group
from schemas.codes import INTAKE_STATUSES

# Troubles within this time of each other count as one trouble that keeps coming back.
OFTEN_MS: Final = 600_000
SAME_MS: Final = 1_000
PATIENCE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a stream's job: its checkpoints, number of restarts, and troubles, newest first.

    `running_since` is when it last began to run, in milliseconds since 1970.
    """

    job: jobs.Job | None = None
    checkpoints: jobs.Checkpoints = field(default_factory=jobs.Checkpoints)
    restarts: int = 0
    troubles: tuple[jobs.Trouble, ...] = ()
    running_since: int = 0

    def is_well(self, now_ms: int) -> bool:
        """Whether the job is running and its last trouble, if any, is over."""
        return self.job is not None and self.job.state == jobs.RUNNING and (not self.troubles or self.is_over(now_ms))

    def is_over(self, now_ms: int) -> bool:
        """Whether the last trouble is over: a checkpoint begun since is complete, as none is while a write waits.

        If another came shortly before, the time since the last must also exceed 1.5 times the gap between the two.
        """
        last, *others = self.troubles
        began = self.checkpoints.began_ms
        if began is None or began <= last.at_ms:
            return False
        # Flink may report one failure more than once.
        pause = last.at_ms - max((one.at_ms for one in others if last.at_ms - one.at_ms > SAME_MS), default=0)
        return pause > OFTEN_MS or now_ms - last.at_ms > PATIENCE * pause


def standing(record: StreamRecord) -> Standing:
    """Returns the state of the stream's job. Raises FlinkAway."""
    address = cluster_settings().flink
    job = jobs.job_named(address, record.name)
    if job is None:
        return Standing()
    return Standing(
        job,
        jobs.checkpoints_of(address, job.job_id),
        jobs.restarts(address, job.job_id) + len(record.jobs) - 1,
        jobs.troubles(address, job.job_id),
        jobs.running_since(address, job.job_id),
    )


@dataclass(frozen=True, slots=True)
class LogStanding:
    """What the partitions hold, and how far a stream has read them.

    `lag` is the number of messages of each topic that no worker has read. `behind` is the number of messages that
    workers have read and that are not in the ledger, as the workers report. `changed` is a sentence if the topics are
    no longer those that the stream began with; then only `strays`, the lines about other topics, is known.
    """

    strays: tuple[str, ...]
    changed: str = ""
    held: tuple[Range, ...] = ()
    read: Offsets = field(default_factory=dict)
    lag: Mapping[str, int] = field(default_factory=dict)
    behind: int | None = None


def log_standing(home: Path, record: StreamRecord) -> LogStanding:
    """Returns how far a stream has read its log. Raises LogError."""
    log = log_of(record.settings(home))
    now = topic_ids(log)
    strays = tuple(logwords.of_strays(now))
    if changed := logwords.of_topics_made_again(record.topic_ids, now, "the stream began"):
        return LogStanding(strays, changed)
    told = group_offsets(log, progress_group(record.name))
    written = joined(record.begin, group_offsets(log, written_group(record.name)))
    read = joined(record.begin, told)
    held = ranges(log, list(record.begin))
    return LogStanding(strays, "", held, read, _lag(log, record, beyond(read, held)), _behind(told, written))


def _lag(log: KafkaSettings, record: StreamRecord, rest: tuple[Range, ...]) -> dict[str, int]:
    lag = dict.fromkeys(record.begin, 0)
    # Offsets after the last message, such as transaction markers, are not lag.
    for one in unread(log, rest):
        lag[one.topic] += one.end - one.start
    return lag


def _behind(read: Offsets, written: Offsets) -> int:
    return sum(
        max(0, at - written.get(topic, {}).get(number, 0))
        for topic, partitions in read.items()
        for number, at in partitions.items()
    )


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a stream's ledger holds: records by status, those unaccounted for, its cells, and its last write."""

    records: Mapping[str, int]
    difference: int
    cells: int
    written: datetime | None


def ledger_of(home: Path, record: StreamRecord) -> Ledger:
    """Returns what the stream's ledger holds now. Raises StoreError."""
    store = store_of(record.settings(home))
    balance = balance_of(store.intake(record.run_id)).table
    return Ledger(
        {status: int(balance[status].sum()) for status in INTAKE_STATUSES},
        int(balance["difference"].abs().sum()),
        store.cells_written(record.run_id),
        store.last_write(record.run_id),
    )


class Measures:
    """Serves the measures of one stream to Prometheus, as gauges on a port."""

    def __init__(self, home: Path, port: int, host: str = "127.0.0.1") -> None:
        self._home = home
        registry = CollectorRegistry()

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"rollout_stream_{name}", meaning, labels, registry=registry)

        self._up = gauge("up", "1 while the stream's job runs")
        self._restarts = gauge("restarts", "How often the job was started again")
        self._lag = gauge("lag_messages", "Messages that no worker has read yet", "topic")
        self._behind = gauge("behind_messages", "Messages read that are not in the ledger yet")
        self._age = gauge("checkpoint_age_seconds", "Seconds since the newest checkpoint")
        self._duration = gauge("checkpoint_duration_seconds", "How long the newest checkpoint took")
        self._state = gauge("state_bytes", "Size of the state in the newest checkpoint")
        self._records = gauge("records", "Records by owner and what became of them", "owner", "status")
        self._difference = gauge("conservation_difference", "Received less all the rest", "owner")
        self._write_age = gauge("last_write_age_seconds", "Seconds since the ledger was last written")
        self._up.set(0)
        start_http_server(port, addr=host, registry=registry)

    def take(self, record: StreamRecord) -> list[str]:
        """Updates the gauges; returns a sentence for each part of the stream that cannot be seen."""
        unseen = []
        for part in (self._take_job, self._take_log, self._take_ledger):
            try:
                part(record)
            except (jobs.FlinkAway, LogError, StoreError) as error:
                unseen.append(str(error))
        return unseen

    def _take_job(self, record: StreamRecord) -> None:
        # Shows 0 until Flink says otherwise: if it does not answer, no job runs.
        self._up.set(0)
        found = standing(record)
        self._up.set(found.job is not None and found.job.state == jobs.RUNNING)
        self._restarts.set(found.restarts)
        if found.checkpoints.ended_ms is not None:
            self._age.set(_now() - found.checkpoints.ended_ms / 1000)
            self._duration.set(found.checkpoints.duration_ms / 1000)
            self._state.set(found.checkpoints.state_bytes)

    def _take_log(self, record: StreamRecord) -> None:
        found = log_standing(self._home, record)
        for topic, messages in found.lag.items():
            self._lag.labels(topic).set(messages)
        if found.behind is not None:
            self._behind.set(found.behind)

    def _take_ledger(self, record: StreamRecord) -> None:
        store = store_of(record.settings(self._home))
        intake, written = store.intake(record.run_id), store.last_write(record.run_id)
        for owner, status, records in intake.iter_rows():
            self._records.labels(owner, status).set(records)
        for owner, difference in balance_of(intake).table.select("owner", "difference").iter_rows():
            self._difference.labels(owner).set(difference)
        if written is not None:
            self._write_age.set(_now() - written.timestamp())


def _now() -> float:
    return datetime.now(UTC).timestamp()
