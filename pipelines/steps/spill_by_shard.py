"""The step that spills event frames into segments by shard. Its other half is `pipelines/shards/spilling.py`."""

from collections.abc import Iterator
from typing import Final

import apache_beam as beam
import polars as pl
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.shards.spilling import Segment, spill
from pipelines.steps.settings import Settings

SPILL_ROWS: Final = 200_000


class SpillByShard(beam.DoFn):
    """Spills event frames into segments by shard, a few hundred thousand events a file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: list[pl.DataFrame] = []

    def start_bundle(self) -> None:
        """Empties the list of held frames."""
        self._held = []

    def process(self, element: pl.DataFrame) -> Iterator[tuple[int, Segment]]:
        """Yields segments whenever enough events are held."""
        self._held.append(element)
        if sum(frame.height for frame in self._held) >= SPILL_ROWS:
            yield from self._flush()

    # Beam uses what finish_bundle yields, although its annotation says None.
    def finish_bundle(self) -> Iterator[WindowedValue]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Yields segments of the events still held."""
        for segment in self._flush():
            yield WindowedValue(segment, GlobalWindow().max_timestamp(), (GlobalWindow(),))

    def _flush(self) -> list[tuple[int, Segment]]:
        held = [frame for frame in self._held if frame.height]
        self._held = []
        if not held:
            return []
        return list(spill(pl.concat(held), self._settings.shards, self._settings.work))
