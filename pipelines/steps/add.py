"""The steps that add: counts of shards, and outcomes of blocks, to one of each."""

from collections.abc import Iterable

import apache_beam as beam

from pipelines.events.outcome import Outcome
from pipelines.fold import Counted, added


class AddCounts(beam.CombineFn):
    """Counts added up."""

    def create_accumulator(self) -> list[Counted]:
        """An empty list."""
        return []

    def add_input(self, mutable_accumulator: list[Counted], element: Counted) -> list[Counted]:
        """Held until there are enough to be worth adding."""
        held = [*mutable_accumulator, element]
        return held if len(held) < 16 else [added(held)]

    def merge_accumulators(self, accumulators: Iterable[list[Counted]]) -> list[Counted]:
        """The sum of all."""
        return [added([count for held in accumulators for count in held])]

    def extract_output(self, accumulator: list[Counted]) -> Counted:
        """The sum."""
        return added(accumulator)


class AddOutcomes(beam.CombineFn):
    """Outcomes of blocks put together."""

    def create_accumulator(self) -> list[Outcome]:
        """An empty list."""
        return []

    def add_input(self, mutable_accumulator: list[Outcome], element: Outcome) -> list[Outcome]:
        """Held as they come."""
        return [*mutable_accumulator, element]

    def merge_accumulators(self, accumulators: Iterable[list[Outcome]]) -> list[Outcome]:
        """All together."""
        return [outcome for held in accumulators for outcome in held]

    def extract_output(self, accumulator: list[Outcome]) -> Outcome:
        """One outcome."""
        return Outcome.of(accumulator)
