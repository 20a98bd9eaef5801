"""`rollout submit`: checks files, sends them to their source's topic of the log, and writes a receipt."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipelines.cli.errors import explained, fail
from pipelines.cli.inputs import event_files

if TYPE_CHECKING:
    from pipelines.log.connection import KafkaSettings
    from pipelines.submitting.receipts import Receipt
    from pipelines.submitting.submission import Submission

SECONDS_BETWEEN_LINES: Final = 5.0


@explained
def submit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Avro files, or folders of them.")],
    kafka: Annotated[str, typer.Option("--kafka", help="The log's brokers.", metavar="BOOTSTRAP")],
    source: Annotated[
        str | None, typer.Option(help="Whose submission it is; by default the folder's name or the files' own source.")
    ] = None,
    single: Annotated[
        bool, typer.Option("--single", help="One event a message; by default blocks of up to 1,000.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Send nothing if anything would be rejected (exit status 1).")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Send also what a receipt says was sent before.")] = False,
    receipt: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the receipt there, too.")] = None,
) -> None:
    """Check files, then send what can be read of them to their source's topic; the receipt is JSON on standard output.

    What would be rejected is sent, too, unless --strict: the log is the truth, and the quarantine answers. Content that
    a receipt says was sent before is not sent again, unless --again.
    """
    from pipelines.log.connection import KafkaSettings
    from pipelines.settings import Environment

    if receipt is not None:
        _require_receipt_file(receipt, files)
    door = _Door(KafkaSettings.at(kafka), Environment().home, single=single, again=again)
    found = event_files(files)
    # Checks that the log can be reached before it reads the files, which takes longer.
    door.knock()
    submissions = [door.prepared(group, source) for group in by_folder(found)]
    if strict and any(one.checked.rejected for one in submissions):
        fail("Nothing was sent, since some of it would be rejected.", status=1)
    receipts = [one for submission in submissions for one in door.sent(submission)]
    _show(receipts, receipt)
    if not any(one.messages for one in receipts):
        fail("Nothing of these files can be read, so nothing was sent.", status=1)


def _require_receipt_file(receipt: Path, files: Sequence[Path]) -> None:
    from pipelines.cli.sparing import spare

    if not receipt.absolute().parent.is_dir():
        fail(f"There is no folder {receipt.absolute().parent} for the receipt.")
    spare(receipt, inputs=files)


def _show(receipts: Sequence["Receipt"], receipt: Path | None) -> None:
    from pipelines.submitting.receipts import write

    values = [one.json() for one in receipts]
    value = values[0] if len(values) == 1 else values
    if receipt is not None:
        write(receipt, value)
    typer.echo(json.dumps(value, indent=2))


def by_folder(files: Iterable[Path]) -> list[list[Path]]:
    """Returns the files of each folder, in the order in which the folders first occur."""
    groups: dict[Path, list[Path]] = {}
    for path in files:
        groups.setdefault(path.absolute().parent, []).append(path)
    return list(groups.values())


@dataclass(slots=True)
class _Pace:
    """Prints from time to time how many records are being sent."""

    source_id: str
    began: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)
    records: int = 0

    def __call__(self, records: int) -> None:
        self.records += records
        if time.monotonic() - self.told >= SECONDS_BETWEEN_LINES:
            self.told = time.monotonic()
            typer.echo(f"{self.source_id}: {self.records:,} records on their way", err=True)

    def end(self, messages: int, topic: str) -> None:
        """Prints how many records were sent, and how fast."""
        seconds = max(time.monotonic() - self.began, 0.001)
        rate = self.records / seconds
        said = f"{self.records:,} records in {messages:,} messages to {topic}, {rate:,.0f} records a second"
        typer.echo(f"{self.source_id}: {said}", err=True)


@dataclass(slots=True)
class _Door:
    """The log that submissions are sent to, and the home that keeps their receipts."""

    settings: "KafkaSettings"
    home: Path
    single: bool
    again: bool
    cluster_id: str = ""

    def knock(self) -> None:
        """Notes the log's cluster id. Raises LogError if the log does not answer."""
        from pipelines.log.topics import topics_to_write

        self.cluster_id = topics_to_write(self.settings, ())

    def prepared(self, files: Sequence[Path], source: str | None) -> "Submission":
        """Returns one source's submission, checked, with the scorecard on standard error. Raises InputError."""
        from pipelines.cli.scorecard import show
        from pipelines.submitting.dry_run import dry_run
        from pipelines.submitting.submission import Submission, hash_of

        hashes = tuple((path, hash_of(path)) for path in files)
        checked = dry_run(files, source)
        with redirect_stdout(sys.stderr):
            show(checked)
        return Submission(checked.source, hashes, checked, single=self.single)

    def sent(self, submission: "Submission") -> list["Receipt"]:
        """Sends a submission's new files and returns its receipt, or earlier ones if none is new. Raises LogError."""
        from dataclasses import replace

        from pipelines.source.names import escaped
        from pipelines.submitting.receipts import as_before, receipts_of

        before = () if self.again else receipts_of(self.home, submission.source_id, self.cluster_id)
        known = {content: receipt for receipt in before for content in receipt.hashes}
        new = tuple((path, content) for path, content in submission.files if content not in known)
        old = {content: escaped(path.name) for path, content in submission.files if content in known}
        answered = list({known[content].sent_at: known[content] for content in old}.values())
        if old:
            when = ", ".join(receipt.sent_at for receipt in answered)
            typer.echo(
                f"{submission.source_id}: {len(old):,} files were sent before ({when}) and are not again.", err=True
            )
        if not new:
            return [as_before(receipt) for receipt in answered]
        return [self._send(replace(submission, files=new, already_sent=tuple(old.values())))]

    def _send(self, submission: "Submission") -> "Receipt":
        from pipelines.log.topics import topic_of, topics_to_write
        from pipelines.submitting.receipts import keep
        from pipelines.submitting.submission import send

        topics_to_write(self.settings, [topic_of(submission.source_id)])
        pace = _Pace(submission.source_id)
        receipt = send(submission, self.settings, self.cluster_id, datetime.now(UTC), pace)
        pace.end(receipt.messages, receipt.topic)
        typer.echo(f"{submission.source_id}: the receipt is {keep(self.home, receipt)}", err=True)
        return receipt
