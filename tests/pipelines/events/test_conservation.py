"""What was received is what became of it, or nothing is kept; and a killed run leaves the former one as it was."""

import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.bounded import Answer
from pipelines.cli.counting import Options, Work, begin, keep
from pipelines.events.conservation import BalanceBroken, balance_of
from pipelines.store import open_store
from tests.builders import ACME, BOLT, installed, removed, write_files
from tests.pipelines.cli.commands import ROLLOUT, environment, rollout
from tests.pipelines.columnar import counted
from tests.pipelines.store.runs import Cell, cells, intake, new_store, quarantine, run
from tests.pipelines.whole_runs import small_britain

BALANCED = [(ACME, "received", 9), (ACME, "accepted", 4), (ACME, "duplicate", 2), (ACME, "rejected", 3)]


def test_a_balance_that_holds_is_silent() -> None:
    others = [(BOLT, "received", 3), (BOLT, "superseded", 1), (BOLT, "pending", 2), (BOLT, "unknown", 7)]
    balance_of(intake(*BALANCED, *others)).check()
    balance_of(intake()).check()


@pytest.mark.parametrize("status", ["received", "accepted", "duplicate", "superseded", "pending", "rejected"])
@pytest.mark.parametrize("by", [1, -1])
def test_one_record_too_many_or_too_few_breaks_the_balance_of_its_owner(status: str, by: int) -> None:
    broken = balance_of(intake(*BALANCED, (BOLT, "received", 1), (BOLT, "accepted", 1), (ACME, status, by)))
    difference = by if status == "received" else -by
    with pytest.raises(BalanceBroken, match=f"^Received records do not balance for {ACME} by {difference}; nothing"):
        broken.check()


def test_one_owner_does_not_make_up_for_another() -> None:
    with pytest.raises(BalanceBroken, match=f"{ACME} by 1, {BOLT} by -1"):
        balance_of(intake((ACME, "received", 1), (BOLT, "accepted", 1))).check()


def work_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setenv("ROLLOUT_HOME", str(folder / "home"))
    write_files(folder / "in", [installed(), removed()])
    return begin([folder / "in"], Options())


def answer(received: int) -> Answer:
    found = counted([installed(), removed()])
    counts = intake((ACME, "received", received), (ACME, "accepted", int(found.intake["records"].sum())))
    nothing = pl.DataFrame(schema={"reason_code": pl.String, "records": pl.Int64})
    return Answer(cells(Cell(3)), counts, quarantine(), nothing, balance_of(counts), 1, synthetic=True)


def test_a_broken_balance_keeps_nothing_and_the_former_run_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work, store = work_over(tmp_path, monkeypatch), new_store(tmp_path)
    store.write_run(run("former"), cells(Cell(1)), intake((ACME, "received", 1)), quarantine())
    with pytest.raises(BalanceBroken):
        keep(work, answer(received=3), store)
    assert "BROKEN" in capsys.readouterr().out
    assert store.current_run().run_id == "former"
    assert store.cells()["value"].to_list() == [1]
    keep(work, answer(received=2), store)
    assert store.current_run().run_id != "former"
    assert store.cells()["value"].to_list() == [3]


def killed_midway(home: Path, inputs: Path, url: str) -> None:
    """Starts a run and kills it once its work folder shows that events were validated."""
    command = [ROLLOUT, "run", "--input", str(inputs), "--store", url]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment(home), stdout=quiet, stderr=quiet, start_new_session=True)
    while not list((home / "work").glob(f"run-{process.pid}-*/progress.log")):
        assert process.poll() is None, "The run ended before it could be killed."
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.beam
def test_a_killed_run_leaves_the_former_one_and_the_next_sweeps_up(tmp_path: Path) -> None:
    home, url = tmp_path / "home", f"sqlite:///{tmp_path}/rollout.db"
    inputs = small_britain(tmp_path / "in", dirt=0.1)
    store = new_store(tmp_path)
    store.write_run(run("former"), cells(Cell(1)), intake((ACME, "received", 1)), quarantine())
    before = datetime.now(UTC)
    killed_midway(home, inputs, url)
    store = open_store(url)
    assert store.current_run().run_id == "former"
    assert store.cells()["value"].to_list() == [1]
    assert len(list((home / "work").iterdir())) == 1
    done = rollout(home, "run", "--input", inputs, "--store", url)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert list((home / "work").iterdir()) == []
    current = open_store(url).current_run()
    assert current.run_id != "former"
    assert current.started_at.replace(tzinfo=UTC) >= before
