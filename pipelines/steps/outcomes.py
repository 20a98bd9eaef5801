"""Outcomes leave a step beside its elements, under a tag of their own."""

from typing import Any, Final

import apache_beam as beam

OUTCOME: Final = "outcome"


def with_outcome(do_fn: beam.DoFn) -> beam.PTransform[Any, Any]:
    """A DoFn whose output has `main`, its elements, and under OUTCOME the outcomes that it tags."""
    return beam.ParDo(do_fn).with_outputs(OUTCOME, main="main")
