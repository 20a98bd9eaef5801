"""What is measured of a stream from outside: lag, checkpoints, records and balance, for people and for Prometheus."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from infra.flink import jobs
from infra.settings import cluster_settings
from pipelines.cli import logwords
from pipelines.conservation import balance_of
from pipelines.log.connection import KafkaSettings
from pipelines.log.offsets import Offsets, Range, beyond, group_offsets, joined, ranges
from pipelines.log.reading import unread
from pipelines.log.topics import topic_ids
from pipelines.store import Store, open_store
from pipelines.stream.positions import progress_group
from pipelines.stream.record import StreamRecord
from pipelines.stream.settings import log_of, secrets_of
from schemas.codes import INTAKE_STATUSES


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to tell of a stream: its job, its checkpoints and how often it was started again."""

    job: jobs.Job | None
    checkpoints: jobs.Checkpoints
    restarts: int
    trouble: str


def standing(record: StreamRecord) -> Standing:
    """How the stream's job stands. Raises FlinkAway."""
    address = cluster_settings().flink
    job = jobs.job_named(address, record.name)
    if job is None:
        return Standing(None, jobs.Checkpoints(), 0, "")
    found = jobs.checkpoints_of(address, job.job_id)
    again = jobs.restarts(address, job.job_id) + len(record.jobs) - 1
    return Standing(job, found, again, jobs.first_exception(address, job.job_id))


def lag_of(home: Path, record: StreamRecord) -> dict[str, int]:
    """For every topic, the messages that no worker has read, or told of, yet. Raises LogError."""
    return _log_standing(log_of(record.settings(home)), record).lag


@dataclass(frozen=True, slots=True)
class _LogStanding:
    """What partitions hold, up to where a stream has read them, and by topic how much of them it has not read."""

    held: tuple[Range, ...]
    read: Offsets
    lag: dict[str, int]


def _log_standing(log: KafkaSettings, record: StreamRecord) -> _LogStanding:
    read = joined(record.begin, group_offsets(log, progress_group(record.name)))
    held = ranges(log, list(record.begin))
    lag = dict.fromkeys(record.begin, 0)
    # What lies beyond the last message, such as marks of transactions, is nothing to wait for.
    for one in unread(log, beyond(read, held)):
        lag[one.topic] += one.end - one.start
    return _LogStanding(held, read, lag)


def log_lines(home: Path, record: StreamRecord) -> list[str]:
    """Lines that tell of the log that a stream reads. Raises LogError."""
    log = log_of(record.settings(home))
    now = topic_ids(log)
    strays = logwords.of_strays(now)
    if changed := logwords.of_topics_made_again(record.topic_ids, now, "the stream began"):
        return [changed, *strays]
    found = _log_standing(log, record)
    return [
        f"Lag: {sum(found.lag.values()):,} messages not read yet",
        *([added] if (added := logwords.of_new_partitions(found.read, found.held)) else []),
        *logwords.of_deleted_unread(found.read, found.held),
        *strays,
    ]


def ledger_lines(home: Path, record: StreamRecord) -> list[str]:
    """Lines that tell of the stream's ledger. Raises StoreError."""
    store = _store(home, record)
    balance = balance_of(store.intake(record.run_id)).table
    totals = {status: int(balance[status].sum()) for status in INTAKE_STATUSES}
    underway = int(balance["difference"].abs().sum())
    written = store.last_write(record.run_id)
    cells = "nothing yet"
    if written is not None:
        cells = f"{store.cells_written(record.run_id):,} cells, the last at {written:%Y-%m-%d %H:%M:%S} UTC"
    return [
        "Records: " + ", ".join(f"{status} {records:,}" for status, records in totals.items()),
        f"Balance: {'holds' if not underway else f'{underway:,} records are under way'}",
        f"Written by the stream: {cells}",
    ]


def _store(home: Path, record: StreamRecord) -> Store:
    return open_store(secrets_of(record.settings(home)).store)


class Measures:
    """The measures of one stream as gauges on a port for Prometheus."""

    def __init__(self, home: Path, port: int, host: str = "127.0.0.1") -> None:
        self._home = home
        registry = CollectorRegistry()

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"rollout_stream_{name}", meaning, labels, registry=registry)

        self._up = gauge("up", "1 while the stream's job runs")
        self._restarts = gauge("restarts", "How often the job was started again")
        self._lag = gauge("lag_messages", "Messages that no worker has read yet", "topic")
        self._age = gauge("checkpoint_age_seconds", "Seconds since the newest checkpoint")
        self._duration = gauge("checkpoint_duration_seconds", "How long the newest checkpoint took")
        self._state = gauge("state_bytes", "Size of the state in the newest checkpoint")
        self._records = gauge("records", "Records by owner and what became of them", "owner", "status")
        self._difference = gauge("conservation_difference", "Received less all the rest", "owner")
        self._write_age = gauge("last_write_age_seconds", "Seconds since the ledger was last written")
        self._up.set(0)
        start_http_server(port, addr=host, registry=registry)

    def take(self, record: StreamRecord) -> None:
        """The gauges show how the stream stands now. Raises FlinkAway, LogError and StoreError."""
        now = datetime.now(UTC).timestamp()
        # Until Flink says otherwise: where it does not answer, no job runs.
        self._up.set(0)
        found = standing(record)
        self._up.set(found.job is not None and found.job.state == jobs.RUNNING)
        self._restarts.set(found.restarts)
        if found.checkpoints.ended_ms is not None:
            self._age.set(now - found.checkpoints.ended_ms / 1000)
            self._duration.set(found.checkpoints.duration_ms / 1000)
            self._state.set(found.checkpoints.state_bytes)
        self._take_log(record)
        self._take_ledger(record, now)

    def _take_log(self, record: StreamRecord) -> None:
        for topic, messages in lag_of(self._home, record).items():
            self._lag.labels(topic).set(messages)

    def _take_ledger(self, record: StreamRecord, now: float) -> None:
        store = _store(self._home, record)
        intake, written = store.intake(record.run_id), store.last_write(record.run_id)
        for owner, status, records in intake.iter_rows():
            self._records.labels(owner, status).set(records)
        for owner, difference in balance_of(intake).table.select("owner", "difference").iter_rows():
            self._difference.labels(owner).set(difference)
        if written is not None:
            self._write_age.set(now - written.timestamp())
