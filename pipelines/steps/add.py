"""The steps that add up the counts of shards and the outcomes of blocks."""

from collections.abc import Iterable

import apache_beam as beam

from pipelines.events.outcome import Outcome
from pipelines.fold import Counted, added


class AddCounts(beam.CombineFn):
    """Adds up the counts of shards."""

    def create_accumulator(self) -> list[Counted]:
        """Returns an empty list."""
        return []

    def add_input(self, mutable_accumulator: list[Counted], element: Counted) -> list[Counted]:
        """Returns the list with one more count, replaced by its sum when it has 16."""
        held = [*mutable_accumulator, element]
        return held if len(held) < 16 else [added(held)]

    def merge_accumulators(self, accumulators: Iterable[list[Counted]]) -> list[Counted]:
        """Returns the sum of all counts."""
        return [added([count for held in accumulators for count in held])]

    def extract_output(self, accumulator: list[Counted]) -> Counted:
        """Returns the sum of the listed counts."""
        return added(accumulator)


class AddOutcomes(beam.CombineFn):
    """Adds up the outcomes of blocks."""

    def create_accumulator(self) -> list[Outcome]:
        """Returns an empty list."""
        return []

    def add_input(self, mutable_accumulator: list[Outcome], element: Outcome) -> list[Outcome]:
        """Returns the list with one more outcome."""
        return [*mutable_accumulator, element]

    def merge_accumulators(self, accumulators: Iterable[list[Outcome]]) -> list[Outcome]:
        """Returns all outcomes in one list."""
        return [outcome for held in accumulators for outcome in held]

    def extract_output(self, accumulator: list[Outcome]) -> Outcome:
        """Returns all listed outcomes as one."""
        return Outcome.of(accumulator)
