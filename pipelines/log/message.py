"""A message of the log, in the form that its reader returns."""

from typing import Final, NamedTuple

# The header with which a sender marks a message as synthetic.
SYNTHETIC_HEADER: Final = "synthetic"


class Message(NamedTuple):
    """One message of the log; `received_at` is the broker's time in milliseconds, `synthetic` its sender's mark."""

    topic: str
    partition: int
    offset: int
    received_at: int
    value: bytes | None
    synthetic: bool = False
