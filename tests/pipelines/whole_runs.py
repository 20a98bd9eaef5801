"""Whole bounded runs over folders of files, and folders rewritten so that a run's answer must not change."""

import json
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import fastavro
from fastavro.write import Writer

from pipelines.bounded import Answer, How, count
from pipelines.keys import load_key
from pipelines.settings import Environment
from pipelines.source.files import find_files, plan
from pipelines.steps.progress import Progress
from pipelines.store.outputs import write_cells_csv
from pipelines.synthetic import Plan, generate

Row = dict[str, Any]


def in_silence(what: str, share: float) -> None:
    """Tells nobody what is done, nor how much of it."""


def britain(folder: Path, size: Plan) -> Path:
    """The folder, with a synthetic Britain in it."""
    generate(folder, size, in_silence)
    return folder


def small_britain(folder: Path, dirt: float) -> Path:
    """The folder, with a few hundred meters' first years in it."""
    return britain(folder, Plan(meters=300, seed=3, until=date(2017, 6, 30), dirt=dirt))


def ignore(progress: Progress) -> None:
    """Shows nothing."""


def answer(
    inputs: Iterable[Path],
    home: Path,
    shards: int | None = None,
    as_at: int | None = None,
    options: tuple[str, ...] = (),
) -> Answer:
    """What a run finds out, with the key that its home keeps."""
    key, _ = load_key(Environment(home=home))
    return count(plan(find_files(inputs), as_at), key, How(home, shards, as_at, options), ignore)


def cells_csv(found: Answer, folder: Path) -> bytes:
    """The bytes of the file of cells."""
    path = folder / "cells.csv"
    write_cells_csv(found.cells, path)
    return path.read_bytes()


def intake_of(found: Answer) -> dict[tuple[str, str], int]:
    """Records by owner and status."""
    return {(owner, status): records for owner, status, records in found.intake.iter_rows()}


def everything(row: Row) -> bool:
    """Keeps every row."""
    return bool(row)


def rewritten(folder: Path, to: Path, block_records: int, keep: Callable[[Row], bool] = everything) -> Path:
    """The same rows, those of a source and schema mixed over its files, in blocks of other sizes.

    Files that cannot be read to their end lie there as they are.
    """
    piles: dict[tuple[str, str], list[tuple[Path, list[Row]]]] = defaultdict(list)
    for path in find_files([folder]):
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        found = rows_of(path)
        if found is None:
            shutil.copy(path, target)
        else:
            piles[path.parent.name, json.dumps(found[0])].append((target, found[1]))
    for (_, schema), files in piles.items():
        rows = [row for _, listed in files for row in listed if keep(row)]
        random.Random(7).shuffle(rows)
        for number, (target, _) in enumerate(files):
            _write(target, json.loads(schema), rows[number :: len(files)], block_records)
    return to


def rows_of(path: Path) -> tuple[Any, list[Row]] | None:
    """The schema and the rows of a file, or None where it is damaged."""
    with path.open("rb") as file:
        try:
            reader = fastavro.reader(file)
            return reader.writer_schema, [row for row in reader if isinstance(row, dict)]
        except Exception:  # noqa: BLE001 - whatever a reader that is not ours says of damage
            return None


def _write(path: Path, schema: Any, rows: list[Row], block_records: int) -> None:
    with path.open("wb") as file:
        writer = Writer(file, fastavro.parse_schema(schema), codec="deflate")
        for number, row in enumerate(rows, start=1):
            writer.write(row)
            if number % block_records == 0:
                writer.dump()
        writer.flush()


def doubled(folder: Path, to: Path) -> Path:
    """Every file twice, under two names."""
    for path in find_files([folder]):
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        shutil.copy(path, target.with_stem(f"{path.stem}-again"))
    return to
