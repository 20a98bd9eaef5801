"""Shows the results as tables: on the terminal, and in Markdown between two marks of a document."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.contest import PHASES, Run, phases

BEGIN: Final = "<!-- benchmarks begin -->"
END: Final = "<!-- benchmarks end -->"
_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Grid:
    """A titled table of texts."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def rich(self) -> Table:
        """Returns the table for a terminal."""
        table = Table(title=self.title, title_justify="left")
        for place, name in enumerate(self.header):
            table.add_column(name, justify="right" if place else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Returns the table in Markdown."""
        marks = [":--", *("--:" for _ in self.header[1:])]
        lines = [self.header, marks, *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(slots=True)
class Results:
    """All measured runs, stages and comparisons."""

    ours: list[Run] = field(default_factory=list)
    one_thread: list[Run] = field(default_factory=list)
    naive: list[Run] = field(default_factory=list)
    stages: dict[str, tuple[float, float]] = field(default_factory=dict)
    staged_events: int = 0
    compared: list[tuple[str, int]] = field(default_factory=list)

    def grids(self) -> list[Grid]:
        """Returns every table for which there are results."""
        found = [_runs([*self.ours, *self.one_thread, *self.naive]), self._ratios(), _phases(self.ours)]
        return [*found, _stages(self.stages, self.staged_events)] if self.stages else found

    def _ratios(self) -> Grid:
        rows = [
            (f"Core-seconds of ours ÷ of the one-thread program, {_millions(ours)}", "≤ 2.5", f"{ratio:.2f}")
            for ours, ratio in _core_ratios(self.ours, self.one_thread)
        ]
        largest = self.ours[-1]
        rows += [
            (
                f"Events a second of ours ({_millions(largest)}) ÷ of the {run.program} pipeline",
                "≥ 50" if run.program == "naive" else "",
                f"{largest.events_a_second / run.events_a_second:.0f}",
            )
            for run in self.naive
        ]
        rows += [
            (f"Cells that the {name} program has, all equal", "all", f"{cells:,}") for name, cells in self.compared
        ]
        return Grid("Ratios", ("What", "Target", "Measured"), rows)


def _core_ratios(ours: Sequence[Run], others: Sequence[Run]) -> list[tuple[Run, float]]:
    return [(run, run.cost.cores / other.cost.cores) for run, other in zip(ours, others, strict=True)]


def _millions(run: Run) -> str:
    return f"{run.britain.events / 1e6:.2g} M events"


def _runs(runs: Sequence[Run]) -> Grid:
    header = (
        "Program",
        "Events",
        "Files",
        "Wall s",
        "Events/s",
        "Core-s",
        "µs/event",
        "GiB in all",
        "GiB, largest process",
    )
    rows = [
        (
            run.program.replace("_", "-"),
            f"{run.britain.events:,}",
            f"{run.britain.files:,}",
            f"{run.cost.wall:.1f}",
            f"{run.events_a_second:,.0f}",
            f"{run.cost.cores:.1f}",
            f"{run.cost.cores / run.britain.events * 1e6:.1f}",
            f"{run.cost.samples.all_bytes / _GIB:.2f}",
            f"{run.cost.samples.one_bytes / _GIB:.2f}",
        )
        for run in runs
    ]
    return Grid("Whole runs", header, rows)


def _phases(runs: Sequence[Run]) -> Grid:
    measured = [phases(run) for run in runs]
    rows = [(name, *(f"{seconds[name]:.1f}" for seconds in measured)) for name in PHASES]
    return Grid("Where the wall time of a run goes (seconds)", ("Phase", *(_millions(run) for run in runs)), rows)


def _stages(stages: dict[str, tuple[float, float]], events: int) -> Grid:
    rows = [
        (stage, f"{wall:.2f}", f"{cores:.2f}", f"{cores / events * 1e6:.2f}") for stage, (wall, cores) in stages.items()
    ]
    total = [sum(seconds[place] for seconds in stages.values()) for place in (0, 1)]
    rows.append(("all", f"{total[0]:.2f}", f"{total[1]:.2f}", f"{total[1] / events * 1e6:.2f}"))
    title = f"Cost of each stage, in one process ({events / 1e6:.2g} M events)"
    return Grid(title, ("Stage", "Wall s", "Core-s", "Core-µs/event"), rows)


def show(results: Results) -> None:
    """Prints every table."""
    console = Console(width=140)
    for grid in results.grids():
        console.print(grid.rich())


def write(results: Results, document: Path) -> None:
    """Writes the tables between the two marks of a document. Raises ValueError if these are missing."""
    text = document.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError(f"{document.name} lacks the marks {BEGIN} and {END}.")
    tables = "\n\n".join(grid.markdown() for grid in results.grids())
    document.write_text(f"{head}{BEGIN}\n\n{tables}\n\n{END}{tail}", encoding="utf-8")
