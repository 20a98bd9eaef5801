"""The flow of the data, from planned packets to counted cells. Start here.

Each line is one step; the pure function behind it is in the module named in the comment.
"""

from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam import PCollection

from pipelines.events.outcome import Outcome
from pipelines.fold import Counted
from pipelines.source.files import Packet
from pipelines.source.kafka import LogPacket
from pipelines.steps.add import AddCounts, AddOutcomes
from pipelines.steps.fold_shards import FoldShards
from pipelines.steps.outcomes import OUTCOME, with_outcome
from pipelines.steps.read_blocks import reader
from pipelines.steps.settings import Settings
from pipelines.steps.spill_by_shard import SpillByShard
from pipelines.steps.validate_blocks import ValidateBlocks


@dataclass(frozen=True, slots=True)
class Results:
    """The results of the flow: one outcome of reading and validation, and one count of the meters, if any."""

    outcome: PCollection[Outcome]
    counted: PCollection[Counted]


def flow(packets: PCollection[Packet] | PCollection[LogPacket], settings: Settings) -> Results:
    """Builds the whole flow: read, validate, shard, fold, add."""
    read: Any = (
        packets
        | "Spread the packets" >> beam.Reshuffle()
        | "Read blocks" >> with_outcome(reader(settings))  # source/reading.py or source/messages.py
    )
    validated: Any = read.main | "Validate blocks" >> with_outcome(ValidateBlocks(settings))  # validation/validate.py
    counted = (
        validated.main
        | "Spill by shard" >> beam.ParDo(SpillByShard(settings))  # shards/spilling.py
        | "Gather each shard" >> beam.GroupByKey()
        | "Fold each shard" >> beam.ParDo(FoldShards(settings))  # fold.py, history/, quarterly/
        | "Add the counts" >> beam.CombineGlobally(AddCounts()).without_defaults()
    )
    outcome = (
        (read[OUTCOME], validated[OUTCOME])
        | "Join the outcomes" >> beam.Flatten()
        | "Add the outcomes" >> beam.CombineGlobally(AddOutcomes()).without_defaults()
    )
    return Results(outcome, counted)
