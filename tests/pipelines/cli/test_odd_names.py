"""Folders and files of any name are counted by every verb, and told of as printable text."""

import csv
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.builders import ACME, altered, installed, write_files
from tests.pipelines.cli.commands import rollout

pytestmark = pytest.mark.beam

# Latin-1, a line end, a colour, and what rich would take for markup.
FOLDER = os.fsdecode(b"Z\xe4hler\n\x1b[31m[b] :smile:")
FILE = os.fsdecode(b'=Juli \xff,".avro')
OWNER = "Z\\xe4hler\\x0a\\x1b[31m[b] :smile:"
PLACE = f'{OWNER}/=Juli \\xff,".avro'


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    (path,) = write_files(tmp_path / "in", [installed(), altered(installed(), event_id="no uuid")])
    folder = tmp_path / FOLDER / FOLDER
    folder.mkdir(parents=True)
    shutil.move(path, folder / FILE)
    return folder.parent


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_run_counts_files_of_any_name_and_so_does_verify(tmp_path: Path, inputs: Path) -> None:
    store = tmp_path / "rollout.db"
    done = rollout(tmp_path / "home", "run", "--input", inputs, "--store", f"sqlite:///{store}")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert OWNER in done.stdout
    for verb in ("quarantine", "intake"):
        out = rollout(tmp_path / "home", verb, "--store", f"sqlite:///{store}", "--out", tmp_path / f"{verb}.csv")
        assert out.returncode == 0, out.stderr
    placed = [(row[0], row[2], row[4]) for row in rows_of(tmp_path / "quarantine.csv")[1:]]
    assert sorted(placed) == [
        (OWNER, "EVENT_ID_FORMAT;SOURCE_NOT_OWNER", f"{PLACE} row 1"),
        (OWNER, "SOURCE_NOT_OWNER", f"{PLACE} row 0"),
    ]
    assert [OWNER, "received", "2"] in rows_of(tmp_path / "intake.csv")
    with sqlite3.connect(store) as connection:
        ((kept,),) = connection.execute("SELECT inputs FROM runs").fetchall()
    connection.close()
    assert json.loads(kept)["names"] == [OWNER]
    assert rollout(tmp_path / "home", "verify", "--input", inputs, "--store", f"sqlite:///{store}").returncode == 0


def test_a_check_of_files_of_any_name_says_where_rows_lie(tmp_path: Path, inputs: Path) -> None:
    done = rollout(tmp_path / "home", "check", inputs, "--source", ACME)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"  {PLACE} row 1: EVENT_ID_FORMAT" in done.stdout.splitlines()


@pytest.mark.parametrize("verb", ["run", "check"])
def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, inputs: Path, verb: str) -> None:
    (inputs / "late").symlink_to("nowhere")
    wanted = [inputs] if verb == "check" else ["--input", inputs, "--store", tmp_path / "rollout.db"]
    done = rollout(tmp_path / "home", verb, *wanted)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"The link {tmp_path}/{OWNER}/late leads nowhere: No such file or directory.\n"
    assert not (tmp_path / "rollout.db").exists()


def test_the_number_of_files_that_are_not_avro_by_name_is_told(tmp_path: Path, inputs: Path) -> None:
    (inputs / "README.txt").touch()
    done = rollout(tmp_path / "home", "check", inputs, "--source", ACME)
    assert done.stderr == "Files beside them that do not end in .avro and are not read: 1.\n"


def test_a_snapshot_and_a_store_may_have_such_names_too(tmp_path: Path, inputs: Path) -> None:
    store, snapshot = tmp_path / FOLDER / "rollout.db", tmp_path / f"{FOLDER} snapshot"
    done = rollout(tmp_path / "home", "run", "--input", inputs, "--store", store, "--snapshot", snapshot)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert snapshot.is_dir()
