"""The second output of a step: outcomes, under a tag of their own."""

from typing import Any, Final

import apache_beam as beam

OUTCOME: Final = "outcome"


def with_outcome(do_fn: beam.DoFn) -> beam.PTransform[Any, Any]:
    """Returns a transform with two outputs: `main` for the DoFn's elements, OUTCOME for the outcomes it tags."""
    return beam.ParDo(do_fn).with_outputs(OUTCOME, main="main")
