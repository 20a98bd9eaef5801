"""Ends the program on Ctrl+C or a supervisor's signal: clears up; the exit status is 128 plus the signal."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final, NoReturn

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGNALLED: Final = 128


@dataclass(slots=True)
class _Received:
    """The first signal received; 0 before any."""

    number: int = 0


_FIRST: Final = _Received()


def heed_signals() -> None:
    """Makes the first signal from now on raise KeyboardInterrupt; later signals do nothing.

    A signal that was ignored when the program started stays ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def heed_still() -> None:
    """Sets the handlers of heeded signals again: Polars, when loaded, takes Ctrl+C for its own threads."""
    for number in SIGNALS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, _stop)


def heed_no_more() -> None:
    """Makes a signal end the program at once from now on, since all work is done."""
    for number in SIGNALS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _frame: FrameType | None) -> None:
    if not _FIRST.number:
        _FIRST.number = number
        raise KeyboardInterrupt


def end_if_stopped() -> None:
    """Ends the program if a signal came, even if a library has caught or changed its exception since."""
    if _FIRST.number:
        _end(SIGNALLED + _FIRST.number)


def _end(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # A library's threads that are still at work would delay an ordinary exit.
    os._exit(status)
