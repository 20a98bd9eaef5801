"""The way of the data, from planned packets to counted cells. Start here.

Each line is one step; the pure function behind it lies in the module named in the comment.
"""

from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam import PCollection

from pipelines import transforms as t
from pipelines.fold import Counted
from pipelines.outcome import Outcome
from pipelines.source.files import Packet
from pipelines.source.kafka import LogPacket


@dataclass(frozen=True, slots=True)
class Results:
    """What comes out of the flow: one outcome of validation and one count of the meters (none if no event)."""

    outcome: PCollection[Outcome]
    counted: PCollection[Counted]


def flow(packets: PCollection[Packet] | PCollection[LogPacket], settings: t.Settings) -> Results:
    """The whole way: read, validate, shard, fold, add."""
    read: Any = (
        packets
        | "Spread the packets" >> beam.Reshuffle()
        | "Read blocks" >> t.with_outcome(t.reader(settings))  # source/reading.py or messages.py, decode.py
    )
    validated: Any = read.main | "Validate blocks" >> t.with_outcome(t.ValidateBlocks(settings))  # validate.py
    counted = (
        validated.main
        | "Spill by shard" >> beam.ParDo(t.SpillByShard(settings))  # shards.py
        | "Gather each shard" >> beam.GroupByKey()
        | "Fold each shard" >> beam.ParDo(t.FoldShards(settings))  # fold.py, history/, quarterly/
        | "Add the counts" >> beam.CombineGlobally(t.AddCounts()).without_defaults()
    )
    outcome = (
        (read[t.OUTCOME], validated[t.OUTCOME])
        | "Join the outcomes" >> beam.Flatten()
        | "Add the outcomes" >> beam.CombineGlobally(t.AddOutcomes()).without_defaults()
    )
    return Results(outcome, counted)
