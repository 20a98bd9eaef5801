"""Turns errors that a person can put right into one sentence and exit status 2."""

import errno
import sys
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")
UNUSABLE = 2


def fail(sentence: str, status: int = UNUSABLE) -> NoReturn:
    """Ends the program with a sentence on standard error."""
    typer.echo(sentence, err=True)
    raise typer.Exit(status)


def explained(verb: Callable[P, R]) -> Callable[P, R]:
    """The verb with every foreseen error told as one sentence and exit status 2."""

    @wraps(verb)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return verb(*args, **kwargs)
        except Exception as error:
            sentence = _sentence(error)
            if sentence is None:
                raise
            fail(sentence)

    return told


def _sentence(error: Exception) -> str | None:
    """What to tell of an error, or None where it is a fault of ours and wants its traceback."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The disk is full; nothing was kept."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror}."
    if "No space left on device" in str(error) or "Disk quota exceeded" in str(error):
        return "The disk is full; nothing was kept. Free some space, or set ROLLOUT_HOME to a folder on another disk."
    return str(error) if isinstance(error, _foreseen()) else None


def _foreseen() -> tuple[type[Exception], ...]:
    """The errors that say in one sentence what a person can do. Only modules in use can have raised one."""
    names = {
        "pipelines.source.files": ["InputError"],
        "pipelines.store.errors": ["StoreError", "OutputError"],
        "pipelines.pseudonym": ["KeyMissing"],
        "pipelines.release.draft": ["DraftError"],
        "pipelines.log.connection": ["LogError"],
        "pipelines.snapshot": ["SnapshotError"],
        "pipelines.stream.starting": ["StreamError"],
        "infra.processes": ["ClusterError"],
        "infra.flink.jobs": ["FlinkAway"],
        "pipelines.cli.times": ["NoTime"],
        "pipelines.synthetic": ["PlanError"],
        "dashboards.errors": ["DashboardError"],
    }
    return tuple(
        found
        for module, errors in names.items()
        if module in sys.modules
        for error in errors
        if (found := getattr(sys.modules[module], error, None)) is not None
    )
