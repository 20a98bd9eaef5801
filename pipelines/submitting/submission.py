"""Sends the files of one source to its topic and returns the receipt."""

import mmap
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.log.connection import KafkaSettings, LogError
from pipelines.log.message import SYNTHETIC_HEADER
from pipelines.log.producing import Headers, Producer
from pipelines.log.topics import topic_of
from pipelines.source.container import NotAvro
from pipelines.source.names import escaped
from pipelines.submitting.dry_run import DryRun
from pipelines.submitting.parcels import Parcel, content_hash, is_synthetic, parcels
from pipelines.submitting.receipts import Place, Receipt, SentFile, joint_hash

SUBMISSION_HEADER = "submission"
FILE_HEADER = "file"
PART_HEADER = "part"


@dataclass(frozen=True, slots=True)
class Submission:
    """Files of one source to send, each with the hash of the content that was checked.

    `already_sent` are the names of files that an earlier receipt covers and that are not sent now.
    """

    source_id: str
    files: tuple[tuple[Path, str], ...]
    checked: DryRun
    already_sent: tuple[str, ...] = ()
    single: bool = False


@contextmanager
def opened(path: Path) -> Generator[bytes]:
    """Yields the content of a file as something that is read like bytes and not held in memory."""
    if not path.stat().st_size:
        yield b""
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        mapped: Any = data
        yield mapped


def hash_of(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal."""
    with opened(path) as data:
        return content_hash(data)


def send(
    submission: Submission, settings: KafkaSettings, cluster_id: str, now: datetime, progress: Callable[[int], None]
) -> Receipt:
    """Sends all that can be read of a submission, waits until it is in the log, and returns the receipt.

    Raises LogError; some messages may then be in the log without a receipt, and sending all again does no harm, since
    every event counts once. `progress` is called with the number of records of each message.
    """
    topic = topic_of(submission.source_id)
    producer = Producer(settings)
    sent: list[SentFile] = []

    def on_its_way(parcel: Parcel, headers: Headers) -> None:
        producer.send(topic, None, parcel.value, headers)
        progress(parcel.records)

    try:
        sent.extend(_send_file(path, wanted, on_its_way, single=submission.single) for path, wanted in submission.files)
        producer.flush()
    finally:
        producer.abandon()
    return _receipt(submission, producer, sent, cluster_id, now)


def _send_file(path: Path, wanted: str, out: Callable[[Parcel, Headers], None], *, single: bool) -> SentFile:
    records = messages = unreadable = gaps = 0
    with opened(path) as data:
        if content_hash(data) != wanted:
            raise LogError(
                f"The file {escaped(path)} has changed since it was checked; send it again when it is whole."
            )
        headers = _headers(data, escaped(path.name), wanted)
        for parcel in parcels(data, single=single):
            if isinstance(parcel, Parcel):
                messages += 1
                records += parcel.records
                out(parcel, [*headers, (PART_HEADER, str(messages).encode())])
            elif parcel.records is None:
                gaps += 1
            else:
                unreadable += parcel.records
    return SentFile(escaped(path.name), wanted, records, messages, unreadable, gaps)


def _headers(data: bytes, name: str, content: str) -> Headers:
    headers = [(SUBMISSION_HEADER, content.encode()), (FILE_HEADER, name.encode())]
    try:
        synthetic = is_synthetic(data)
    except NotAvro:
        synthetic = False
    return [*headers, (SYNTHETIC_HEADER, b"true")] if synthetic else headers


def _receipt(
    submission: Submission, producer: Producer, sent: Sequence[SentFile], cluster_id: str, now: datetime
) -> Receipt:
    checked = submission.checked
    reasons: dict[str, int] = {}
    for codes, rows in checked.quarantined.select("reason_code", "rows").iter_rows():
        for code in codes.split(";"):
            reasons[code] = reasons.get(code, 0) + max(rows, 1)
    return Receipt(
        source_id=submission.source_id,
        topic=topic_of(submission.source_id),
        cluster_id=cluster_id,
        sent_at=now.isoformat(timespec="milliseconds"),
        sha256=joint_hash(file.sha256 for file in sent),
        single=submission.single,
        records=sum(file.records for file in sent),
        messages=sum(file.messages for file in sent),
        checked=dict(sorted(checked.intake.iter_rows())),
        rejected_by_reason=dict(sorted(reasons.items())),
        files=tuple(sent),
        offsets=tuple(Place(span.partition, span.first, span.last, span.messages) for span in producer.written()),
        already_sent=submission.already_sent,
    )
