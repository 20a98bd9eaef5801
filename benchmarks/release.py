"""`python -m benchmarks.release`: the time that a release takes, phase by phase, and the error of its tables.

A synthetic Britain is counted into a store once; then a release of its last quarter is made with all checks, the
certificate and all files. Errors are those of the published counts against the same tables from exact cells.
"""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import polars as pl
import typer

from benchmarks.inputs import britain
from pipelines.cli.counting import Options, begin, keep
from pipelines.cli.releasing import tools
from pipelines.release.atoms import FIRST_QUARTER, IDENTITY, Scope, exact_atoms
from pipelines.release.catalogue import TABLES
from pipelines.release.create import Created, Request, create, write_folder
from pipelines.release.figures import TIDY, tidy_of
from pipelines.release.suppliers import Membership
from pipelines.settings import Environment
from pipelines.store import Store, open_store
from schemas.quarters import quarter_number

QUARTER: Final = "2026Q2"
# Cells below this are too small for an error in per cent to say anything.
LEAST: Final = 1_000
Events = Annotated[int, typer.Option(help="Events of the synthetic Britain; 3 million give some 450,000 cells.")]
Folder = Annotated[Path | None, typer.Option(help="Where inputs are kept; by default `bench` under ROLLOUT_HOME.")]


def main(events: Events = 3_000_000, folder: Folder = None) -> None:
    """Print the seconds of each phase of a release, and the errors of its tables."""
    home = folder or Environment().home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    store = _counted(home, events)
    cells = store.cells()
    typer.echo(f"{cells.height:,} cells")
    made, phases = _released(store)
    for name, seconds in phases:
        typer.echo(f"{seconds:8.1f} s  {name}")
    typer.echo(f"{sum(seconds for _, seconds in phases):8.1f} s  in all; {made.figures:,} figures")
    _show_errors(cells, store.vintage_figures(made.name))


def _counted(home: Path, events: int) -> Store:
    """A store with the run of a Britain; each measurement makes its own, so that it has no earlier release."""
    path = home / f"release-{time.time_ns()}.db"
    store = open_store(f"sqlite:///{path}", create=True)
    work = begin([britain(home, events).folder], Options())
    keep(work, work.count(), store)
    return store


def _released(store: Store) -> tuple[Created, list[tuple[str, float]]]:
    told: list[tuple[str, float]] = [("keys", time.perf_counter())]

    def say(what: str) -> None:
        told.append((what, time.perf_counter()))

    given = tools(say)
    request = Request(QUARTER, because="A benchmark.")
    with tempfile.TemporaryDirectory() as folder:
        made = create(store, request, given, datetime.now(UTC), lambda files: write_folder(files, Path(folder) / "out"))
    told.append(("", time.perf_counter()))
    ends = [at for _, at in told[1:]]
    return made, [(what, end - at) for (what, at), end in zip(told[:-1], ends, strict=True)]


def _show_errors(cells: pl.DataFrame, figures: pl.DataFrame) -> None:
    number = quarter_number(QUARTER)
    exact = exact_atoms(cells, Scope(number, Membership().until(number, FIRST_QUARTER)))
    summed = exact.group_by(*IDENTITY, "quarter").agg(pl.col("value").sum(), pl.col("estimated").any())
    true = tidy_of(summed, TABLES, number).select(*TIDY, true="value")
    joined = figures.join(true, on=TIDY, how="inner").with_columns(error=(pl.col("value") - pl.col("true")).abs())
    percent = pl.col("error") * 100 / pl.col("true")
    large = pl.col("true") > LEAST
    by_table = joined.group_by("table").agg(
        pl.len().alias("figures"),
        pl.col("error").max().alias("largest"),
        large.sum().alias("over 1,000"),
        percent.filter(large).quantile(0.95).round(3).alias("95 % within (%)"),
    )
    with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        typer.echo(str(by_table.sort(pl.col("table").str.pad_start(6))))


if __name__ == "__main__":
    typer.run(main)
