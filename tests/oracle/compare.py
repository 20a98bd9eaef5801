"""Compares a file of cells with a recount, and writes a recount as such a file."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from schemas.tables import CELL_COLUMNS
from tests.oracle.cells import MEASURE_NAMES
from tests.oracle.event import Outcome

HEADER = tuple(column.name for column in CELL_COLUMNS)


def differences(cells_csv: Path, outcome: Outcome) -> list[str]:
    """One line for each way in which a file of cells differs from the recount; none where they agree.

    Looks at the file's form as well: header, LF line ends, rows in byte order, no cell twice, no cell of 0.
    Measures that the recount does not know, which are those of the DCC's service, are left out.
    """
    data = cells_csv.read_bytes()
    if data.split(b"\n")[0].rstrip(b"\r") != ",".join(HEADER).encode():
        return ["The header is not that of the cells."]
    return form_faults(data) + cell_differences(read_cells(data.decode("utf-8")), outcome.cells)


def form_faults(data: bytes) -> list[str]:
    """What is wrong with the form of a file of cells below its header."""
    lines = data.split(b"\n")
    body = lines[1:-1]
    faults = {
        "The file has carriage returns.": b"\r" in data,
        "The file does not end with a line end.": lines[-1] != b"",
        "The rows are not in byte order.": body != sorted(body),
        "A cell is written twice.": len({line.rpartition(b",")[0] for line in body}) != len(body),
        "A cell of 0 is written.": any(line.endswith(b",0") for line in body),
    }
    return [sentence for sentence, is_so in faults.items() if is_so]


def read_cells(text: str) -> dict[tuple[str, ...], int]:
    """The cells of a file's text by their ten dimensions."""
    rows = csv.DictReader(io.StringIO(text))
    return {tuple(row[name] for name in HEADER[:-1]): int(row["value"]) for row in rows}


def cell_differences(theirs: Mapping[tuple[str, ...], int], ours: Mapping[tuple[str, ...], int]) -> list[str]:
    """One line for each differing cell of the measures that the recount knows, sorted."""
    keys = sorted(key for key in theirs.keys() | ours.keys() if key[0] in MEASURE_NAMES)
    return [
        f"{','.join(key)}: {theirs.get(key, 0)} in the file, {ours.get(key, 0)} by the recount"
        for key in keys
        if theirs.get(key, 0) != ours.get(key, 0)
    ]


def cells_csv(cells: Mapping[tuple[str, ...], int]) -> str:
    """The cells as `rollout cells` writes them: a header, LF line ends, rows in byte order."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for key, value in cells.items():
        writer.writerow((*key, value))
    rows = sorted(out.getvalue().splitlines(keepends=True), key=str.encode)
    return ",".join(HEADER) + "\n" + "".join(rows)
