"""`python -m benchmarks.one_thread FOLDER OUT.csv`: writes the cells, and each part's seconds to standard error."""

import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl

from benchmarks.one_thread import checking, counting, reading, resolving, walking


def run(folder: Path, out: Path) -> dict[str, float]:
    """Writes the cells of all events under a folder and returns the seconds of each part."""
    marks, reasons, small = [time.perf_counter()], Counter[str](), []
    for record, frame in reading.frames(folder):
        passed, failed = checking.checked(record, frame)
        small.append(passed)
        reasons.update(failed)
    marks.append(time.perf_counter())
    events, _ = resolving.with_meters(pl.concat(small))
    copies, duplicates = resolving.first_copies(events)
    stands = resolving.standing(copies)
    marks.append(time.perf_counter())
    moves = walking.moves_of(stands)
    marks.append(time.perf_counter())
    cells = counting.cells_of(moves)
    cells.write_csv(out)
    marks.append(time.perf_counter())
    print(f"{reasons.total():,} rules broken, {duplicates:,} duplicates", file=sys.stderr)
    names = ("read and check", "copies and corrections", "walk", "count and write")
    return {name: end - begin for name, begin, end in zip(names, marks, marks[1:], strict=False)}


if __name__ == "__main__":
    for part, seconds in run(Path(sys.argv[1]), Path(sys.argv[2])).items():
        print(f"{part}: {seconds:.2f} s", file=sys.stderr)
