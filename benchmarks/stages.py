"""`python -m benchmarks.stages FOLDER`: runs the pure functions of the pipeline one after another in one process.

Prints one JSON object: for each stage its wall seconds and core-seconds.
"""

import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from expectations.run import Checker
from pipelines.bounded import EVENTS_A_SHARD
from pipelines.events.outcome import Outcome
from pipelines.fold import Counted, added, fold
from pipelines.history.copies import empty_history, with_copies
from pipelines.keys import Key, key_from_text
from pipelines.quarterly.cellkeys import named_cells
from pipelines.shards.spilling import Segment, gather, spill
from pipelines.source.files import Packet, Plan, find_files, plan
from pipelines.source.reading import read
from pipelines.steps.spill_by_shard import SPILL_ROWS
from pipelines.validation import validate


@dataclass(slots=True)
class Clock:
    """Wall seconds and core-seconds by stage."""

    wall: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cores: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Adds the time spent within it to a stage."""
        wall, cores = time.perf_counter(), time.process_time()
        yield
        self.wall[stage] += time.perf_counter() - wall
        self.cores[stage] += time.process_time() - cores


@dataclass(slots=True)
class Line:
    """The stages up to the spilled segments, with their output so far."""

    clock: Clock
    key: Key
    checker: Checker
    outcomes: list[Outcome] = field(default_factory=list)
    held: list[pl.DataFrame] = field(default_factory=list)
    segments: dict[int, list[Segment]] = field(default_factory=lambda: defaultdict(list))

    def take(self, packet: Packet) -> None:
        """Reads and judges a packet and holds its accepted events."""
        with self.clock.of("read and decode"):
            block = read(packet).block
        with self.clock.of("identify"):
            facts = validate.identify([block], self.key).facts
        with self.clock.of("Great Expectations"):
            findings = self.checker.check(block.record, facts)
        # Judging identifies again; `profile` subtracts that time.
        with self.clock.of("identify and judge"):
            verdict = validate.judge([block], self.key, lambda _facts: findings)
        self.outcomes.append(verdict.outcome)
        self.held.append(verdict.accepted)

    def spill(self, folder: str, number: int) -> None:
        """Writes the held events by shard."""
        with self.clock.of("spill"):
            for shard, segment in spill(pl.concat(self.held), number, folder):
                self.segments[shard].append(segment)
        self.held = []


def profile(folder: Path) -> Clock:
    """Measures every stage over a folder of event files."""
    clock = Clock()
    with clock.of("plan"):
        planned = plan(find_files([folder]))
    with clock.of("import Great Expectations"):
        checker = Checker()
    line = Line(clock, key_from_text("a key of the benchmark's own"), checker)
    with tempfile.TemporaryDirectory() as work:
        _spill_all(line, planned, work)
        with clock.of("add the counts"):
            Outcome.of(line.outcomes)
        counted = [_folded(clock, listed) for listed in line.segments.values()]
        with clock.of("add the counts"):
            total = added(counted)
        with clock.of("name the cells"):
            named_cells(total.cells)
    for seconds in (clock.wall, clock.cores):
        seconds["judge"] = seconds.pop("identify and judge") - seconds["identify"]
    return clock


def _spill_all(line: Line, planned: Plan, work: str) -> None:
    number = max(1, -(-planned.records // EVENTS_A_SHARD))
    for packet in planned.packets:
        line.take(packet)
        if sum(frame.height for frame in line.held) >= SPILL_ROWS:
            line.spill(work, number)
    if line.held:
        line.spill(work, number)


def _folded(clock: Clock, segments: list[Segment]) -> Counted:
    with clock.of("gather"):
        events = gather(segments)
    with clock.of("fold"):
        return fold(empty_history(), with_copies(events)).deltas


if __name__ == "__main__":
    clock = profile(Path(sys.argv[1]))
    print(json.dumps({stage: [clock.wall[stage], clock.cores[stage]] for stage in clock.wall}))
