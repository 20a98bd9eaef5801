"""Plays the synthetic Britain into the log at a rate, one event per message, until it ends or is stopped."""

import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from types import FrameType
from typing import TYPE_CHECKING, Final, Protocol

import typer

if TYPE_CHECKING:
    from pipelines.synthetic.feed import Event

SECONDS_BETWEEN_LINES: Final = 5.0
SECONDS_BETWEEN_FLUSHES: Final = 1.0
MOST_UNFLUSHED: Final = 10_000


class Stopped(Protocol):
    """A flag that stops the player, which waits on it between events."""

    def is_set(self) -> bool:
        """Whether the flag is set."""
        ...

    def wait(self, timeout: float) -> bool:
        """Waits until the flag is set, for at most `timeout` seconds; returns whether it is set."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Events per second (0: as fast as possible), and after how many seconds or events to stop."""

    rate: float
    seconds: float | None = None
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """What a player uses: `send` sends an event, `flush` waits until all are in the log, `say` prints a line."""

    send: "Callable[[Event], None]"
    flush: Callable[[], None]
    say: Callable[[str], None]
    stopped: Stopped = field(default_factory=threading.Event)
    now: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Played:
    """How much was played so far: events, seconds, and `reported_at` of the newest event in milliseconds."""

    began: float
    events: int = 0
    seconds: float = 0.0
    newest: int = 0

    def line(self) -> str:
        """Returns a line about it for a person."""
        rate = self.events / self.seconds if self.seconds else 0.0
        day = datetime.fromtimestamp(self.newest / 1000, UTC).date() if self.events else None
        reached = f", reported up to {day}" if day else ""
        return f"{self.events:,} events in {self.seconds:,.1f} s, {rate:,.1f} a second{reached}"


def play(events: "Iterator[Event]", pace: Pace, stage: Stage) -> Played:
    """Plays events until they run out, the pace's limit is reached or it is stopped; then all played are in the log.

    Raises LogError. An event is played when due or later, never earlier; late events catch up.
    """
    played = Played(stage.now())
    told = flushed = played.began
    unflushed = 0
    for event in islice(events, pace.events):
        if not _wait(played, pace, stage):
            break
        stage.send(event)
        played.events, played.newest, unflushed = played.events + 1, event.reported_at, unflushed + 1
        now = stage.now()
        played.seconds = now - played.began
        if unflushed >= MOST_UNFLUSHED or now - flushed >= SECONDS_BETWEEN_FLUSHES:
            stage.flush()
            unflushed, flushed = 0, now
        if now - told >= SECONDS_BETWEEN_LINES:
            stage.say(played.line())
            told = now
    stage.flush()
    played.seconds = stage.now() - played.began
    return played


def _wait(played: Played, pace: Pace, stage: Stage) -> bool:
    """Waits until the next event is due; returns False if it is not to be played."""
    due = played.began + (played.events / pace.rate if pace.rate else 0.0)
    end = float("inf") if pace.seconds is None else played.began + pace.seconds
    pause = min(due, end) - stage.now()
    if pause > 0:
        stage.stopped.wait(pause)
    return not stage.stopped.is_set() and stage.now() < end


@contextmanager
def interruption() -> Generator[threading.Event]:
    """Yields a flag that Ctrl+C or a supervisor's SIGTERM sets inside the block, in place of an exception."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def play_britain(kafka: str, size: tuple[int, int, float], last: date, pace: Pace) -> None:
    """Makes a Britain of (meters, seed, dirt) in memory and plays it into the log; prints progress and totals."""
    from pipelines.log.connection import KafkaSettings
    from pipelines.log.message import SYNTHETIC_HEADER
    from pipelines.log.producing import Producer
    from pipelines.log.topics import ensure_topics, topic_of
    from pipelines.synthetic import Plan
    from pipelines.synthetic.feed import feed
    from schemas.tables import SYNTHETIC_NOTICE

    settings, (meters, seed, dirt) = KafkaSettings.at(kafka), size
    plan = Plan(meters, seed, last, dirt)
    ensure_topics(settings)
    made = feed(plan, _making())
    producer, headers = Producer(settings), ((SYNTHETIC_HEADER, b"true"),)

    def send(event: "Event") -> None:
        producer.send(topic_of(event.owner), None, event.value, headers)

    with interruption() as stopped:
        played = play(made.events(), pace, Stage(send, producer.flush, _say, stopped))
        producer.close()
    typer.echo(f"Played {played.line()}.")
    typer.echo(f"{SYNTHETIC_NOTICE}.")


def _making() -> Callable[[str, float], None]:
    """Returns a callback that prints a line for every tenth made."""
    tenth = -1

    def show(_what: str, share: float) -> None:
        nonlocal tenth
        if int(share * 10) > tenth:
            tenth = int(share * 10)
            _say(f"{share:4.0%} of the synthetic Britain made")

    return show


def _say(what: str) -> None:
    typer.echo(what, err=True)
