"""What is kept of a stream between commands: a folder for each run, with all that is needed to start it again."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from pipelines.log.offsets import Offsets
from pipelines.stream.settings import StreamSettings, job_name
from pipelines.stream.starting import StreamError

RECORD: Final = "stream.json"
CURRENT: Final = "current"


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A stream as it was started: where it reads and from which offsets, how it runs, and its jobs so far.

    `store` is the store's address without its password; the file of secrets holds the full address. `topic_ids` are the
    topics' ids when the stream began. `ended` says why the stream was ended, unless a person ended it.
    """

    run_id: str
    key_id: str
    shards: int
    snapshot: str | None
    bootstrap: str
    store: str
    begin: Offsets
    beam_options: tuple[str, ...]
    jobs: tuple[str, ...] = ()
    topic_ids: dict[str, str] = field(default_factory=dict)
    ended: str = ""

    @property
    def name(self) -> str:
        """The name of the job, and of the consumer group."""
        return job_name(self.run_id)

    def settings(self, home: Path) -> StreamSettings:
        """Returns the settings of the stream's steps."""
        return StreamSettings(
            self.run_id, self.key_id, self.shards, str(secrets_path(home, self.run_id)), self.snapshot
        )


def folder_of(home: Path, run_id: str) -> Path:
    """Returns the folder of one stream."""
    return home / "stream" / run_id


def secrets_path(home: Path, run_id: str) -> Path:
    """Returns the path of a stream's file of secrets."""
    return folder_of(home, run_id) / "secrets.json"


def jaas_path(home: Path, run_id: str) -> Path:
    """Returns the path of the file from which Kafka's Java client reads the log's password."""
    return folder_of(home, run_id) / "kafka.properties"


def key_path(home: Path, run_id: str) -> Path:
    """Returns the path at which workers find the pseudonym key if it is in no file yet."""
    return folder_of(home, run_id) / "pseudonym.key"


def keep(home: Path, record: StreamRecord) -> None:
    """Writes the record to its folder and makes its stream the current one."""
    folder = folder_of(home, record.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / RECORD, json.dumps(asdict(record), indent=1))
    _write(home / "stream" / CURRENT, record.run_id)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def is_kept(home: Path) -> bool:
    """Whether any stream was started under a home."""
    return (home / "stream" / CURRENT).exists()


def current(home: Path) -> StreamRecord:
    """Returns the stream that was last started. Raises StreamError if there is none."""
    try:
        run_id = (home / "stream" / CURRENT).read_text(encoding="utf-8")
        found = json.loads((folder_of(home, run_id) / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StreamError(f"No stream was started under {home}; `rollout stream start` starts one.") from error
    return _record(found)


def former(home: Path) -> list[StreamRecord]:
    """Returns the streams that were started before the current one. Raises StreamError if there is no current one."""
    now = current(home).run_id
    paths = sorted((home / "stream").glob(f"*/{RECORD}"))
    return [_record(json.loads(path.read_text(encoding="utf-8"))) for path in paths if path.parent.name != now]


def forget_secrets(home: Path, record: StreamRecord) -> None:
    """Deletes the secrets of a stream that will not go on."""
    for path in (secrets_path(home, record.run_id), jaas_path(home, record.run_id), key_path(home, record.run_id)):
        path.unlink(missing_ok=True)


def _record(found: Any) -> StreamRecord:
    return StreamRecord(**found | {"beam_options": tuple(found["beam_options"]), "jobs": tuple(found["jobs"])})
