"""Keeps the program working when nobody reads its output any more: only the output is lost."""

import errno
import io
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STANDARD: Final = (0, 1, 2)


@dataclass(slots=True)
class _Lost:
    """Collects the errors of writing, each once."""

    errors: list[OSError] = field(default_factory=list)


_LOST: Final = _Lost()


class _Heard(io.FileIO):
    """A file descriptor that drops everything written to it after its first error."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes data, or drops it."""
        try:
            return super().write(data) or 0
        except BlockingIOError:
            raise
        except OSError as error:
            _LOST.errors.append(error)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes


def outlast_readers() -> None:
    """Makes standard output and error drop what cannot be written, as when a reader leaves or the disk is full."""
    for number in STANDARD:
        _open(number)
    if sys.stdout is None or sys.stderr is None:
        return
    sys.stdout.flush()
    sys.stdout = _outlasting(sys.stdout, 1)
    sys.stderr = _outlasting(sys.stderr, 2)


def _open(number: int) -> None:
    """Opens the descriptor on the null device if it is closed, so that no file opened later takes its number."""
    try:
        os.fstat(number)
    except OSError:
        # The system assigns the lowest free number, which is this one.
        os.open(os.devnull, os.O_RDWR)


def _outlasting(stream: TextIO, number: int) -> io.TextIOWrapper:
    buffered = io.BufferedWriter(_Heard(number, "w", closefd=False))
    lines = number == 2 or os.isatty(number)
    return io.TextIOWrapper(buffered, stream.encoding, stream.errors, line_buffering=lines)


def heard() -> bool:
    """Whether all output so far could be written."""
    return not _LOST.errors


def unheard() -> str | None:
    """Returns a sentence about output that could not be written; None if all was, or its reader had left."""
    told = [error for error in _LOST.errors if error.errno != errno.EPIPE]
    return f"Not all could be printed: {told[0].strerror}." if told else None
