"""`rollout generate --live`: how events are played at a pace, told as a story of a clock."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.cli.playing import MOST_UNFLUSHED, Pace, Played, Stage, interruption, play
from pipelines.synthetic.feed import Event

NOON = 1_600_000_000_000


def score(count: int = 1_000_000) -> Iterator[Event]:
    """Events reported a minute apart."""
    return (Event("BGAS", NOON + number * 60_000, b"") for number in range(count))


@dataclass
class Concert:
    """A stage whose time passes only while the player waits, or `busy` seconds at each event sent."""

    busy: float = 0.0
    stop_after: int | None = None
    time: float = 100.0
    sent: list[float] = field(default_factory=list)
    flushed: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def is_set(self) -> bool:
        return self.stop_after is not None and len(self.sent) >= self.stop_after

    def wait(self, timeout: float) -> bool:
        self.time += timeout
        return self.is_set()

    def send(self, _event: Event) -> None:
        self.sent.append(self.time)
        self.time += self.busy

    def flush(self) -> None:
        self.flushed.append(len(self.sent))

    def play(self, pace: Pace, events: Iterator[Event] | None = None) -> Played:
        stage = Stage(self.send, self.flush, self.said.append, self, lambda: self.time)
        return play(score() if events is None else events, pace, stage)


def test_events_are_played_at_even_distances() -> None:
    concert = Concert()
    concert.play(Pace(4, events=5))
    assert concert.sent == [100.0, 100.25, 100.5, 100.75, 101.0]


def test_what_is_late_is_made_up_for() -> None:
    concert = Concert(busy=0.1)
    concert.play(Pace(100, events=20))
    assert concert.sent == pytest.approx([100 + 0.1 * number for number in range(20)])


def test_a_rate_of_nought_is_as_fast_as_it_goes() -> None:
    concert = Concert(busy=0.001)
    played = concert.play(Pace(0, events=2_000))
    assert played.events == 2_000
    assert played.seconds == pytest.approx(2)


def test_it_stops_when_its_time_is_over_also_while_it_waits() -> None:
    concert = Concert()
    played = concert.play(Pace(0.1, seconds=25))
    assert concert.sent == [100.0, 110.0, 120.0]
    assert played.seconds == 25


def test_it_stops_when_it_is_told_to() -> None:
    concert = Concert(stop_after=3)
    assert concert.play(Pace(10)).events == 3


def test_it_stops_when_there_are_no_more_events() -> None:
    played = Concert().play(Pace(10), score(7))
    assert (played.events, played.newest) == (7, NOON + 6 * 60_000)


def test_all_that_was_played_is_in_the_log_at_the_end_and_never_more_than_so_many_are_not() -> None:
    concert = Concert()
    concert.play(Pace(0, events=2 * MOST_UNFLUSHED + 1))
    assert concert.flushed == [MOST_UNFLUSHED, 2 * MOST_UNFLUSHED, 2 * MOST_UNFLUSHED + 1]


def test_what_is_played_slowly_is_in_the_log_within_a_second() -> None:
    concert = Concert()
    concert.play(Pace(10, seconds=3.05))
    assert concert.flushed == [11, 21, 31, 31]


def test_progress_is_told_every_few_seconds() -> None:
    concert = Concert()
    concert.play(Pace(10, seconds=11))
    assert concert.said == [
        "51 events in 5.0 s, 10.2 a second, reported up to 2020-09-13",
        "101 events in 10.0 s, 10.1 a second, reported up to 2020-09-13",
    ]


def test_nothing_played_is_told_without_a_day() -> None:
    assert Played(0.0).line() == "0 events in 0.0 s, 0.0 a second"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_an_event_and_afterwards_what_it_was_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruption() as stopped:
        assert isinstance(stopped, threading.Event)
        os.kill(os.getpid(), number)
        assert stopped.wait(5)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--out DIR"),
        (["--out", "x", "--live", "1"], "--live RATE"),
        (["--live", "1"], "--kafka BOOTSTRAP"),
        (["--out", "x", "--for", "3"], "--for"),
        (["--live", "1", "--kafka", "nowhere"], "'nowhere'"),
        (["--live", "1", "--kafka", "127.0.0.1:9", "--until", "soon"], "'soon'"),
        (["--live", "1", "--kafka", "127.0.0.1:9", "--until", "1999-01-01"], "2012"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_sentence(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["generate", *arguments], catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not Path("x").exists()
