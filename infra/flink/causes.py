"""Shortens the text of a failure, as Flink keeps it, to the one sentence that a person needs."""

import re
from typing import Final

TRACEBACK: Final = "Traceback (most recent call last):"
MOST_LETTERS: Final = 400
# Beam adds the step to what a worker raised; Java adds its own stack frames.
_STEP: Final = re.compile(r" \[while running '[^']*'\]")
_JAVA_FRAME: Final = re.compile(r"\s+(at \S+\(|\.\.\. \d+ )")
_CAUSE: Final = "Caused by: "
_PACKAGES: Final = re.compile(r"^(?:[\w$]+\.)+(?=[\w$]+(?::|$))")


def reason(text: str) -> str:
    """Returns the exception and its message: the one that a Python worker raised, or else Java's deepest cause."""
    _, is_python, raised = text.rpartition(TRACEBACK)
    lines = _of_python(raised) if is_python else _of_java(text)
    said = " ".join(line.strip() for line in lines if line.strip())
    return _PACKAGES.sub("", _STEP.sub("", said))[:MOST_LETTERS]


def _of_python(raised: str) -> list[str]:
    """Returns the lines after a traceback's frames, which are indented."""
    lines = raised.splitlines()[1:]
    begin = next((number for number, line in enumerate(lines) if line[:1].strip()), len(lines))
    return _message(lines[begin:])


def _of_java(text: str) -> list[str]:
    lines = text.splitlines()
    begin = max((number for number, line in enumerate(lines) if line.startswith(_CAUSE)), default=0)
    return [line.removeprefix(_CAUSE) for line in _message(lines[begin:])]


def _message(lines: list[str]) -> list[str]:
    """Returns the first line and those after it that continue its message."""
    ends = (
        number for number, line in enumerate(lines) if number and (_JAVA_FRAME.match(line) or line.startswith(_CAUSE))
    )
    return lines[: next(ends, len(lines))]
