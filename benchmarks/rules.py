"""`python -m benchmarks.rules`: compares the row-wise expectations with those of Great Expectations that they replace.

It runs each type's rules of two suites over the facts of real blocks, with few rows and many; the ratio is the gain
from `expectations/rows.py`. If the two do not find the same rows for a type, the program says so.
"""

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from benchmarks.inputs import britain
from expectations.run import suite_json
from pipelines.keys import key_from_text
from pipelines.settings import Environment
from pipelines.source.files import find_files, plan
from pipelines.source.reading import read
from pipelines.validation.validate import identify

RECORDS: Final = ("MeterInstalled", "PortfolioDeclared")
SIZES: Final = (50, 5_000, 100_000)
EVENTS: Final = 1_000_000
REPEATS: Final = 5
type_json = dict[str, Any]
Folder = Annotated[Path | None, typer.Option(help="Where inputs are kept; by default `bench` under ROLLOUT_HOME.")]


def main(folder: Folder = None) -> None:
    """Prints, for each type of rule and each number of rows, milliseconds a rule with the library's and with ours."""
    home = folder or Environment().home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    packets = plan(find_files([britain(home, EVENTS).folder])).packets
    blocks = [read(packet).block for packet in packets]
    print(f"{'type of rule':42} {'rows':>8} {'library':>10} {'ours':>10} {'ratio':>6}")
    for record in RECORDS:
        print(record)
        own = [block for block in blocks if block.record == record]
        _compare_all(record, identify(own, key_from_text("a key of the benchmark's own")).facts)


def _compare_all(record: str, facts: pl.DataFrame) -> None:
    engine, suite = importlib.import_module("expectations.engine"), suite_json(record)
    for kind in dict.fromkeys(one["type"] for one in suite["expectations"]):
        rules = [one for one in suite["expectations"] if one["type"] == kind]
        forms = (lambda one: one, engine.row_wise)
        library, ours = (engine.Engine([{"name": kind, "expectations": rules}], form) for form in forms)
        for rows in dict.fromkeys(min(size, facts.height) for size in SIZES):
            _compare(kind, facts.head(rows), (library, ours), len(rules))


def _compare(kind: str, facts: pl.DataFrame, engines: tuple[Any, Any], rules: int) -> None:
    found = [{row for verdict in engine.verdicts(kind, facts, "row") for row in verdict.rows} for engine in engines]
    library, ours = (_milliseconds(lambda each=engine: each.verdicts(kind, facts, "row")) / rules for engine in engines)
    note = "" if found[0] == found[1] else "  FINDS OTHER ROWS"
    print(f"{kind:42} {facts.height:8,} {library:8.2f}ms {ours:8.2f}ms {library / ours:6.1f}{note}")


def _milliseconds(work: Callable[[], Any]) -> float:
    """Returns the shortest time of REPEATS calls."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return 1_000 * min(times)


if __name__ == "__main__":
    typer.run(main)
