"""The synthetic Britains that serve as input, each generated once and kept."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from pipelines.synthetic import Plan, generate, meters_for

UNTIL: Final = date(2026, 6, 30)
SEED: Final = 1
DIRT: Final = 0.02


@dataclass(frozen=True, slots=True)
class Britain:
    """A generated input: its folder, meters, events, files and bytes."""

    folder: Path
    meters: int
    events: int
    files: int
    bytes: int


def britain(home: Path, events: int) -> Britain:
    """Returns a Britain of about a number of events under a folder; generates it if it does not exist yet."""
    meters = meters_for(events)
    folder, note = home / f"britain-{meters}", home / f"britain-{meters}.json"
    if not note.exists():
        report = generate(folder, Plan(meters, SEED, UNTIL, DIRT), lambda _what, _share: None)
        note.write_text(json.dumps({"events": report.events}), encoding="utf-8")
    files = [path.stat().st_size for path in folder.rglob("*.avro")]
    return Britain(folder, meters, json.loads(note.read_text(encoding="utf-8"))["events"], len(files), sum(files))
