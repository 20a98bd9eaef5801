"""Runs a Beam pipeline on this machine, unless its options name another runner; a failure becomes one sentence."""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import create_runner

from pipelines.local.loopback import servers_on_loopback
from pipelines.local.workers import CORES, end_workers, runner_for
from pipelines.quarterly.cellkeys import CountTooLarge

# Below this number a second worker, which imports Great Expectations for itself, costs more than it saves.
EVENTS_FOR_TWO_WORKERS: Final = 400_000
# What Beam appends to the message of an error.
WHERE: Final = re.compile(r" \[while running '[^']*'\]$")
# The name of Beam's threads that wait for a worker process to end.
WATCHER: Final = "run_worker"


class PipelineError(RuntimeError):
    """The Beam pipeline failed through a fault of the program or the machine; the message is the error's last line."""


class OptionsError(ValueError):
    """Beam has no runner with the name in its options; the message is one sentence."""


def options_for(records: int, given: Sequence[str]) -> list[str]:
    """Returns Beam options: DirectRunner, on all cores if the work is worth it, unless the given ones say otherwise."""
    options = list(given)
    if not any(option.split("=")[0] == "--runner" for option in options):
        options.append("--runner=DirectRunner")
    direct = not any(option.startswith("--direct_") for option in options)
    if "--runner=DirectRunner" in options and direct and records >= EVENTS_FOR_TWO_WORKERS:
        options += ["--direct_running_mode=multi_processing", f"--direct_num_workers={CORES}"]
    return options


def run(build: Callable[[beam.Pipeline], None], options: list[str], work: Path) -> None:
    """Builds a pipeline with `build` and runs it to its end; workers print into the folder `work`.

    Raises OptionsError, CountTooLarge and PipelineError.
    """
    parsed = PipelineOptions(options)
    _require_runner(str(parsed.view_as(StandardOptions).runner))
    runner = runner_for(parsed, work)

    def whole() -> None:
        with servers_on_loopback(), beam.Pipeline(runner=runner, options=parsed) as pipeline:
            build(pipeline)

    try:
        with _silent("apache_beam"):
            _apart(whole)
    except Exception as error:
        raise _fault(error) from error
    finally:
        end_workers()


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Silences a logger meanwhile: errors are raised, and Beam would print them twice more."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _require_runner(name: str) -> None:
    try:
        create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise OptionsError(f"Beam has no runner {name!r}; without --runner it runs on this machine.") from error


def _apart(work: Callable[[], None]) -> None:
    """Runs work in its own thread and raises what it raises, so that Ctrl+C ends the wait and not a step of Beam.

    Beam takes a KeyboardInterrupt for an error of the step in which it occurs, and waits for ever for a worker that was
    killed: the thread that watches the worker fails, and nothing checks that thread.
    """
    raised: list[BaseException] = []
    over = threading.Event()

    def do() -> None:
        work()
        over.set()

    thread = threading.Thread(target=do, name="pipeline", daemon=True)
    before = threading.excepthook

    def noticed(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is None or failed.thread is None or failed.thread.name not in (thread.name, WATCHER):
            before(failed)
            return
        raised.append(failed.exc_value)
        over.set()

    threading.excepthook = noticed
    thread.start()
    over.wait()
    if raised:
        # Later failures only follow from this one, so the hook stays and keeps them from being printed.
        raise raised[0]
    threading.excepthook = before


def _fault(error: Exception) -> Exception:
    """Returns the error to raise for what a step raised: CountTooLarge, or PipelineError for anything else.

    A worker's error arrives as the text of its traceback.
    """
    line, name = WHERE.sub("", _last_line(error)), f"{CountTooLarge.__module__}.{CountTooLarge.__name__}: "
    is_too_large = isinstance(error, CountTooLarge) or line.startswith(name)
    return CountTooLarge(line.removeprefix(name)) if is_too_large else PipelineError(_last_line(error))


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
