"""The step that folds each shard's segments into the counts of its meters. Its pure half is `pipelines/fold.py`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import apache_beam as beam

from pipelines.fold import Counted, fold
from pipelines.history.copies import empty_history, with_copies
from pipelines.shards.snapshot import write_shard
from pipelines.shards.spilling import Segment, gather
from pipelines.steps.progress import note
from pipelines.steps.settings import Settings


class FoldShards(beam.DoFn):
    """Folds the segments of each shard into the counts of its meters."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def process(self, element: tuple[int, Iterable[Segment]]) -> Iterator[Counted]:
        """Yields the counts of one shard."""
        shard, segments = element
        events = gather(segments)
        folded = fold(empty_history(), with_copies(events))
        if self._settings.snapshot:
            write_shard(Path(self._settings.work), shard, folded.history)
        yield folded.deltas
        note(self._settings.work, folded=events.height)
