"""The way of the data, from planned packets to counted cells. Start here.

Each line is one step; the pure function behind it lies in the module named in the comment.
"""

from dataclasses import dataclass

import apache_beam as beam

from pipelines import transforms as t


@dataclass(frozen=True, slots=True)
class Results:
    """What comes out of the flow: one `Outcome` of validation and one `Counted` of the meters (none if no event)."""

    outcome: beam.PCollection
    counted: beam.PCollection


def flow(packets: beam.PCollection, settings: t.Settings) -> Results:
    """The whole way: read, validate, shard, fold, add."""
    read = (
        packets
        | "Spread the packets" >> beam.Reshuffle()
        | "Read blocks" >> beam.ParDo(t.ReadBlocks(settings)).with_outputs(t.OUTCOME, main="blocks")  # source/reading.py
    )
    validated = read.blocks | "Validate blocks" >> beam.ParDo(t.ValidateBlocks(settings)).with_outputs(
        t.OUTCOME, main="events"
    )  # decode.py, validate.py
    counted = (
        validated.events
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
