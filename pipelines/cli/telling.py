"""Says what `rollout stream status` prints: job, log and ledger, each even if the others cannot be seen."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from infra.flink import jobs
from pipelines.cli import logwords
from pipelines.cli.measuring import Ledger, LogStanding, Standing, ledger_of, log_standing, standing
from pipelines.cli.supervising import is_watched, was_stopped
from pipelines.log.connection import LogError
from pipelines.store import StoreError
from pipelines.stream.record import StreamRecord, current
from pipelines.stream.settings import SecretsUnreadable

# The status mentions a checkpoint that takes longer than this, since something delays it.
LONG_MS: Final = 10_000
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Told:
    """Lines to print, and whether all is well."""

    is_well: bool
    lines: tuple[str, ...]


def told_of(home: Path, now: datetime) -> Told:
    """Returns the status of the current stream. Raises StreamError if none was started."""
    record = current(home)
    now_ms = int(now.timestamp() * 1000)
    job = _asked(lambda: standing(record))
    log = _asked(lambda: log_standing(home, record))
    ledger = _asked(lambda: ledger_of(home, record))
    parts = [
        Told(True, (f"Run {record.run_id}, store {record.store}, log {record.bootstrap}, {record.shards} shards",)),
        job_told(record.jobs[-1] if record.jobs else "-", job, now_ms) if isinstance(job, Standing) else _unseen(job),
        watch_told(home, record),
        *([Told(False, (f"The stream was ended. {record.ended}",))] if record.ended else []),
        _unseen(log) if isinstance(log, str) else log_told(log),
        _unseen(ledger)
        if isinstance(ledger, str)
        else ledger_told(ledger, None if isinstance(log, str) else log.behind),
    ]
    return Told(all(part.is_well for part in parts), tuple(line for part in parts for line in part.lines))


def _asked(question: Callable[[], Found]) -> Found | str:
    """Returns the answer, or a sentence that says why there is none."""
    try:
        return question()
    except (jobs.FlinkAway, LogError, StoreError, SecretsUnreadable) as error:
        return str(error)


def _unseen(sentence: str) -> Told:
    return Told(False, (sentence,))


def watch_told(home: Path, record: StreamRecord) -> Told:
    """Says whether the stream's supervisor is running, and what to do if not. All is well: the job runs without it."""
    if is_watched(home, record):
        return Told(True, ("Watched: what dies is started again.",))
    if was_stopped(home, record):
        return Told(True, ("Not watched, as it was stopped; `rollout stream start` starts one.",))
    return Told(True, ("NOT watched: its supervisor has died; `rollout stream watch` starts it, and what is lost.",))


def job_told(job_id: str, found: Standing, now_ms: int) -> Told:
    """Describes the state of a stream's job."""
    if found.job is None:
        return Told(False, (f"Job {job_id}: lost",))
    is_well, state = found.is_well(now_ms), found.job.state
    shown = state if is_well or state in jobs.LOST else f"failing ({state})"
    head = f"Job {found.job.job_id}: {shown}, started again {found.restarts:,} times"
    return Told(is_well, (head, checkpoints_line(found.checkpoints, now_ms), *_trouble_lines(found, now_ms)))


def _trouble_lines(found: Standing, now_ms: int) -> tuple[str, ...]:
    if not found.troubles:
        return ()
    last = found.troubles[0]
    since = max(last.at_ms, found.running_since)
    over = f", over since {_clock(since)}" if found.is_over(now_ms) else ""
    return (f"{'Last trouble' if over else 'Trouble'}, at {_clock(last.at_ms)}{over}: {last.sentence}",)


def _clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def checkpoints_line(found: jobs.Checkpoints, now_ms: int) -> str:
    """Describes a job's checkpoints, including those that failed before the first complete one."""
    parts = [_newest(found, now_ms)]
    if found.failed:
        why = f": {found.why_failed}" if found.why_failed else ""
        parts.append(f"{found.failed:,} of the newest {found.remembered:,} failed{why}")
    if found.not_begun:
        parts.append(f"{found.not_begun:,} were not begun, as not all tasks ran yet")
    if found.waiting_ms is not None and now_ms - found.waiting_ms > LONG_MS:
        parts.append(f"one has been under way for {(now_ms - found.waiting_ms) / 1000:.0f} s")
    return f"Checkpoints: {'; '.join(parts)}"


def _newest(found: jobs.Checkpoints, now_ms: int) -> str:
    if found.ended_ms is None:
        return "none made yet"
    return (
        f"{found.completed:,} made, the newest {max(0, now_ms - found.ended_ms) / 1000:.0f} s ago, which took "
        f"{found.duration_ms / 1000:.1f} s and holds {found.state_bytes / 1e6:.1f} MB"
    )


def log_told(found: LogStanding) -> Told:
    """Says how far the log was read, how much of that is not in the ledger, and what of the log is not read."""
    if found.changed:
        return Told(False, (found.changed, *found.strays))
    added = logwords.of_new_partitions(found.read, found.held)
    lines = (
        f"Lag: {sum(found.lag.values()):,} messages not read yet; {found.behind or 0:,} read and not in the ledger yet",
        *([added] if added else []),
        *logwords.of_deleted_unread(found.read, found.held),
    )
    return Told(not added, (*lines, *found.strays))


def ledger_told(found: Ledger, behind: int | None) -> Told:
    """Describes the ledger; `behind` is the number of messages read but not in it, or None if unknown."""
    cells = "nothing yet"
    if found.written is not None:
        cells = f"{found.cells:,} cells, the last at {found.written:%Y-%m-%d %H:%M:%S} UTC"
    return Told(
        True,
        (
            "Records: " + ", ".join(f"{status} {records:,}" for status, records in found.records.items()),
            f"Balance: {_balance(found.difference, behind)}",
            f"Written by the stream: {cells}",
        ),
    )


def _balance(difference: int, behind: int | None) -> str:
    if difference:
        return f"{difference:,} records are under way"
    if behind == 0:
        return "holds"
    accounted = "every record in the ledger is accounted for; "
    return accounted + ("how far it is behind cannot be seen" if behind is None else "it is behind what was read")
