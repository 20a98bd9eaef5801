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
    """Why something is wrong: found by `kind`; `reject` keeps it out, `warning` lets it in and counts it."""

    code: str
    kind: str
    severity: str
    sentence: str


@functools.cache
def reasons() -> dict[str, Reason]:
    """Every reason by its code, in the file's order."""
    with REASONS_CSV.open(encoding="utf-8", newline="") as file:
        return {row["code"]: Reason(**row) for row in csv.DictReader(file)}


def sentence(codes: str) -> str:
    """The sentences of codes joined by `;`, joined by a space. Raises KeyError for a code that we do not know."""
    return " ".join(reasons()[code].sentence for code in codes.split(";") if code)
