"""What `rollout stream status` says of a stream: why it fails, what is over, and each part whatever else is away."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.flink.jobs import Checkpoints, Job, Trouble
from pipelines.cli.measuring import Ledger, LogStanding, Standing
from pipelines.cli.telling import Told, checkpoints_line, job_told, ledger_told, log_told, told_of
from pipelines.keys import Key
from pipelines.log import connection
from pipelines.log.offsets import Range
from pipelines.store import Store, open_store
from pipelines.stream.record import StreamRecord, keep, secrets_path
from pipelines.stream.settings import Secrets
from tests.pipelines.store.streams import begun, portion

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
RUN = "20261126T1100Z"


def ago(seconds: float) -> int:
    return NOW_MS - int(seconds * 1000)


def troubled(*seconds: float, checkpoint: float | None, state: str = "RUNNING") -> Standing:
    """A job that failed so many seconds ago, and whose newest checkpoint began at some time."""
    made = Checkpoints() if checkpoint is None else Checkpoints(3, began_ms=ago(checkpoint), ended_ms=ago(checkpoint))
    found = tuple(Trouble(ago(each), "StoreError: The store x is in use.") for each in sorted(seconds))
    return Standing(Job("1f", "rollout", state), made, len(found), found, ago(min(seconds, default=90) - 4))


@pytest.mark.parametrize(
    ("found", "well"),
    [
        (troubled(checkpoint=None), True),
        (troubled(60, checkpoint=5), True),
        # No checkpoint has been made since.
        (troubled(60, checkpoint=61), False),
        (troubled(60, checkpoint=None), False),
        # It has come twice, with a minute between, and again soon or not for long.
        (troubled(130, 70, checkpoint=5), False),
        (troubled(160, 100, checkpoint=5), True),
        (troubled(3_600, 60, checkpoint=5), True),
        # One failure that is told of twice.
        (troubled(60.2, 60, checkpoint=5), True),
        (troubled(122, 60.2, 60, checkpoint=5), False),
        (troubled(60, checkpoint=5, state="RESTARTING"), False),
        (troubled(60, checkpoint=5, state="FAILING"), False),
        (troubled(checkpoint=5, state="CANCELED"), False),
        (Standing(), False),
    ],
)
def test_a_job_is_well_where_it_runs_and_its_trouble_is_over(found: Standing, well: bool) -> None:
    assert job_told("1f", found, NOW_MS).is_well == well


def test_a_job_that_fails_again_and_again_is_called_failing_and_says_why() -> None:
    told = job_told("1f", troubled(130, 70, checkpoint=5), NOW_MS).lines
    assert told[0] == "Job 1f: failing (RUNNING), started again 2 times"
    assert told[-1] == "Trouble, at 2026-11-26 11:58:50 UTC: StoreError: The store x is in use."


def test_a_trouble_that_is_over_is_told_as_over() -> None:
    told = job_told("1f", troubled(60, checkpoint=5), NOW_MS).lines
    assert told[0] == "Job 1f: RUNNING, started again 1 times"
    assert told[-1] == (
        "Last trouble, at 2026-11-26 11:59:00 UTC, over since 2026-11-26 11:59:04 UTC: "
        "StoreError: The store x is in use."
    )


def test_a_job_without_trouble_says_nothing_of_any() -> None:
    assert len(job_told("1f", troubled(checkpoint=5), NOW_MS).lines) == 2


MADE = Checkpoints(12, began_ms=ago(3.4), ended_ms=ago(3), duration_ms=400, state_bytes=1_230_000, remembered=10)

NEWEST = "12 made, the newest 3 s ago, which took 0.4 s and holds 1.2 MB"


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (Checkpoints(), "none made yet"),
        (Checkpoints(not_begun=5), "none made yet; 5 were not begun, as not all tasks ran yet"),
        (
            Checkpoints(failed=2, remembered=3, why_failed="Checkpoint expired before completing."),
            "none made yet; 2 of the newest 3 failed: Checkpoint expired before completing.",
        ),
        (MADE, NEWEST),
        (
            replace(MADE, failed=1, not_begun=None, waiting_ms=ago(31)),
            f"{NEWEST}; 1 of the newest 10 failed; one has been under way for 31 s",
        ),
        (replace(MADE, waiting_ms=ago(2)), NEWEST),
    ],
)
def test_checkpoints_that_failed_are_told_apart_from_those_that_never_began(found: Checkpoints, line: str) -> None:
    assert checkpoints_line(found, NOW_MS) == f"Checkpoints: {line}"


LEDGER = Ledger({"received": 7, "accepted": 7}, 0, 12, NOW)


@pytest.mark.parametrize(
    ("difference", "behind", "balance"),
    [
        (0, 0, "holds"),
        (3, 0, "3 records are under way"),
        (0, 4, "every record in the ledger is accounted for; it is behind what was read"),
        (0, None, "every record in the ledger is accounted for; how far it is behind cannot be seen"),
    ],
)
def test_the_balance_holds_only_where_all_that_was_read_is_in_the_ledger(
    difference: int, behind: int | None, balance: str
) -> None:
    told = ledger_told(replace(LEDGER, difference=difference), behind)
    assert told.lines[0] == "Records: received 7, accepted 7"
    assert told.lines[1] == f"Balance: {balance}"
    assert told.lines[2] == "Written by the stream: 12 cells, the last at 2026-11-26 12:00:00 UTC"


def test_what_is_read_and_not_written_is_told_beside_the_lag() -> None:
    told = log_told(LogStanding((), lag={"supplier.BRIT": 0}, behind=4))
    assert told == Told(True, ("Lag: 0 messages not read yet; 4 read and not in the ledger yet",))


def test_a_log_that_changed_is_not_well_and_its_lag_is_not_told() -> None:
    assert log_told(LogStanding(("Strays.",), "Made again.")) == Told(False, ("Made again.", "Strays."))


def test_partitions_that_nobody_reads_and_messages_deleted_unread_are_told_beside_the_lag() -> None:
    held = (Range("supplier.BRIT", 0, 5, 9), Range("supplier.BRIT", 1, 0, 1))
    told = log_told(LogStanding((), held=held, read={"supplier.BRIT": {"0": 3}}, lag={"supplier.BRIT": 5}, behind=0))
    assert not told.is_well
    assert "supplier.BRIT/1; stop the stream" in told.lines[1]
    assert "supplier.BRIT/0 (offsets 3 to 4)" in told.lines[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return begun(open_store(f"sqlite:///{tmp_path}/live.db", create=True), RUN)


@pytest.fixture
def home(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a stream whose Flink and broker are away."""
    record = StreamRecord(RUN, Key(b"a key").key_id, 4, None, "127.0.0.1:1", store.name, {"dcc": {"0": 0}}, (), ("1f",))
    keep(tmp_path, record)
    secrets = Secrets(f"sqlite:///{store.name}", "", connection.KafkaSettings("127.0.0.1:1").as_dict())
    secrets.write(secrets_path(tmp_path, RUN))
    monkeypatch.setenv("ROLLOUT_FLINK_REST_PORT", "1")
    monkeypatch.setattr(connection, "PATIENCE_MS", 200)
    return tmp_path


def test_the_ledger_is_told_of_while_flink_and_the_broker_are_away(home: Path, store: Store) -> None:
    store.write_portions(RUN, [portion(intake_of={"received": 3, "accepted": 3})])
    told = told_of(home, NOW)
    assert not told.is_well
    assert told.lines[0] == f"Run {RUN}, store {store.name}, log 127.0.0.1:1, 4 shards"
    assert told.lines[1].startswith("Flink at 127.0.0.1:1 does not answer")
    assert told.lines[3] == "The log at 127.0.0.1:1 cannot be reached: nobody answers there."
    assert told.lines[4].startswith("Records: received 3, accepted 3, ")
    assert told.lines[5].endswith("how far it is behind cannot be seen")


def test_a_store_whose_file_is_gone_is_told_so_with_what_helps(home: Path, store: Store) -> None:
    Path(store.name).unlink()
    (line,) = [line for line in told_of(home, NOW).lines if line.startswith("The store")]
    assert line == (
        f"The store {store.name} that the stream wrote is gone: move it back if it was moved; otherwise `rollout "
        "stream stop`, and `rollout stream start` into a new store counts the log again."
    )


def test_a_supervisor_that_has_died_is_told_with_the_command_that_mends_it(home: Path) -> None:
    assert told_of(home, NOW).lines[2].startswith("Not watched, as it was stopped")
    (home / "stream" / RUN / "supervisor.pid").write_text("4194304 1", encoding="ascii")
    assert "NOT watched" in told_of(home, NOW).lines[2]
    assert "`rollout stream watch`" in told_of(home, NOW).lines[2]


def test_secrets_that_cannot_be_read_are_one_sentence_without_what_they_are(home: Path) -> None:
    path = secrets_path(home, RUN)
    path.write_text('{"store": "postgresql://me:hush@host/db')
    told = told_of(home, NOW)
    assert not told.is_well
    assert [line for line in told.lines if str(path) in line] == 2 * [f"The stream's secrets in {path} are damaged."]
    assert "hush" not in "".join(told.lines)
    path.unlink()
    assert f"The stream's secrets in {path} cannot be read: No such file or directory." in told_of(home, NOW).lines
