"""A message of the log, as every step after its reader knows it."""

from typing import Final, NamedTuple

# A header by which a sender says that a message holds synthetic data.
SYNTHETIC_HEADER: Final = "synthetic"


class Message(NamedTuple):
    """One message of the log. `received_at` is the broker's time in milliseconds; `synthetic` what its header says."""

    topic: str
    partition: int
    offset: int
    received_at: int
    value: bytes | None
    synthetic: bool = False
