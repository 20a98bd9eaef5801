"""A small stateful job over a topic of numbers, which Flink's workers import: what it counts it appends to a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.io.kafka import ReadFromKafka
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from infra.flink.options import beam_options
from infra.settings import ClusterSettings

KEYS = 8


def keyed(record: Any) -> tuple[int, int]:
    """A message's number under one of eight keys."""
    number = int(record.value)
    return number % KEYS, number


COUNT = beam.DoFn.StateParam(ReadModifyWriteStateSpec("count", VarIntCoder()))
SUM = beam.DoFn.StateParam(ReadModifyWriteStateSpec("sum", VarIntCoder()))


class Count(beam.DoFn):
    """Appends, for each number, its key, how many numbers the key has had, and their sum."""

    def __init__(self, out: str) -> None:
        self.out = out

    def process(self, element: tuple[int, int], count: Any = COUNT, total: Any = SUM) -> Iterable[None]:
        key, number = element
        count.write((count.read() or 0) + 1)
        total.write((total.read() or 0) + number)
        with Path(self.out).open("a", encoding="ascii") as file:
            file.write(f"{key} {count.read()} {total.read()}\n")
        return ()


def submit(settings: ClusterSettings, topic: str, out: Path) -> None:
    """The job runs, or soon will, under the name of its topic."""
    pipeline = beam.Pipeline(options=PipelineOptions(beam_options(settings, topic)))
    _ = (
        pipeline
        | ReadFromKafka(
            consumer_config={"bootstrap.servers": settings.kafka, "group.id": topic, "auto.offset.reset": "earliest"},
            topics=[topic],
            with_metadata=True,
            expansion_service=settings.expansion,
        )
        | beam.Map(keyed).with_output_types(tuple[int, int])
        | beam.ParDo(Count(str(out)))
    )
    pipeline.run()


def counted(out: Path) -> dict[int, tuple[int, int]]:
    """What was last counted of each key: how many numbers, and their sum; whole lines only."""
    whole = out.read_text(encoding="ascii").rpartition("\n")[0] if out.exists() else ""
    lines = (tuple(map(int, line.split())) for line in whole.splitlines())
    return {key: (count, total) for key, count, total in lines}


def expected(numbers: int) -> dict[int, tuple[int, int]]:
    """What is to be counted of the numbers from 0 on."""
    return {key: (len(range(key, numbers, KEYS)), sum(range(key, numbers, KEYS))) for key in range(KEYS)}
