"""Reports now and then how far a worker has read, under a consumer group of its own, so that lag can be seen.

The group that the source reads under must not move: a job that fails before its first checkpoint starts there again,
and Beam's Kafka source would move it with every bundle.
"""

import logging
import threading
from typing import Final

from pipelines.log.connection import KafkaSettings, LogError
from pipelines.log.offsets import Offsets, set_group

EVERY_SECONDS: Final = 3.0
LOG: Final = logging.getLogger(__name__)


def progress_group(name: str) -> str:
    """Returns the group under which the workers of a stream report how far they have read."""
    return f"{name}-read"


class Positions:
    """The offset after the newest message read of each partition, reported by a thread that ends with the process."""

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        self._settings = settings
        self._group = group
        self._lock = threading.Lock()
        self._untold: Offsets = {}
        threading.Thread(target=self._tell, daemon=True, name=group).start()

    def note(self, topic: str, partition: int, offset: int) -> None:
        """Notes that a message at an offset has been read; messages of a partition come in order."""
        with self._lock:
            self._untold.setdefault(topic, {})[str(partition)] = offset + 1

    def _tell(self) -> None:
        pause = threading.Event()
        while not pause.wait(EVERY_SECONDS):
            with self._lock:
                told, self._untold = self._untold, {}
            if not told:
                continue
            try:
                set_group(self._settings, self._group, told)
            except LogError as error:
                LOG.warning("How far was read could not be told: %s", error)
                self._keep(told)

    def _keep(self, told: Offsets) -> None:
        """Keeps offsets that could not be committed for the next attempt, unless newer ones have been noted."""
        with self._lock:
            for topic, partitions in told.items():
                self._untold[topic] = partitions | self._untold.get(topic, {})
