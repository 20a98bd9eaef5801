"""The reason codes that a record or a cell can get, each with its kind, its severity and one sentence."""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

REASONS_CSV = Path(__file__).parent / "reasons.csv"
KINDS = ("DECODE", "RULE", "HISTORY", "INCONSISTENT", "CELL")
SEVERITIES = ("reject", "warning")


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code. `kind` is the check that finds it; `reject` refuses what has it, `warning` only counts it."""

    code: str
    kind: str
    severity: str
    sentence: str


@functools.cache
def reasons() -> dict[str, Reason]:
    """Returns every reason by its code, in the file's order."""
    with REASONS_CSV.open(encoding="utf-8", newline="") as file:
        return {row["code"]: Reason(**row) for row in csv.DictReader(file)}


def sentence(codes: str) -> str:
    """Returns the sentences, joined by spaces, of codes joined by `;`. Raises KeyError for an unknown code."""
    return " ".join(reasons()[code].sentence for code in codes.split(";") if code)
