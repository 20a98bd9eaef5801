"""`python -m benchmarks`: whole bounded runs of several sizes, compared with two other programs for the same job."""

from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks.contest import Arena, assert_equal
from benchmarks.inputs import britain
from benchmarks.measured import ROOT
from benchmarks.report import Results, show, write
from pipelines.settings import Environment

DOCUMENT: Final = ROOT / "docs" / "performance.md"
# As many events as the naive pipeline handles in about a minute.
SLICE: Final = 100_000
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Sizes = Annotated[str, typer.Option(help="Sizes in millions of events, smallest first.")]
Folder = Annotated[Path | None, typer.Option(help="Where inputs are kept; by default `bench` under ROLLOUT_HOME.")]
SkipNaive = Annotated[bool, typer.Option("--skip-naive", help="Leave out the naive pipeline.")]
Write = Annotated[bool, typer.Option("--write", help="Also put the tables into docs/performance.md.")]


@app.command()
def bench(sizes: Sizes = "1,3,10", folder: Folder = None, skip_naive: SkipNaive = False, into: Write = False) -> None:
    """Measure whole bounded replays, and two other programs side by side, and print the tables."""
    home = (folder or Environment().home / "bench").absolute()
    home.mkdir(parents=True, exist_ok=True)
    arena, results = Arena(home), Results()
    for events in sorted(round(float(size) * 1e6) for size in sizes.split(",")):
        measure(arena, events, results)
    if not skip_naive:
        measure_naive(arena, results)
    show(results)
    if into:
        write(results, DOCUMENT)


def measure(arena: Arena, events: int, results: Results) -> None:
    """Runs the pipeline and the one-thread program over one size; at the first, also compares cells and runs stages."""
    _say(f"{events:,} events: input")
    given = britain(arena.home, events)
    _say(f"{events:,} events: pipeline")
    ours = arena.pipeline(given)
    _say(f"{events:,} events: one-thread program")
    other = arena.module("one_thread", given)
    # At larger sizes some copies differ only in their text, which the one-thread program does not compare.
    if not results.stages:
        results.compared.append((f"one-thread ({given.events / 1e6:.2g} M events)", assert_equal(ours, other)))
        _say(f"{events:,} events: stages")
        results.stages, results.staged_events = arena.stages(given), given.events
    results.ours.append(ours)
    results.one_thread.append(other)


def measure_naive(arena: Arena, results: Results) -> None:
    """Runs the naive pipeline, with state and with groups, over a slice; raises DifferError if any cell differs."""
    given = britain(arena.home, SLICE)
    ours = arena.pipeline(given)
    for more in ((), ("grouped",)):
        _say(f"{given.events:,} events: naive pipeline {' '.join(more)}")
        run = arena.module("naive", given, *more)
        results.compared.append((f"{run.program} ({given.events / 1e6:.2g} M events)", assert_equal(ours, run)))
        results.naive.append(run)


def _say(what: str) -> None:
    typer.echo(what, err=True)


if __name__ == "__main__":
    app()
