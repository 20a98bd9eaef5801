"""`python -m benchmarks.streaming`: measures the stream with its own Kafka broker, Flink and PostgreSQL.

Catch-up: a log that is full before the stream starts. Latency: from the broker's time of an event until its count can
be read in the ledger, at several rates, on the state of a snapshot. Soak: the size of the state while a feed plays.
"""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, Self

import numpy as np
import psutil
import psycopg
import typer

from infra.flink.cluster import TASK_MANAGER, Folders
from infra.flink.jobs import checkpoints_of
from infra.processes import members
from pipelines.log.message import SYNTHETIC_HEADER
from pipelines.log.offsets import Range
from pipelines.log.producing import Producer
from pipelines.log.reading import messages
from pipelines.log.topics import ensure_topics, topic_of
from pipelines.store import open_store
from pipelines.synthetic import Plan, generate
from pipelines.synthetic.feed import Event, feed
from tests.end_to_end.world import World, world

SETTLED: Final = (
    "SELECT coalesce(sum(records) FILTER (WHERE status NOT IN ('received', 'unknown')), 0)::bigint "
    "FROM ledger_intake JOIN streams USING (run_id) WHERE live"
)
POLL_SECONDS: Final = 0.02
UNTIL: Final = date(2026, 6, 30)
HEADERS: Final = [(SYNTHETIC_HEADER, b"true")]
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _quiet(what: str, share: float) -> None:
    del what, share


@contextmanager
def stage() -> Iterator[tuple[World, str]]:
    """Starts a world and yields it with the address of an empty store in it."""
    with tempfile.TemporaryDirectory(prefix="rollout-bench-") as folder, world(Path(folder) / "home") as made:
        ensure_topics(made.log)
        yield made, made.server.url(made.server.new_database(), "pipeline_login")


@dataclass(slots=True)
class Watcher:
    """Polls the ledger and notes the times at which the number of records accounted for changed."""

    url: str
    seen: list[tuple[float, int]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join()

    def _watch(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.over.wait(POLL_SECONDS):
                row: Any = connection.execute(SETTLED).fetchone()
                if not self.seen or self.seen[-1][1] != row[0]:
                    self.seen.append((time.time(), int(row[0])))

    def wait_for(self, records: int, seconds: float) -> float:
        """Waits until a number of records is accounted for and returns the time; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not self.seen or self.seen[-1][1] < records:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.seen[-1:]} of {records:,} records after {seconds:.0f} s")
            time.sleep(0.2)
        return next(at for at, count in self.seen if count >= records)


@app.command()
def catch_up(meters: int = 80_000, single: Annotated[bool, typer.Option("--single")] = False) -> None:
    """How fast a log is caught up with: blocks of 1,000 events, or one event a message."""
    with stage() as (here, url):
        folder = here.home / "britain"
        generate(folder, Plan(meters, 1, UNTIL, 0.05), _quiet)
        here.rollout("submit", folder, "--kafka", here.bootstrap, *(["--single"] if single else []))
        here.rollout("run", "--kafka", here.bootstrap, "--store", f"sqlite:///{here.home}/counted.db")
        records = open_store(f"sqlite:///{here.home}/counted.db").current_run().received
        _say(f"{records:,} records in the log; starting the stream")
        with Watcher(url) as watcher:
            here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", url)
            running = time.time()
            last = watcher.wait_for(records, 900)
        _say(_course(watcher.seen, running))
        first, counted = next((at, count) for at, count in watcher.seen if count)
        told = _checkpoints(here)
        here.rollout("stream", "stop")
        half = next(at for at, count in watcher.seen if count >= records // 2)
        typer.echo(
            f"catch-up, {'one event a message' if single else 'blocks'}: {records:,} records, "
            f"{records / (last - running):,.0f}/s from the start, {(records - counted) / (last - first):,.0f}/s "
            f"after the first count in the ledger (of {counted:,}), {records / 2 / max(last - half, 0.1):,.0f}/s in "
            f"the second half; {told}"
        )


def _course(seen: list[tuple[float, int]], begin: float) -> str:
    """Returns about twenty of the observed counts as text, with the seconds since the beginning."""
    some = seen[:: len(seen) // 20 + 1]
    return "; ".join(f"{count:,} after {at - begin:.0f} s" for at, count in some)


def _checkpoints(here: World) -> str:
    job = json.loads((here.home / "stream" / (here.home / "stream/current").read_text() / "stream.json").read_text())
    found = checkpoints_of(f"127.0.0.1:{here.environment['ROLLOUT_FLINK_REST_PORT']}", job["jobs"][-1])
    return (
        f"newest checkpoint {found.duration_ms / 1000:.1f} s, {found.state_bytes / 1e6:.1f} MB, "
        f"longest of {found.completed} {found.longest_ms / 1000:.1f} s, {found.failed} failed"
    )


@app.command()
def latency(meters: int = 1_000_000, rates: str = "10,100,1000", seconds: int = 60, soak_minutes: int = 0) -> None:
    """How long an event takes from the log to the ledger, on the state of a snapshot; then, if wanted, a soak."""
    with stage() as (here, url):
        snapshot = _snapshot(here, url, meters)
        _say("The feed is made")
        events = iter(feed(Plan(60_000, 2, UNTIL, 0.0), _quiet).events())
        here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", url, "--from-snapshot", snapshot)
        with Watcher(url) as watcher:
            sent = 0
            for rate in (int(text) for text in rates.split(",")):
                _say(f"{rate} events a second for {seconds} s")
                # The first seconds after a start or at another rate are not measured.
                sent += len(_play(here, events, rate, 15))
                times = _play(here, events, rate, seconds)
                watcher.wait_for(sent + len(times), 300)
                _tell(rate, times, watcher.seen, sent)
                sent += len(times)
            if soak_minutes:
                _soak(here, events, soak_minutes)
        here.rollout("stream", "stop")


def _snapshot(here: World, url: str, meters: int) -> Path:
    folder, snapshot = here.home / "britain", here.home / "snapshot"
    _say(f"A Britain of {meters:,} meters")
    generate(folder, Plan(meters, 1, UNTIL, 0.0), _quiet)
    _say("Its snapshot")
    typer.echo(here.rollout("run", "--input", folder, "--store", url, "--snapshot", snapshot).splitlines()[-3])
    return snapshot


def _play(here: World, events: Iterator[Event], rate: int, seconds: float) -> list[float]:
    """Sends events at a rate and returns the broker's time of each in seconds, sorted."""
    producer = Producer(here.log)
    begin = time.monotonic()
    for number, event in enumerate(islice(events, int(rate * seconds))):
        due = begin + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        producer.send(topic_of(event.owner), None, event.value, HEADERS)
    producer.close()
    written = [Range(span.topic, span.partition, span.first, span.last + 1) for span in producer.written()]
    return sorted(
        message.received_at / 1000 for wanted in written for batch in messages(here.log, wanted) for message in batch
    )


def _tell(rate: int, times: list[float], seen: list[tuple[float, int]], before: int) -> None:
    counts = np.array([count for _, count in seen])
    when = np.array([at for at, _ in seen])
    ranks = before + 1 + np.arange(len(times))
    waits = when[np.searchsorted(counts, ranks)] - np.array(times)
    p50, p95, p99 = np.percentile(waits, [50, 95, 99])
    typer.echo(f"latency at {rate}/s: p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s, most {waits.max():.2f} s")


def _soak(here: World, events: Iterator[Event], minutes: int, rate: int = 200) -> None:
    typer.echo(f"soak at {rate} events a second")
    for minute in range(1, minutes + 1):
        _play(here, events, rate, 60)
        typer.echo(f"  minute {minute}: {_checkpoints(here)}, TaskManager and workers {_memory(here)}")


def _memory(here: World) -> str:
    """Returns the resident memory of the TaskManager and its workers, and how much of it is mapped files.

    The system can reclaim pages of mapped files, such as the snapshot's.
    """
    found = [psutil.Process(pid).memory_info() for pid in members(Folders(here.home).place, TASK_MANAGER)]
    return f"{sum(one.rss for one in found) / 1e6:,.0f} MB, {sum(one.shared for one in found) / 1e6:,.0f} MB of files"


if __name__ == "__main__":
    app()
