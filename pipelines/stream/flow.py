"""The steps of the stream, from the log to the ledger, one a line; `pipelines/flow.py` has those of a bounded run."""

from typing import Any

import apache_beam as beam
from apache_beam import PCollection

from pipelines.stream.fold_arrivals import FoldArrivals
from pipelines.stream.keep_totals import KeepTotals
from pipelines.stream.settings import StreamSettings
from pipelines.stream.take_messages import TO_TOTALS, TakeMessages


def flow(records: PCollection[Any], settings: StreamSettings) -> PCollection[Any]:
    """Connects the steps: form blocks and validate, fold by shard, keep the totals, write."""
    # source/messages.py, validation/validate.py
    taken: Any = records | "Take messages" >> beam.ParDo(TakeMessages(settings)).with_outputs(TO_TOTALS, main="main")
    folded = (
        taken.main
        | "Name the shard" >> beam.Map(lambda pair: pair).with_output_types(tuple[int, tuple[float, bytes]])
        | "Fold by shard" >> beam.ParDo(FoldArrivals(settings)).with_output_types(tuple[int, bytes])  # fold.py
    )
    return (
        (folded, taken[TO_TOTALS])
        | "Join the shares" >> beam.Flatten()
        | "Name the totals" >> beam.Map(lambda pair: pair).with_output_types(tuple[int, bytes])
        | "Keep the totals" >> beam.ParDo(KeepTotals(settings))  # totals.py, sink.py
    )
