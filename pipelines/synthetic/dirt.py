"""Dirt, the faults of real data. Spoils frames of events before they are written, and files afterwards."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from pipelines.synthetic.avro_blocks import header, varint
from pipelines.synthetic.faults import FAULTS
from pipelines.synthetic.resending import ACROSS, RESENDINGS
from pipelines.synthetic.soiling import REGULAR, Columns, Soil, together
from pipelines.synthetic.state import Ints
from schemas.registry import current

# At full dirt: the share of events that are never sent, and the share of files that are damaged.
_FORGOTTEN: Final = 0.002
_DAMAGED_FILES: Final = 0.02


def soiled(soil: Soil, frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Returns the frames with faults: events spoiled, omitted or sent again, and corrections of a different record."""
    events = {record: _prepared(soil, record, frame) for record, frame in frames.items()}
    across = [spread(soil, events["MeterInstalled"]) for spread in ACROSS] if "MeterInstalled" in events else []
    for record, columns in events.items():
        extra = [part.take(np.arange(part.height)) for part in across if part.record == record and part.height]
        parts = [columns, *(_same_columns(columns, part) for part in extra)]
        events[record] = _soiled(soil, together(parts))
    return {record: columns.frame() for record, columns in events.items()}


def _prepared(soil: Soil, record: str, frame: pl.DataFrame) -> Columns:
    """Drops the events that are never sent, and adds the columns that only dirt uses."""
    kept = np.ones(frame.height, dtype=bool)
    kept[soil.rows(frame.height, _FORGOTTEN)] = False
    marked = frame.with_columns(lot=pl.lit(REGULAR, pl.Int8), shout=pl.lit(0, pl.Int8))
    return Columns.of(record, marked.filter(pl.Series(kept)))


def _same_columns(pattern: Columns, part: Columns) -> Columns:
    return Columns(pattern.record, {name: part[name] for name in pattern.arrays})


def _soiled(soil: Soil, columns: Columns) -> Columns:
    resent = []
    for fault in RESENDINGS:
        if fault.concerns(columns.record):
            more = fault.spoil(soil, columns, soil.rows(columns.height, fault.rate))
            resent += [more] if more is not None and more.height else []
    # Copies are spoiled independently from here on: one may be spoiled and another not.
    columns = together([columns, *resent])
    for fault in FAULTS:
        if fault.concerns(columns.record):
            fault.spoil(soil, columns, soil.rows(columns.height, fault.rate))
    return columns


def shuffled(soil: Soil, groups: Ints, times: Ints) -> Ints:
    """Returns the times by which to order rows: the true ones, but random ones in a share of groups (the dirt)."""
    numbers, which = np.unique(groups, return_inverse=True)
    in_disorder = (soil.rng.random(len(numbers)) < soil.dirt)[which]
    return np.where(in_disorder, soil.rng.integers(0, 1 << 40, len(times)), np.clip(times, 0, (1 << 47) - 1))


def damage(soil: Soil, out: Path) -> int:
    """Damages files and adds some that cannot be read; returns how many were added."""
    files = sorted(out.rglob("*.avro"), key=lambda path: (-path.stat().st_size, str(path)))
    count = max(2, round(_DAMAGED_FILES * soil.dirt * len(files)))
    # Only the larger files, since a small one has little more than its header.
    files = files[: max(count, len(files) // 4)]
    chosen = [files[place] for place in soil.rng.choice(len(files), min(count, len(files)), replace=False)]
    for place, path in enumerate(chosen):
        data = path.read_bytes()
        path.write_bytes(_cut(data) if place % 2 else _scratched(data))
    folder = out / "BGAS"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.avro").write_bytes(b"Dear data team, please find our figures below.\n")
    (folder / "MeterInstalled-next.avro").write_bytes(_of_a_future_schema())
    return 2


def _cut(data: bytes) -> bytes:
    """Returns a file's bytes without the last fifth."""
    return data[: len(data) * 4 // 5]


def _scratched(data: bytes) -> bytes:
    """Returns a file's bytes with some overwritten."""
    middle = len(data) * 4 // 5
    return data[:middle] + b"\xff" * 24 + data[middle + 24 :]


def _of_a_future_schema() -> bytes:
    """Returns a file of one record with a schema that was never published."""
    schema = json.loads(json.dumps(current()["MeterRemoved"].schema))
    schema["name"] = "MeterRecycled"
    sync = b"a schema to come."[:16]
    body = b"".join(varint(len(text)) + text for text in (b"not read",)) * 8
    return header(schema, sync) + varint(1) + varint(len(body)) + body + sync
