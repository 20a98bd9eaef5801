"""How long events wait in state to be counted together, and totals to be written together.

A few live events are counted and written at once. Many wait for up to a second, and a timer counts them together:
counting a meter costs about the same for one new event as for ten. While catching up, messages wait longer the older
they are: up to four minutes, or until none has come for some seconds, or until very many have. Every count goes through
the whole histories of the meters that it touches, so a few large counts cost far less than many small ones.
"""

import time
from dataclasses import dataclass
from typing import Final

from apache_beam.utils.timestamp import Timestamp

# Older messages mean that the stream is catching up.
LIVE_SECONDS: Final = 5.0
# If a bundle of a fifth of a second has more events, they wait to be counted with the next ones.
FEW_EVENTS: Final = 100
# How long those wait; their totals are then written without another wait.
BRISK_SECONDS: Final = 1.0
# Old events wait for about this share of their age, rounded to the nearest of WAITS.
WAIT_OF_AGE: Final = 0.4
WAITS: Final = (BRISK_SECONDS, 3.0, 10.0, 30.0, 120.0, 240.0)
LONGEST: Final = WAITS[-1]
# How often to look whether more events have come; after STILL_LOOKS looks without any, the wait ends.
LOOK_SECONDS: Final = 2.0
STILL_LOOKS: Final = 2
# The most that waits for a key, some 1.5 million events, because all of it is read from the state at once.
MOST_BYTES_WAITING: Final = 40_000_000
# If events have waited to be counted, their totals wait at most this long to be written together.
WRITE_SECONDS: Final = 5.0


def wait_of(age: float, events: int) -> float:
    """Returns how many seconds a bundle's events, the newest `age` seconds old, wait to be counted with others."""
    if age < LIVE_SECONDS:
        return BRISK_SECONDS if events > FEW_EVENTS else 0.0
    return min(WAITS, key=lambda wait: abs(wait - age * WAIT_OF_AGE))


def next_multiple(seconds: float) -> Timestamp:
    """Returns the next moment that is a multiple of a number of seconds since the epoch.

    So all keys are due at the same moment, and what many shards change in one cell is written once. A timer that is
    already set should be left alone: if it is set again and again, it may never fire.
    """
    return Timestamp((time.time() // seconds + 1) * seconds)


@dataclass(slots=True)
class Waiting:
    """For how many seconds at most data of a key waits (0: none does), and until when.

    `still` is the number of looks in a row at which nothing more had come, `size` the bytes that have come.
    """

    seconds: float = 0.0
    until: float = 0.0
    still: int = 0
    size: int = 0

    @classmethod
    def of(cls, seconds: float) -> "Waiting":
        """Returns a wait of some seconds that begins now."""
        return cls(seconds, float(next_multiple(seconds)))

    def __bool__(self) -> bool:
        return self.seconds > 0

    def more_has_come(self, size: int) -> None:
        """Notes that this number of bytes more waits."""
        self.still = 0
        self.size += size

    def next_look(self) -> Timestamp:
        """Returns when the timer is to fire."""
        return next_multiple(min(self.seconds, LOOK_SECONDS))

    def is_over(self) -> bool:
        """Whether the wait is over; call it once at each look.

        It counts looks, not the time since something came: while a worker is busy with a long count, it neither looks
        nor receives anything.
        """
        self.still += 1
        if self.still > STILL_LOOKS or self.size > MOST_BYTES_WAITING:
            return True
        # Clocks differ a little, so a wait of a single look does not compare the time.
        return self.seconds <= LOOK_SECONDS or time.time() >= self.until
