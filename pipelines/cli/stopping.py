"""Ctrl+C, or a supervisor that ends the program: what was begun is cleared away; the status is 128 and the signal."""

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
    """The signal that came first; 0 before any has."""

    number: int = 0


_FIRST: Final = _Received()


def heed_signals() -> None:
    """Turns the first signal from now on into a KeyboardInterrupt; later ones are ignored while it is handled.

    A signal that whoever started the program has turned off stays off.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def heed_still() -> None:
    """Takes signals back after Polars, which takes Ctrl+C for its own threads when it is loaded."""
    for number in SIGNALS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, _stop)


def heed_no_more() -> None:
    """Lets a signal end the program at once from now on, as all work is done."""
    for number in SIGNALS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _frame: FrameType | None) -> None:
    if not _FIRST.number:
        _FIRST.number = number
        raise KeyboardInterrupt


def end_if_stopped() -> None:
    """Ends the program if a signal came, whatever a library has made of it since."""
    if _FIRST.number:
        _end(SIGNALLED + _FIRST.number)


def _end(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # Threads of a library that is in the middle of its work would hold up an ordinary end.
    os._exit(status)
