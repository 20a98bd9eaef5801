"""A snapshot: the files of a bounded run from which a stream can go on.

A folder with `snapshot.json` (its description and how far it read), one Arrow file for each shard that has any meter,
with the shard's history sorted by meter, and the run's cells, intake and quarantine. The histories are not compressed,
some 250 bytes a row, so that only the rows of the meters asked for are read through the memory map. The folder gets its
name when all of it is written.
"""

import functools
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from pipelines.history.copies import empty_history
from pipelines.store import versions

MANIFEST: Final = "snapshot.json"
LEDGER: Final = ("cells", "intake", "quarantine")
Meters = npt.NDArray[np.uint64]
# For every topic, the first offset of each partition (as text) that was not read.
Offsets = dict[str, dict[str, int]]


class SnapshotError(Exception):
    """The snapshot cannot be used; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A snapshot's description: its run, key, shards and versions, and the offsets up to which it read the log.

    `topic_ids` are the ids of the topics in `offsets`.
    """

    run_id: str
    key_id: str
    shards: int
    rule_version: str
    schema_version: str
    code_version: str
    synthetic: bool
    received: int
    offsets: Offsets
    topic_ids: dict[str, str] = field(default_factory=dict)


def shard_path(folder: Path, shard: int) -> Path:
    """Returns the path of a shard's history."""
    return folder / f"shard-{shard:05}.arrow"


def write_shard(folder: Path, shard: int, history: pl.DataFrame) -> None:
    """Writes the history of a shard into the folder, sorted by meter."""
    ordered = history.sort("meter_a", "meter_b").rechunk()
    (batch,) = ordered.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()
    with (
        pa.OSFile(str(shard_path(folder, shard)), "wb") as file,
        pa.ipc.new_file(file, batch.schema) as writer,
    ):
        writer.write_batch(batch)


def finish(work: Path, folder: Path, manifest: Manifest, ledger: Sequence[pl.DataFrame]) -> None:
    """Writes manifest and ledger beside the shards in a work folder, and moves it to `folder`. Raises SnapshotError."""
    require_new(folder)
    for name, frame in zip(LEDGER, ledger, strict=True):
        frame.write_ipc(work / f"{name}.arrow", compression="lz4")
    (work / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        shutil.move(work, part)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def require_new(folder: Path) -> None:
    """Raises SnapshotError if the folder of a new snapshot already exists."""
    if folder.exists() or folder.is_symlink():
        raise SnapshotError(f"The folder {folder} exists; name a new one for the snapshot.")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened snapshot."""

    folder: Path
    manifest: Manifest

    def rows_of(self, meters: Meters) -> pl.DataFrame:
        """Returns the history rows whose `meter_a` is one of the sorted, distinct numbers."""
        shards = meters % np.uint64(self.manifest.shards)
        paths = [(str(shard_path(self.folder, int(shard))), meters[shards == shard]) for shard in np.unique(shards)]
        found = [_rows_in(path, wanted) for path, wanted in paths]
        batches = [batch for batch in found if batch is not None]
        if not batches:
            return empty_history()
        frame: Any = pl.from_arrow(pa.Table.from_batches(batches).combine_chunks())
        return pl.concat([empty_history(), frame])

    def ledger(self) -> tuple[pl.DataFrame, ...]:
        """Returns cells, intake and quarantine of the run, in the columns of the ledger's tables."""
        return tuple(pl.read_ipc(self.folder / f"{name}.arrow") for name in LEDGER)

    def require(self, key_id: str) -> None:
        """Raises SnapshotError if the snapshot was made with another key, rules, schemas or code."""
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
    """Returns the snapshot in a folder. Raises SnapshotError if there is none or it cannot be read."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Snapshot(folder, Manifest(**manifest))
    except FileNotFoundError as error:
        raise SnapshotError(f"There is no snapshot in {folder}; `rollout run --snapshot DIR` writes one.") from error
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotError(f"The snapshot in {folder} cannot be read: {error}.") from error


def occurs(numbers: Meters, meters: Meters) -> npt.NDArray[np.bool_]:
    """Returns a mask of the numbers that are among some sorted, distinct meters.

    The cost is one search for each number, however many meters there are.
    """
    if not len(meters):
        return np.zeros(len(numbers), dtype=bool)
    return meters[np.minimum(np.searchsorted(meters, numbers), len(meters) - 1)] == numbers


def places(ordered: Meters, meters: Meters) -> npt.NDArray[np.int64]:
    """Returns the positions of all the given meters among ordered numbers, each as often as it occurs."""
    first = np.searchsorted(ordered, meters, side="left")
    counts = np.searchsorted(ordered, meters, side="right") - first
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts) + within


def _rows_in(path: str, meters: Meters) -> "pa.RecordBatch | None":
    """Returns the rows of some meters in one shard's file, or None if it has none."""
    history = _history(path)
    if history is None:
        return None
    found = places(history.column("meter_a").to_numpy(), meters)
    return history.take(pa.array(found)) if len(found) else None


@functools.cache
def _history(path: str) -> "pa.RecordBatch | None":
    """Returns all rows of a shard's file, mapped from disk, or None if the shard has no history."""
    return pa.ipc.open_file(pa.memory_map(path)).get_batch(0) if Path(path).exists() else None
