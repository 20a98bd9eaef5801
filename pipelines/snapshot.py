"""A snapshot: what a bounded run leaves so that a stream can go on from it.

A folder with `snapshot.json` (what it is and how far it read), one Arrow file a shard that has any meter, with the
shard's history sorted by meter in compressed batches, and the run's cells, intake and quarantine. The histories are
read through the memory map, and only the batches in which touched meters lie. The folder takes its name when all of it
is written.
"""

import functools
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from pipelines import versions
from pipelines.fold import empty_history

MANIFEST: Final = "snapshot.json"
# A batch is read whole for one of its meters.
BATCH_ROWS: Final = 256
BATCHES_IN_MEMORY: Final = 2_048
LEDGER: Final = ("cells", "intake", "quarantine")
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4")
Meters = npt.NDArray[np.uint64]
# For every topic, the offset of each partition (as text) up to which, exclusively, it was read.
Offsets = dict[str, dict[str, int]]


class SnapshotError(Exception):
    """The snapshot cannot be used; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is: its run, its key, its shards, what made it, and the offsets up to which it read the log."""

    run_id: str
    key_id: str
    shards: int
    rule_version: str
    schema_version: str
    code_version: str
    synthetic: bool
    received: int
    offsets: Offsets


def shard_path(folder: Path, shard: int) -> Path:
    """Where the history of a shard lies."""
    return folder / f"shard-{shard:05}.arrow"


def write_shard(folder: Path, shard: int, history: pl.DataFrame) -> None:
    """The history of a shard lies in the folder, sorted by meter."""
    ordered = history.sort("meter_a", "meter_b")
    table = ordered.to_arrow(compat_level=pl.CompatLevel.oldest())
    with (
        pa.OSFile(str(shard_path(folder, shard)), "wb") as file,
        pa.ipc.new_file(file, table.schema, options=_OPTIONS) as writer,
    ):
        writer.write_table(table, max_chunksize=BATCH_ROWS)
    first = ordered["meter_a"].gather_every(BATCH_ROWS).to_numpy()
    np.save(shard_path(folder, shard).with_suffix(".npy"), first)


def finish(work: Path, folder: Path, manifest: Manifest, ledger: Sequence[pl.DataFrame]) -> None:
    """The snapshot whose shards lie in a work folder has its manifest, ledger and name. Raises SnapshotError."""
    if folder.exists():
        raise SnapshotError(f"The folder {folder} exists; name a new one for the snapshot.")
    for name, frame in zip(LEDGER, ledger, strict=True):
        frame.write_ipc(work / f"{name}.arrow", compression="lz4")
    (work / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.move(work, part)
    part.rename(folder)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened snapshot."""

    folder: Path
    manifest: Manifest

    def rows_of(self, meters: Meters) -> pl.DataFrame:
        """History rows whose `meter_a` is one of the sorted, distinct numbers."""
        shards = meters % np.uint64(self.manifest.shards)
        paths = [(str(shard_path(self.folder, int(shard))), meters[shards == shard]) for shard in np.unique(shards)]
        batches = [batch for path, wanted in paths for batch in _batches_of(path, wanted)]
        if not batches:
            return empty_history()
        frame: Any = pl.from_arrow(pa.Table.from_batches(batches))
        return pl.concat([empty_history(), frame])

    def ledger(self) -> tuple[pl.DataFrame, ...]:
        """Cells, intake and quarantine of the run, in the columns of the ledger's tables."""
        return tuple(pl.read_ipc(self.folder / f"{name}.arrow") for name in LEDGER)

    def require(self, key_id: str) -> None:
        """Raises SnapshotError where the snapshot was made with another key, rules, schemas or code."""
        ours = {
            "pseudonym key": (self.manifest.key_id, key_id),
            "version of the rules": (self.manifest.rule_version, versions.rule_version()),
            "version of the schemas": (self.manifest.schema_version, versions.schema_version()),
            "version of the program": (self.manifest.code_version, versions.code_version()),
        }
        for what, (theirs, wanted) in ours.items():
            if theirs != wanted:
                raise SnapshotError(
                    f"The snapshot {self.folder} has another {what} ({theirs}, not {wanted}); make a new one."
                )


def open_snapshot(folder: Path) -> Snapshot:
    """The snapshot in a folder. Raises SnapshotError."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Snapshot(folder, Manifest(**manifest))
    except FileNotFoundError as error:
        raise SnapshotError(f"There is no snapshot in {folder}; `rollout run --snapshot DIR` writes one.") from error
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotError(f"The snapshot in {folder} cannot be read: {error}.") from error


def occurs(numbers: Meters, meters: Meters) -> npt.NDArray[np.bool_]:
    """Which numbers are among some sorted, distinct meters: a search for each number, however many meters there are."""
    if not len(meters):
        return np.zeros(len(numbers), dtype=bool)
    return meters[np.minimum(np.searchsorted(meters, numbers), len(meters) - 1)] == numbers


def _batches_of(path: str, meters: Meters) -> "list[pa.RecordBatch]":
    """The rows of some meters of one shard's file: a piece of each batch that has any."""
    first = _first(path)
    if not len(first):
        return []
    # A meter's rows may begin in the batch before the first that begins with it, and go on over several.
    begin = np.maximum(np.searchsorted(first, meters, side="left") - 1, 0)
    end = np.searchsorted(first, meters, side="right")
    begun, ended = (np.bincount(places, minlength=len(first) + 1) for places in (begin, np.maximum(begin, end)))
    pieces = []
    for number in np.flatnonzero(np.cumsum(begun - ended)).tolist():
        batch, ordered = _batch(path, number)
        found = np.flatnonzero(occurs(ordered, meters))
        if len(found):
            pieces.append(batch.take(pa.array(found)))
    return pieces


@functools.cache
def _first(path: str) -> Meters:
    """The smallest `meter_a` of each batch of a shard's file, in order; none where the shard has no history."""
    found = Path(path).with_suffix(".npy")
    return np.load(found) if found.exists() else np.empty(0, dtype=np.uint64)


@functools.cache
def _file(path: str) -> "pa.ipc.RecordBatchFileReader":
    return pa.ipc.open_file(pa.memory_map(path))


@functools.lru_cache(maxsize=BATCHES_IN_MEMORY)
def _batch(path: str, number: int) -> "tuple[pa.RecordBatch, Meters]":
    batch = _file(path).get_batch(number)
    return batch, batch.column("meter_a").to_numpy(zero_copy_only=False)
