"""Dirt: what real data has. Spoils frames of events before they are written, and files after."""

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

# The share of events that are never sent, and the most of the files that are damaged, at full dirt.
_FORGOTTEN: Final = 0.002
_DAMAGED_FILES: Final = 0.02


def soiled(soil: Soil, frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The frames with faults: events spoiled, left out and sent again, and corrections of a record sent as another."""
    events = {record: _prepared(soil, record, frame) for record, frame in frames.items()}
    across = [spread(soil, events["MeterInstalled"]) for spread in ACROSS] if "MeterInstalled" in events else []
    for record, columns in events.items():
        extra = [part.take(np.arange(part.height)) for part in across if part.record == record and part.height]
        parts = [columns, *(_same_columns(columns, part) for part in extra)]
        events[record] = _soiled(soil, together(parts))
    return {record: columns.frame() for record, columns in events.items()}


def _prepared(soil: Soil, record: str, frame: pl.DataFrame) -> Columns:
    """A record's events without those that are forgotten, with the columns that only dirt knows."""
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
    # Copies are of what was sent, so what is spoiled from here on may be spoiled in one copy and not in another.
    columns = together([columns, *resent])
    for fault in FAULTS:
        if fault.concerns(columns.record):
            fault.spoil(soil, columns, soil.rows(columns.height, fault.rate))
    return columns


def shuffled(soil: Soil, groups: Ints, times: Ints) -> Ints:
    """Times to put rows in order by: the true ones, but in a share of the groups, as large as the dirt, random ones."""
    numbers, which = np.unique(groups, return_inverse=True)
    in_disorder = (soil.rng.random(len(numbers)) < soil.dirt)[which]
    return np.where(in_disorder, soil.rng.integers(0, 1 << 40, len(times)), np.clip(times, 0, (1 << 47) - 1))


def damage(soil: Soil, out: Path) -> int:
    """Damages files and adds some that cannot be read; returns how many were added."""
    files = sorted(out.rglob("*.avro"), key=lambda path: (-path.stat().st_size, str(path)))
    count = max(2, round(_DAMAGED_FILES * soil.dirt * len(files)))
    # Among the larger files, since in a small one there is little but the header to damage.
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
    """A file whose end did not arrive."""
    return data[: len(data) * 4 // 5]


def _scratched(data: bytes) -> bytes:
    """A file with some bytes overwritten."""
    middle = len(data) * 4 // 5
    return data[:middle] + b"\xff" * 24 + data[middle + 24 :]


def _of_a_future_schema() -> bytes:
    """A file of one record of a schema that nobody has published."""
    schema = json.loads(json.dumps(current()["MeterRemoved"].schema))
    schema["name"] = "MeterRecycled"
    sync = b"a schema to come."[:16]
    body = b"".join(varint(len(text)) + text for text in (b"not read",)) * 8
    return header(schema, sync) + varint(1) + varint(len(body)) + body + sync
