"""How long events wait in state to be counted together, and totals to be written together.

A few live events are counted and written at once. Where they come in number, they wait for up to a second, and a timer
counts them in one go: counting a meter costs about the same for one new event as for ten. In catching up, the older
messages are, the longer they wait, up to four minutes, or until no more have come for some seconds, or very many have:
every count goes through the whole histories of the meters that it touches, so a few large counts cost far less than
many small ones.
"""

import time
from dataclasses import dataclass
from typing import Final

from apache_beam.utils.timestamp import Timestamp

# Messages older than this are being caught up with.
LIVE_SECONDS: Final = 5.0
# More events than these in a bundle of a fifth of a second are worth waiting for the next ones.
FEW_EVENTS: Final = 100
# How long those wait; what is counted then is written without another wait.
BRISK_SECONDS: Final = 1.0
# Old events wait for about this share of their age to be counted together, and for the longest of WAITS at most.
WAIT_OF_AGE: Final = 0.4
WAITS: Final = (BRISK_SECONDS, 3.0, 10.0, 30.0, 120.0, 240.0)
LONGEST: Final = WAITS[-1]
# While some wait, a look this often finds whether more still come; after STILL_LOOKS without any they wait no longer.
LOOK_SECONDS: Final = 2.0
STILL_LOOKS: Final = 2
# A key has no more than these wait, some 1.5 million events: they are read from the state in one go.
MOST_BYTES_WAITING: Final = 40_000_000
# The longest time that totals which have waited to be counted wait to be written together.
WRITE_SECONDS: Final = 5.0


def wait_of(age: float, events: int) -> float:
    """The seconds that the events of a bundle, the newest `age` seconds old, wait to be counted with others."""
    if age < LIVE_SECONDS:
        return BRISK_SECONDS if events > FEW_EVENTS else 0.0
    return min(WAITS, key=lambda wait: abs(wait - age * WAIT_OF_AGE))


def next_multiple(seconds: float) -> Timestamp:
    """The next full multiple of a number of seconds.

    So all keys are due at one moment: what many shards change in the same cell is then written once. A timer that is
    set should be left alone: one set again and again may never fire.
    """
    return Timestamp((time.time() // seconds + 1) * seconds)


@dataclass(slots=True)
class Waiting:
    """For how many seconds at most something of a key waits (0: nothing does), until when, and how it was looked at.

    `still` are the looks in a row at which nothing more had come, `size` the bytes that have.
    """

    seconds: float = 0.0
    until: float = 0.0
    still: int = 0
    size: int = 0

    @classmethod
    def of(cls, seconds: float) -> "Waiting":
        """Begins now."""
        return cls(seconds, float(next_multiple(seconds)))

    def __bool__(self) -> bool:
        return self.seconds > 0

    def more_has_come(self, size: int) -> None:
        """So many bytes more wait."""
        self.still = 0
        self.size += size

    def next_look(self) -> Timestamp:
        """When the timer is to fire."""
        return next_multiple(min(self.seconds, LOOK_SECONDS))

    def is_over(self) -> bool:
        """Whether what waits has waited for long enough, asked once at each look.

        Looks are counted, and not the time since something came: a worker that is busy with a long count looks at
        nothing, and nothing comes to it.
        """
        self.still += 1
        if self.still > STILL_LOOKS or self.size > MOST_BYTES_WAITING:
            return True
        # Clocks differ a little, so who waits for one look only does not ask for the time.
        return self.seconds <= LOOK_SECONDS or time.time() >= self.until
