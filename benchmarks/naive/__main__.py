"""`python -m benchmarks.naive FOLDER OUT.csv [grouped]`: the naive pipeline on DirectRunner."""

import hashlib
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import fastavro
from apache_beam.coders import PickleCoder
from apache_beam.transforms.cy_combiners import SumInt64Fn
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import GlobalWindow

from benchmarks.containers import Container, containers, whole_blocks, with_schema
from benchmarks.naive.history import Cell, cells_of
from benchmarks.naive.rules import Event, reasons
from schemas.tables import CELL_COLUMNS

_KEY: Final = b"a key of the benchmark's own"
_DAMAGE: Final = (EOFError, IndexError, OSError, OverflowError, TypeError, ValueError)


def events_of(container: Container) -> Iterator[Event]:
    """Yields every event of a container, read block by block if it is damaged."""
    try:
        read: Any = list(fastavro.reader(with_schema(container.schema, container.sync, container.blocks)))
    except _DAMAGE:
        read = [event for block in whole_blocks(container) for event in _events_of(container, block)]
    for event in read:
        yield event | {"record": container.record, "owner": container.owner}


def _events_of(container: Container, block: bytes) -> list[Any]:
    try:
        return list(fastavro.reader(with_schema(container.schema, container.sync, block)))
    except _DAMAGE:
        return []


def keyed(event: Event) -> tuple[str, Event]:
    """Returns the digest of fuel and meter point as the key, and the event without its meter point."""
    text = f"{event['fuel']}{event['meter_point_id']}".encode()
    rest = {name: value for name, value in event.items() if name not in {"meter_point_id", "owner"}}
    return hashlib.blake2b(text, key=_KEY, digest_size=16).hexdigest(), rest


_EVENTS: Final = BagStateSpec("events", PickleCoder())
_ALL_CAME: Final = TimerSpec("all came", TimeDomain.WATERMARK)
_EVENTS_OF_METER: Any = beam.DoFn.StateParam(_EVENTS)
_TIMER: Any = beam.DoFn.TimerParam(_ALL_CAME)


class WalkMeters(beam.DoFn):
    """Keeps every event of a meter in state and counts them when all have come."""

    def process(self, element: tuple[str, Event], events: Any = _EVENTS_OF_METER, all_came: Any = _TIMER) -> None:
        """Keeps an event in state until all have come."""
        events.add(element[1])
        all_came.set(GlobalWindow().max_timestamp())

    @on_timer(_ALL_CAME)
    def count(self, events: Any = _EVENTS_OF_METER) -> Iterator[tuple[Cell, int]]:
        """Yields the cells of one meter."""
        yield from cells_of(events.read())


def cells_of_group(group: tuple[str, Iterable[Event]]) -> Iterator[tuple[Cell, int]]:
    """Yields the cells of one meter whose events were grouped."""
    return cells_of(group[1])


def run(folder: Path, out: Path, *, grouped: bool) -> None:
    """Writes the cells of all events under a folder as CSV."""
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    with beam.Pipeline(runner="DirectRunner") as pipeline:
        meters = (
            pipeline
            | "List the files" >> beam.Create(list(containers(folder)))
            | "Spread the files" >> beam.Reshuffle()
            | "Read events" >> beam.FlatMap(events_of)
            | "Keep the valid" >> beam.Filter(lambda event: not reasons(event))
            | "Key by meter" >> beam.Map(keyed)
        )
        if grouped:
            counted = meters | "Group" >> beam.GroupByKey() | "Walk groups" >> beam.FlatMap(cells_of_group)
        else:
            counted = meters | "Walk meters" >> beam.ParDo(WalkMeters())
        _ = (
            counted
            | "Add up cells" >> beam.CombinePerKey(SumInt64Fn())
            | "Drop zeros" >> beam.Filter(lambda cell: cell[1] != 0)
            | "As lines" >> beam.Map(lambda cell: ",".join([*cell[0], str(cell[1])]))
            | "Gather" >> beam.combiners.ToList()
            | "Write" >> beam.Map(_write, str(out))
        )


def _write(lines: list[str], out: str) -> None:
    header = ",".join(column.name for column in CELL_COLUMNS)
    Path(out).write_text("\n".join([header, *sorted(lines)]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), grouped="grouped" in sys.argv[3:])
