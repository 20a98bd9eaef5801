"""`rollout` as a person meets it: what it does, what it says of mistakes, and its exit status."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app, spread_inputs
from tests.builders import ACME, BOLT, altered, installed, mode_changed, removed, visited, write_files
from tests.pipelines.cli.commands import rollout
from tests.pipelines.store.runs import Cell, new_store, write

HEAVY = ("apache_beam", "great_expectations", "dash", "polars", "pandas", "numpy")


def lines(folder: Path) -> list[Path]:
    """All files under a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    write_files(tmp_path / "in", [installed(), mode_changed(), visited(by=BOLT)])
    return tmp_path / "in"


def told(arguments: list[str]) -> str:
    """The one sentence on standard error with which a command ends, exit status 2."""
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (sentence,) = done.stderr.strip().splitlines()
    assert sentence.endswith((".", '"')), sentence
    return sentence


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write(new_store(tmp_path), "former", Cell(1))
    return tmp_path / "rollout.db"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_HOME", str(tmp_path / "home"))


def run_with(tmp_path: Path, *more: str, url: str | None = None) -> list[str]:
    return ["run", "--store", url or f"sqlite:///{tmp_path}/new.db", *more]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere")
    assert missing in told(run_with(tmp_path, "--input", missing))


def test_an_empty_folder_is_named_and_told_how_files_lie(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    sentence = told(run_with(tmp_path, "--input", str(tmp_path / "in")))
    assert str(tmp_path / "in") in sentence
    assert "<source_id>/<name>.avro" in sentence


@pytest.mark.parametrize("text", ["2026-02-30", "soon", "30/06/2026", "2026-06-30T25:00"])
def test_a_wrong_time_is_quoted(tmp_path: Path, inputs: Path, text: str) -> None:
    assert repr(text) in told(run_with(tmp_path, "--input", str(inputs), "--as-at", text))
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("url", ["sqlite:/x", "sqlite://host/db", "oracle://somewhere/db", "://", ""])
def test_a_malformed_store_is_refused(tmp_path: Path, inputs: Path, url: str) -> None:
    before = lines(tmp_path)
    told(["run", "--input", str(inputs), "--store", url])
    assert lines(tmp_path) == before


@pytest.mark.parametrize("verb", ["cells", "quarantine", "intake"])
def test_a_missing_store_is_refused_and_not_made(tmp_path: Path, verb: str) -> None:
    url, out = f"sqlite:///{tmp_path}/none.db", tmp_path / "out.csv"
    assert "none.db" in told([verb, "--store", url, "--out", str(out)])
    assert lines(tmp_path) == []


@pytest.mark.parametrize("verb", ["run", "verify"])
def test_an_unreadable_store_is_refused_and_left_as_it_is(tmp_path: Path, inputs: Path, verb: str) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(b"Dear data team, this is no database.\n" * 100)
    before = path.read_bytes()
    assert "letter.db" in told([verb, "--input", str(inputs), "--store", f"sqlite:///{path}"])
    assert path.read_bytes() == before


@pytest.mark.parametrize("verb", ["run", "verify"])
def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(inputs: Path, store: Path, verb: str) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE store_version SET number = number + 1")
    connection.close()
    before = store.read_bytes()
    assert "newer" in told([verb, "--input", str(inputs), "--store", f"sqlite:///{store}"])
    assert store.read_bytes() == before


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path, store: Path) -> None:
    out = tmp_path / "no folder" / "cells.csv"
    assert "no folder" in told(["cells", "--store", f"sqlite:///{store}", "--out", str(out)])


def test_an_empty_key_is_refused(tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_PSEUDONYM_KEY", " ")
    assert "ROLLOUT_PSEUDONYM_KEY" in told(run_with(tmp_path, "--input", str(inputs)))


@pytest.mark.parametrize(
    "arguments", [["run", "--nonsense"], ["nonsense"], ["run", "--shards", "0"], ["run", "--input"]]
)
def test_an_option_that_nobody_knows_is_told_with_exit_status_2(tmp_path: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert lines(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "spread"),
    [
        ("run --input a b --store s", "run --input a --input b --store s"),
        ("run --input a --store s --input b c", "run --input a --store s --input b --input c"),
        ("run --input=a b", "run --input=a b"),
        ("run --input a b -- --runner X Y", "run --input a --input b -- --runner X Y"),
        ("run --store s -- --input a b", "run --store s -- --input a b"),
        ("check a b", "check a b"),
        ("", ""),
    ],
)
def test_several_inputs_may_follow_one_option(given: str, spread: str) -> None:
    assert spread_inputs(given.split()) == spread.split()


def test_help_comes_without_loading_what_is_heavy() -> None:
    code = (
        "import sys; from pipelines.cli.app import main; sys.argv = ['rollout', '--help']\n"
        "try: main()\n"
        f"except SystemExit as end: sys.exit(str(end.code) + str(sorted(set({HEAVY!r}) & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "0[]"
    for verb in ("demo", "generate", "run", "cells", "quarantine", "intake", "check", "verify", "dashboard"):
        assert verb in done.stdout


def test_check_ends_with_0_for_a_good_file_and_1_for_one_with_something_to_reject(tmp_path: Path) -> None:
    (good,) = write_files(tmp_path / "good", [installed(), installed(on="2026-05-09")])
    (bad,) = write_files(tmp_path / "bad", [removed(), altered(removed(), event_id="one")])
    done = rollout(tmp_path / "home", "check", good)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    done = rollout(tmp_path / "home", "check", bad)
    assert done.returncode == 1
    assert "EVENT_ID_FORMAT" in done.stdout
    assert removed()["meter_point_id"] not in done.stdout + done.stderr
    assert lines(tmp_path) == sorted([good, bad])


@pytest.mark.beam
def test_run_then_verify_then_a_cell_altered_by_hand(tmp_path: Path, inputs: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "rollout.db"
    url, more = f"sqlite:///{path}", tmp_path / "more"
    write_files(more, [removed()])
    done = rollout(home, "run", "--input", inputs, more, "--store", url)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "3 files with" not in done.stderr
    assert "4 files with 4 events" in done.stderr
    assert ACME in done.stdout
    assert "BROKEN" not in done.stdout

    done = rollout(home, "verify", "--input", inputs, more, "--store", url)
    assert done.returncode == 0
    assert "agree" in done.stdout

    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE ledger_cells SET value = value + 5 WHERE measure = 'removals'")
    connection.close()
    done = rollout(home, "verify", "--input", inputs, more, "--store", url)
    assert done.returncode == 1
    (altered_line,) = [line for line in done.stdout.splitlines() if line.startswith("removals,")]
    assert altered_line.startswith(f"removals,2026Q2,{ACME},")
    assert altered_line.endswith(",6,1")
    assert "1 cells differ." in done.stderr
