"""The step that reads packets, of files or of the log, into blocks. Its pure half is `pipelines/source`."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipelines.events.outcome import of_losses
from pipelines.source.files import Packet
from pipelines.source.kafka import LogPacket, read_log
from pipelines.source.reading import read
from pipelines.steps.outcomes import OUTCOME
from pipelines.steps.settings import Settings


def reader(settings: Settings) -> beam.DoFn:
    """Returns the step that reads packets: of files, or of the log if the settings name one."""
    return ReadBlocks(settings) if settings.log is None else ReadLog(settings)


class ReadBlocks(beam.DoFn):
    """Reads packets of files into blocks; what cannot be read goes to the outcome."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read = Metrics.counter("blocks", "events read")

    def process(self, element: Packet) -> Iterator[Any]:
        """Yields the block of one packet, and the outcome of its losses if it has any."""
        reading = read(element, self._settings.as_at)
        self._read.inc(reading.block.frame.height)
        if reading.losses:
            yield TaggedOutput(OUTCOME, of_losses(reading.losses))
        yield reading.block


class ReadLog(beam.DoFn):
    """Reads packets of the Kafka log into blocks; what cannot be used goes to the outcome."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read = Metrics.counter("blocks", "events read")

    def process(self, element: LogPacket) -> Iterator[Any]:
        """Yields the blocks of one packet, one for each schema version, and the outcome of its losses if it has any.

        Raises ValueError if the run does not read the log.
        """
        settings = self._settings
        if settings.log is None:
            raise ValueError("a packet of the log in a run that does not read the log")
        formed = read_log(settings.log, element, settings.as_at)
        if formed.losses or formed.unmarked:
            yield TaggedOutput(OUTCOME, of_losses(formed.losses, formed.unmarked))
        for block in formed.blocks:
            self._read.inc(block.frame.height)
            yield block
