"""Receipts of submissions: what was sent where, kept under the program's own folder, as JSON.

A receipt is written when all of a submission is in the log, and never before. So content in a receipt has arrived, and
a submission that was interrupted has no receipt and is sent whole the next time.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.log.connection import LogError


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a submission: its name, the SHA-256 of its content, what was sent of it and what could not be read.

    `unreadable` is a number of records by the headers of the blocks that hold them, and `gaps` how often even that
    number was unknown.
    """

    name: str
    sha256: str
    records: int
    messages: int
    unreadable: int = 0
    gaps: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a submission lies in a partition: its first and last offset, and how many of its messages lie there."""

    partition: int
    first_offset: int
    last_offset: int
    messages: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was sent, where it lies, and what `rollout check` says of it: `checked` has records by status.

    `sha256` is that of the one file, or of its files' hashes in order. `sent_at` is UTC, ISO 8601. `again` says that
    this content was sent before and nothing was sent now; the rest is then the earlier receipt.
    """

    source_id: str
    topic: str
    cluster_id: str
    sent_at: str
    sha256: str
    single: bool
    records: int
    messages: int
    checked: Mapping[str, int]
    rejected_by_reason: Mapping[str, int]
    files: tuple[SentFile, ...]
    offsets: tuple[Place, ...]
    already_sent: tuple[str, ...] = ()
    again: bool = False

    def json(self) -> dict[str, Any]:
        """Returns the receipt as a JSON value."""
        return asdict(self)

    @property
    def hashes(self) -> frozenset[str]:
        """The hashes of the content that this receipt covers."""
        return frozenset(file.sha256 for file in self.files)


def joint_hash(hashes: Iterable[str]) -> str:
    """Returns the hash if there is only one, or the SHA-256 of several, each on a line."""
    listed = list(hashes)
    return listed[0] if len(listed) == 1 else hashlib.sha256("".join(f"{one}\n" for one in listed).encode()).hexdigest()


def keep(home: Path, receipt: Receipt) -> Path:
    """Writes the receipt under a home folder, whole or not at all, and returns its path."""
    folder = home / "receipts"
    folder.mkdir(parents=True, exist_ok=True)
    moment = receipt.sent_at.translate(str.maketrans("", "", "-:.+"))
    path = folder / f"{receipt.source_id}-{moment}-{receipt.sha256[:12]}.json"
    write(path, receipt.json())
    return path


def write(path: Path, value: Any) -> None:
    """Writes a JSON value to a file, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def receipts_of(home: Path, source_id: str, cluster_id: str) -> tuple[Receipt, ...]:
    """Returns the receipts of a source's submissions to a cluster, oldest first. Raises LogError for a damaged one."""
    found = [_read(path) for path in sorted((home / "receipts").glob(f"{source_id}-*.json"))]
    ours = [receipt for receipt in found if (receipt.source_id, receipt.cluster_id) == (source_id, cluster_id)]
    return tuple(sorted(ours, key=lambda receipt: receipt.sent_at))


def _read(path: Path) -> Receipt:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(SentFile(**file) for file in value.pop("files"))
        places = tuple(Place(**place) for place in value.pop("offsets"))
        already = tuple(value.pop("already_sent"))
        return Receipt(**value, files=files, offsets=places, already_sent=already)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LogError(f"The receipt {path} cannot be read; put it right or move it away.") from error


def as_before(receipt: Receipt) -> Receipt:
    """Returns an earlier receipt as the answer to the same content sent again."""
    return replace(receipt, again=True)
