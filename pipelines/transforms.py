"""The Beam half of each step: thin transforms that key, count and call the pure functions they are named after."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import polars as pl
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from expectations.run import Checker
from pipelines import shards, validate
from pipelines.block import Block
from pipelines.fold import Counted, added, recount, with_copies
from pipelines.history.copies import distinct
from pipelines.log.connection import KafkaSettings
from pipelines.outcome import Outcome, of_losses, of_reading, of_verdict
from pipelines.progress import note
from pipelines.pseudonym import Key, KeyChangedError, load_key
from pipelines.settings import Environment
from pipelines.snapshot import write_shard
from pipelines.source.files import Packet
from pipelines.source.kafka import LogPacket, read_log
from pipelines.source.reading import read

SPILL_ROWS: Final = 200_000
OUTCOME: Final = "outcome"
# A file of this name in the work folder says that some message of the log was not marked as synthetic.
UNMARKED: Final = "unmarked"


@dataclass(frozen=True, slots=True)
class Settings:
    """What every step of a bounded run needs to know; picklable, and without the secret key itself.

    `work` is the run's own folder, `home` where a key is kept if none is set, `key_id` the key that must be found,
    `log` how to reach the Kafka log that is read, if any, `snapshot` whether each shard's history is kept in `work`.
    """

    work: str
    home: str
    key_id: str
    shards: int
    as_at: int | None = None
    log: KafkaSettings | None = None
    snapshot: bool = False


def with_outcome(do_fn: beam.DoFn) -> beam.PTransform[Any, Any]:
    """A DoFn whose output has `main`, its elements, and under OUTCOME the outcomes that it tags."""
    return beam.ParDo(do_fn).with_outputs(OUTCOME, main="main")


def reader(settings: Settings) -> beam.DoFn:
    """The step that reads packets: of files, or of the log where the settings name one."""
    return ReadBlocks(settings) if settings.log is None else ReadLog(settings)


class ReadBlocks(beam.DoFn):
    """Packets to blocks; what could not be read goes to the outcome."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read = Metrics.counter("blocks", "events read")

    def process(self, element: Packet) -> Iterator[Any]:
        """One block for each packet."""
        reading = read(element, self._settings.as_at)
        self._read.inc(reading.block.frame.height)
        if reading.losses:
            yield TaggedOutput(OUTCOME, of_reading(reading))
        yield reading.block


class ReadLog(beam.DoFn):
    """Packets of the Kafka log to blocks; what could not be used goes to the outcome."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read = Metrics.counter("blocks", "events read")

    def process(self, element: LogPacket) -> Iterator[Any]:
        """The blocks of a packet, one a record type."""
        settings = self._settings
        if settings.log is None:
            raise ValueError("a packet of the log in a run that does not read the log")
        formed = read_log(settings.log, element, settings.as_at)
        if not formed.synthetic:
            Path(settings.work, UNMARKED).touch()
        if formed.losses:
            yield TaggedOutput(OUTCOME, of_losses(formed.losses))
        for block in formed.blocks:
            self._read.inc(block.frame.height)
            yield block


class ValidateBlocks(beam.DoFn):
    """Blocks to event frames of accepted rows; intake, quarantine and warnings go to the outcome."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rejected = Metrics.counter("blocks", "events rejected")
        self._key: Key
        self._checker: Checker

    def setup(self) -> None:
        """Great Expectations is imported once a worker."""
        self._key = _key_of(self._settings)
        self._checker = Checker()

    def process(self, element: Block) -> Iterator[Any]:
        """One event frame for each block."""
        verdict = validate.judge([element], self._key, self._checker.check_records)
        self._rejected.inc(verdict.quarantine.height)
        note(self._settings.work, validated=element.frame.height)
        yield TaggedOutput(OUTCOME, of_verdict(verdict))
        yield verdict.accepted


def _key_of(settings: Settings) -> Key:
    key, _ = load_key(Environment(home=Path(settings.home)))
    if key.key_id != settings.key_id:
        raise KeyChangedError(f"The run began with pseudonym key {settings.key_id}, but a worker finds {key.key_id}.")
    return key


class SpillByShard(beam.DoFn):
    """Event frames to segments by shard, a few hundred thousand events a file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: list[pl.DataFrame] = []

    def start_bundle(self) -> None:
        """Nothing is held at first."""
        self._held = []

    def process(self, element: pl.DataFrame) -> Iterator[tuple[int, shards.Segment]]:
        """Segments whenever enough events are held."""
        self._held.append(element)
        if sum(frame.height for frame in self._held) >= SPILL_ROWS:
            yield from self._flush()

    # Beam takes what finish_bundle yields; its own annotation says None.
    def finish_bundle(self) -> Iterator[WindowedValue]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Segments of what is still held."""
        for segment in self._flush():
            yield WindowedValue(segment, GlobalWindow().max_timestamp(), (GlobalWindow(),))

    def _flush(self) -> list[tuple[int, shards.Segment]]:
        held = [frame for frame in self._held if frame.height]
        self._held = []
        if not held:
            return []
        return list(shards.spill(pl.concat(held), self._settings.shards, self._settings.work))


class FoldShards(beam.DoFn):
    """Shards with their segments to what their meters count."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def process(self, element: tuple[int, Iterable[shards.Segment]]) -> Iterator[Counted]:
        """The counts of one shard."""
        shard, segments = element
        events = shards.gather(segments)
        history = distinct(with_copies(events))
        if self._settings.snapshot:
            write_shard(Path(self._settings.work), shard, history)
        yield recount(history)
        note(self._settings.work, folded=events.height)


class AddCounts(beam.CombineFn):
    """Counts added up."""

    def create_accumulator(self) -> list[Counted]:
        """Nothing yet."""
        return []

    def add_input(self, mutable_accumulator: list[Counted], element: Counted) -> list[Counted]:
        """Held until there are enough to be worth adding."""
        held = [*mutable_accumulator, element]
        return held if len(held) < 16 else [added(held)]

    def merge_accumulators(self, accumulators: Iterable[list[Counted]]) -> list[Counted]:
        """The sum of all."""
        return [added([count for held in accumulators for count in held])]

    def extract_output(self, accumulator: list[Counted]) -> Counted:
        """The sum as it is."""
        return added(accumulator)


class AddOutcomes(beam.CombineFn):
    """Outcomes of blocks put together."""

    def create_accumulator(self) -> list[Outcome]:
        """Nothing yet."""
        return []

    def add_input(self, mutable_accumulator: list[Outcome], element: Outcome) -> list[Outcome]:
        """Held as they come."""
        return [*mutable_accumulator, element]

    def merge_accumulators(self, accumulators: Iterable[list[Outcome]]) -> list[Outcome]:
        """All together."""
        return [outcome for held in accumulators for outcome in held]

    def extract_output(self, accumulator: list[Outcome]) -> Outcome:
        """One outcome."""
        return Outcome.of(accumulator)
