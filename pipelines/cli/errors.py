"""Turns errors that a person can fix into one sentence and exit status 2."""

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import typer

from pipelines.cli.stopping import end_if_stopped
from pipelines.source.names import escaped

P = ParamSpec("P")
R = TypeVar("R")
UNUSABLE = 2
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def fail(sentence: str, status: int = UNUSABLE) -> NoReturn:
    """Prints a sentence on standard error and ends the program with an exit status."""
    typer.echo(sentence, err=True)
    raise typer.Exit(status)


def explained(verb: Callable[P, R]) -> Callable[P, R]:
    """Wraps a verb so that every expected error becomes one sentence and exit status 2."""

    @wraps(verb)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return verb(*args, **kwargs)
        except Exception as error:
            # A library may have turned the signal into an error of its own.
            end_if_stopped()
            sentence = _sentence(error)
            if sentence is None:
                raise
            fail(sentence)

    return told


def _sentence(error: Exception) -> str | None:
    """Returns the sentence for an error, or None if it is a bug, whose traceback is to be shown."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return "The disk is full; nothing was kept."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{escaped(os.fsdecode(error.filename))} cannot be used: {error.strerror}."
    if any(os.strerror(number) in str(error) for number in NO_ROOM):
        return "The disk is full; nothing was kept. Free some space, or set ROLLOUT_HOME to a folder on another disk."
    if "Worker subprocess exited" in str(error):
        return "A worker process was ended from outside, as when memory runs out; nothing was kept."
    return str(error) if isinstance(error, _foreseen()) else None


def _foreseen() -> tuple[type[Exception], ...]:
    """Returns the errors whose message is one sentence for a person; only loaded modules can have raised one."""
    names = {
        "pipelines.local.running": ["OptionsError"],
        "pipelines.source.finding": ["InputError"],
        "pipelines.store.errors": ["StoreError", "OutputError"],
        "pipelines.keys": ["KeyMissing"],
        "pipelines.quarterly.cellkeys": ["CountTooLarge"],
        "pipelines.release.draft": ["DraftError"],
        "pipelines.release.create": ["ReleaseRefused"],
        "pipelines.release.explain": ["NotOneFigure"],
        "schemas.policies": ["PolicyMissing"],
        "pipelines.release.quality": ["ReleaseStopped"],
        "pipelines.release.certificate": ["CertificateFailed"],
        "pipelines.release.bundle": ["BundleError"],
        "pipelines.log.connection": ["LogError"],
        "pipelines.shards.snapshot": ["SnapshotError"],
        "pipelines.stream.starting": ["StreamError"],
        "pipelines.stream.settings": ["SecretsUnreadable"],
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
