"""Lists the verbs of `rollout` and runs one; an error ends it with one clear sentence and exit status 2."""

import io
import sys
from collections.abc import Sequence

import typer

from pipelines.cli import (
    clusters,
    counting,
    explaining,
    outputs,
    releasing,
    showing,
    storing,
    streaming,
    submitting,
    supplying,
)
from pipelines.cli.speaking import outlast_readers, unheard
from pipelines.cli.stopping import end_if_stopped, heed_no_more, heed_signals

app = typer.Typer(
    name="rollout",
    help="Exact quarterly statistics of Britain's smart-meter rollout, from the events themselves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(showing.demo)
app.command()(supplying.generate)
app.command(no_args_is_help=True)(counting.run)
app.command(no_args_is_help=True)(outputs.cells)
app.command(no_args_is_help=True)(outputs.quarantine)
app.command(no_args_is_help=True)(outputs.intake)
app.command(no_args_is_help=True)(supplying.check)
app.command(no_args_is_help=True)(submitting.submit)
app.command(no_args_is_help=True)(counting.verify)
app.command(no_args_is_help=True)(explaining.explain)
app.command(no_args_is_help=True)(showing.dashboard)
app.add_typer(clusters.kafka, name="kafka")
app.add_typer(clusters.flink, name="flink")
app.add_typer(streaming.stream, name="stream")
app.add_typer(releasing.release, name="release")
app.add_typer(storing.app, name="store")


REPEATED = ("--input", "--topics")


def spread_inputs(arguments: Sequence[str]) -> list[str]:
    """Rewrites `--input A B` as `--input A --input B`, as the option parser expects it; likewise `--topics`."""
    out: list[str] = []
    taking, ended = "", False
    for argument in arguments:
        ended = ended or argument == "--"
        if ended or argument.startswith("-"):
            taking = argument if argument in REPEATED and not ended else ""
        elif taking and out[-1] != taking:
            out.append(taking)
        out.append(argument)
    return out


def main() -> None:
    """Runs the verb that the process's arguments name."""
    # Escapes a path that the terminal's encoding cannot represent, as on standard error.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    heed_signals()
    outlast_readers()
    try:
        app(spread_inputs(sys.argv[1:]))
    finally:
        end_if_stopped()
        heed_no_more()
        _tell_what_was_not_printed()


def _tell_what_was_not_printed() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()
    if (sentence := unheard()) is not None:
        typer.echo(sentence, err=True)
