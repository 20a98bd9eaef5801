"""The settings of the stream's steps, and where its workers find the secrets that no job may carry.

Everyone with access to Flink's pages can read a job's options and steps. So a job only names a file, readable by its
owner only, with the store's address, the broker's credentials and the path of the pseudonym key.
"""

import functools
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.keys import Key, KeyChangedError, key_from_file
from pipelines.log.connection import KafkaSettings
from pipelines.settings import write_privately
from pipelines.shards.snapshot import open_snapshot
from pipelines.store import Store, StoreMissing, open_store
from pipelines.stream.history import Histories
from pipelines.stream.positions import Positions, progress_group
from schemas.addresses import sqlite_path


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """A stream's run, its key and shard count, the snapshot that it goes on from, and its file of secrets."""

    run_id: str
    key_id: str
    shards: int
    secrets: str
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a worker needs and a job must not show.

    `store` is the store's address, `kafka` are client settings, `key_file` is the path of the pseudonym key.
    """

    store: str
    key_file: str
    kafka: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Writes the secrets to a file that only its owner can read."""
        write_privately(path, json.dumps(asdict(self)))


class SecretsUnreadable(Exception):
    """A stream's file of secrets cannot be read; the message is one sentence."""


def secrets_of(settings: StreamSettings) -> Secrets:
    """Returns the secrets in the file that a job names. Raises SecretsUnreadable."""
    try:
        return Secrets(**json.loads(Path(settings.secrets).read_text(encoding="utf-8")))
    except OSError as error:
        raise SecretsUnreadable(
            f"The stream's secrets in {settings.secrets} cannot be read: {error.strerror}."
        ) from error
    except (ValueError, TypeError):
        # The error does not quote the text, which may be a password.
        raise SecretsUnreadable(f"The stream's secrets in {settings.secrets} are damaged.") from None


def store_of(settings: StreamSettings) -> Store:
    """Opens the store that a stream writes. Raises StoreError, and StoreMissing if its file is gone."""
    address = secrets_of(settings).store
    try:
        return open_store(address)
    except StoreMissing as error:
        raise gone(sqlite_path(address) or address) from error


def gone(store: str) -> StoreMissing:
    """Returns the error for a store whose file existed when the stream began and is gone."""
    return StoreMissing(
        f"The store {store} that the stream wrote is gone: move it back if it was moved; otherwise `rollout stream "
        "stop`, and `rollout stream start` into a new store counts the log again."
    )


def log_of(settings: StreamSettings) -> KafkaSettings:
    """Returns the settings with which a stream reaches its log."""
    return KafkaSettings(**secrets_of(settings).kafka)


@functools.cache
def positions_of(settings: StreamSettings) -> Positions:
    """Returns where a worker notes how far it has read; one for all steps of a process."""
    return Positions(log_of(settings), progress_group(job_name(settings.run_id)))


@functools.cache
def written_of(settings: StreamSettings) -> Positions:
    """Returns where a worker notes up to which offsets the ledger is written; one for all steps of a process."""
    return Positions(log_of(settings), written_group(job_name(settings.run_id)))


def written_group(name: str) -> str:
    """Returns the group under which the workers of a stream report up to which offsets the ledger is written."""
    return f"{name}-written"


def job_name(run_id: str) -> str:
    """Returns the name of a stream's job, which is also the group that its source reads under."""
    return f"rollout-{run_id}"


def key_of(settings: StreamSettings) -> Key:
    """Returns the pseudonym key; raises KeyChangedError unless it is the one that the stream began with."""
    key = key_from_file(Path(secrets_of(settings).key_file))
    if key.key_id != settings.key_id:
        raise KeyChangedError(
            f"The stream began with pseudonym key {settings.key_id}, but a worker finds {key.key_id}."
        )
    return key


@functools.cache
def histories_of(settings: StreamSettings) -> Histories:
    """Returns the histories of a worker's shards; one for all steps of a process."""
    baseline = None if settings.snapshot is None else open_snapshot(Path(settings.snapshot))
    return Histories(settings.shards, baseline)
