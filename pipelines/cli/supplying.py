"""`rollout generate` and `rollout check`: make event files, and check a supplier's own files before it sends them."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.errors import explained, fail
from pipelines.cli.inputs import event_files
from pipelines.cli.times import day_of

UNTIL = "2026-06-30"
Meters = Annotated[
    int, typer.Option(min=1, help="Meters in Great Britain at the end of 2024; 57,900 is one in a thousand.")
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed makes the same files.")]
Until = Annotated[str, typer.Option(metavar="DATE", help="The last day of the synthetic Britain.")]
Dirt = Annotated[float, typer.Option(min=0, max=1, help="How much of what real data has: 0 none, 1 a lot.")]


@explained
def generate(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write <source_id>/<name>.avro files under.")
    ] = None,
    live: Annotated[
        float | None,
        typer.Option(min=0, metavar="RATE", help="Instead, play into the log, RATE events a second; 0: no limit."),
    ] = None,
    kafka: Annotated[str | None, typer.Option(metavar="BOOTSTRAP", help="The log to play into.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, metavar="SECONDS", help="Stop playing after SECONDS.")
    ] = None,
    events: Annotated[int | None, typer.Option(min=0, help="Stop playing after this number of events.")] = None,
    meters: Meters = 60_000,
    seed: Seed = 1,
    until: Until = UNTIL,
    dirt: Dirt = 0.0,
) -> None:
    """Write a synthetic Britain as Avro files, as suppliers and the DCC would send them, or play it into the log.

    With --live it is played event by event in the order of reporting, until it is over or stopped with Ctrl+C, and
    nothing is kept on disk.
    """
    if (out is None) == (live is None):
        fail("Say where the synthetic Britain is to go: into files with --out DIR, or into the log with --live RATE.")
    if out is not None:
        if kafka is not None or seconds is not None or events is not None:
            fail("--kafka, --for and --events go with --live RATE, not with --out DIR.")
        make(out, (meters, seed, dirt), until)
    elif live is not None:
        if kafka is None:
            fail("--live wants the log to play into: --kafka BOOTSTRAP, such as 127.0.0.1:9092.")
        from pipelines.cli.playing import Pace, play_britain

        play_britain(kafka, (meters, seed, dirt), _day(until), Pace(live, seconds, events))


def make(out: Path, size: tuple[int, int, float], until: str) -> None:
    """Generates a Britain of (meters, seed, dirt) into a folder; prints progress and how close it is to calibration."""
    from pipelines.synthetic import Plan, generate, report_lines
    from schemas.tables import SYNTHETIC_NOTICE

    last = _day(until)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        fail(f"{out} is not an empty folder; generate into a new one, so that two Britains do not mix.")
    meters, seed, dirt = size
    report = generate(out, Plan(meters, seed, last, dirt), _say)
    for line in report_lines(report):
        typer.echo(line)
    typer.echo(f"{SYNTHETIC_NOTICE}.")


def _day(until: str) -> date:
    try:
        return day_of(until)
    except ValueError:
        fail(f"--until wants a date such as {UNTIL}, not {until!r}.")


def _say(what: str, share: float) -> None:
    typer.echo(f"{share:4.0%} {what}", err=True)


@explained
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Avro files, as they would be sent.")],
    source: Annotated[
        str | None, typer.Option(help="Whose submission it is; by default the folder's name or the files' own source.")
    ] = None,
) -> None:
    """Judge files before they are sent: a scorecard, the reasons, exit status 1 if anything would be rejected."""
    from pipelines.cli.scorecard import show
    from pipelines.submitting.dry_run import dry_run

    result = dry_run(event_files(files), source)
    show(result)
    raise typer.Exit(1 if result.rejected else 0)
