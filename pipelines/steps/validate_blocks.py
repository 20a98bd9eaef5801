"""The step that validates blocks and yields event frames of accepted rows. Its pure half is `pipelines/validation`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from expectations.run import Checker
from pipelines.events.block import Block
from pipelines.keys import Key, KeyChangedError, load_key
from pipelines.settings import Environment
from pipelines.steps.outcomes import OUTCOME
from pipelines.steps.progress import note
from pipelines.steps.settings import Settings
from pipelines.validation import validate


class ValidateBlocks(beam.DoFn):
    """Validates blocks and yields event frames of accepted rows; intake, quarantine and warnings go to the outcome."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rejected = Metrics.counter("blocks", "events rejected")
        self._key: Key
        self._checker: Checker

    def setup(self) -> None:
        """Loads the key and makes the checker, which imports Great Expectations once for each worker.

        Raises KeyChangedError if the key is not the one that the run began with.
        """
        self._key = _key_of(self._settings)
        self._checker = Checker()

    def process(self, element: Block) -> Iterator[Any]:
        """Yields the outcome of one block and the event frame of its accepted rows."""
        verdict = validate.judge([element], self._key, self._checker.check_records)
        self._rejected.inc(verdict.quarantine.height)
        note(self._settings.work, validated=element.frame.height)
        yield TaggedOutput(OUTCOME, verdict.outcome)
        yield verdict.accepted


def _key_of(settings: Settings) -> Key:
    key, _ = load_key(Environment(home=Path(settings.home)))
    if key.key_id != settings.key_id:
        raise KeyChangedError(f"The run began with pseudonym key {settings.key_id}, but a worker finds {key.key_id}.")
    return key
