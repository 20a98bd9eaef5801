"""The way of the stream, from the log to the ledger; the bounded way is `pipelines/flow.py`. Each line is one step."""

from typing import Any

import apache_beam as beam
from apache_beam import PCollection

from pipelines.stream import transforms as t
from pipelines.stream.settings import StreamSettings


def flow(records: PCollection[Any], settings: StreamSettings) -> PCollection[Any]:
    """The whole way: form blocks and validate, fold by shard, keep the totals, write."""
    taken: Any = records | "Take messages" >> beam.ParDo(
        t.TakeMessages(settings)
    ).with_outputs(  # messages.py, validate.py
        t.TO_TOTALS, main="main"
    )
    folded = (
        taken.main
        | "Name the shard" >> beam.Map(lambda pair: pair).with_output_types(tuple[int, tuple[float, bytes]])
        | "Fold by shard" >> beam.ParDo(t.FoldShards(settings)).with_output_types(tuple[int, bytes])  # history.py
    )
    return (
        (folded, taken[t.TO_TOTALS])
        | "Join the shares" >> beam.Flatten()
        | "Name the totals" >> beam.Map(lambda pair: pair).with_output_types(tuple[int, bytes])
        | "Keep the totals" >> beam.ParDo(t.KeepTotals(settings))  # totals.py, sink.py
    )
