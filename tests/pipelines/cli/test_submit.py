"""`rollout submit`: what is told without a log, and what is in the log after it, on a real broker."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.kafka import cluster
from infra.processes import running
from pipelines.cli.submitting import by_folder
from pipelines.log.message import Message
from pipelines.log.offsets import ranges
from pipelines.log.reading import messages
from pipelines.log.topics import ensure_topics
from pipelines.source.messages import form
from tests.builders import ACME, A, B, Layout, commissioned, installed, removed, write_files
from tests.pipelines.cli.commands import ROLLOUT, environment, rollout
from tests.pipelines.log.plain_broker import Broker, free_ports, plain_broker

SYNTHETIC = Layout(metadata=(("gb.smartmeter.synthetic", "true"),))
EVENTS = [installed(A), installed(B), removed(A), commissioned(A)]
WRONG = installed(B, on="2026-04-04", region_code="E99999999")


def test_files_go_by_their_folders() -> None:
    files = [Path("/x/BGAS/a.avro"), Path("/x/EENG/a.avro"), Path("/x/BGAS/b.avro")]
    assert by_folder(files) == [[files[0], files[2]], [files[1]]]


def test_a_log_that_is_away_is_told_and_nothing_is_on_standard_output(tmp_path: Path) -> None:
    write_files(tmp_path / "in", EVENTS)
    told = rollout(tmp_path / "home", "submit", tmp_path / "in", "--kafka", f"127.0.0.1:{free_ports()[0]}")
    assert (told.returncode, told.stdout) == (2, "")
    assert "cannot be reached: nobody answers there." in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.avro", "--kafka", "127.0.0.1:1"], "There is no file or folder nowhere.avro."),
        (["nowhere.avro", "--kafka", "here"], "--kafka wants addresses such as 127.0.0.1:9092, not 'here'."),
        (["nowhere.avro", "--kafka", "here:²"], "--kafka wants addresses such as 127.0.0.1:9092, not 'here:²'."),
        (["x.avro", "--kafka", "127.0.0.1:1", "--receipt", "/nowhere/receipt.json"], "There is no folder /nowhere"),
    ],
)
def test_what_cannot_be_begun_is_told_at_once(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    told = rollout(tmp_path / "home", "submit", *arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(sentence)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with plain_broker(tmp_path_factory.mktemp("submit")) as made:
        yield made


def submitted(broker: Broker, home: Path, *arguments: str | Path, status: int = 0) -> Any:
    """The receipt, or None where nothing is on standard output."""
    told = rollout(home, "submit", *arguments, "--kafka", broker.address)
    assert told.returncode == status, told.stderr
    return json.loads(told.stdout) if told.stdout else None


def all_messages(broker: Broker, topic: str) -> list[Message]:
    return [
        one for each in ranges(broker.settings, [topic]) for batch in messages(broker.settings, each) for one in batch
    ]


@pytest.mark.cluster
def test_a_folder_of_sources_goes_to_their_topics_and_comes_back_as_its_events(broker: Broker, tmp_path: Path) -> None:
    write_files(tmp_path / "in", EVENTS, SYNTHETIC)
    receipts = submitted(broker, tmp_path / "home", tmp_path / "in", "--receipt", tmp_path / "all.json")
    assert [(one["topic"], one["records"], one["messages"]) for one in receipts] == [
        ("supplier.BGAS", 3, 2),
        ("dcc", 1, 1),
    ]
    assert json.loads((tmp_path / "all.json").read_text(encoding="utf-8")) == receipts
    found = form([*all_messages(broker, "supplier.BGAS"), *all_messages(broker, "dcc")])
    assert (sum(block.frame.height for block in found.blocks), found.losses, found.unmarked) == (4, (), {})
    assert {origin.owner for block in found.blocks for origin in block.origins} == {"BGAS", "SDCC"}


@pytest.mark.cluster
def test_the_receipt_says_where_it_lies_and_the_same_content_is_not_sent_again(broker: Broker, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (path,) = write_files(tmp_path / "in", [installed(id="of this test alone")])
    first = submitted(broker, home, path)
    (place,) = first["offsets"]
    end = all_messages(broker, "supplier.BGAS")[-1].offset
    assert (place["first_offset"], place["last_offset"], place["messages"]) == (end, end, 1)
    assert first["checked"] == {"accepted": 1, "received": 1}
    copy = path.with_name("another name.avro")
    copy.write_bytes(path.read_bytes())
    assert submitted(broker, home, copy) == {**first, "again": True}
    assert all_messages(broker, "supplier.BGAS")[-1].offset == end
    assert submitted(broker, home, copy, "--again")["offsets"][0]["first_offset"] == end + 1


@pytest.mark.cluster
def test_a_file_of_any_name_is_sent_and_named_in_the_receipt(broker: Broker, tmp_path: Path) -> None:
    (path,) = write_files(tmp_path / "in", [installed(id="of a file with an odd name")])
    odd = path.rename(path.with_name(os.fsdecode(b"J\xe4n\n.AVRO")))
    first = submitted(broker, tmp_path / "home", odd.parent)
    assert [file["name"] for file in first["files"]] == ["J\\xe4n\\x0a.AVRO"]
    assert submitted(broker, tmp_path / "home", odd) == {**first, "again": True}


@pytest.mark.cluster
def test_only_new_files_of_a_folder_are_sent(broker: Broker, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "in"
    write_files(folder, [installed(id="sent with the folder")])
    submitted(broker, home, folder)
    write_files(folder, [removed(id="sent later")])
    later = submitted(broker, home, folder)
    assert [file["name"] for file in later["files"]] == ["MeterRemoved.avro"]
    assert later["already_sent"] == ["MeterInstalled.avro"]


@pytest.mark.cluster
def test_what_would_be_rejected_is_sent_unless_strict(broker: Broker, tmp_path: Path) -> None:
    paths = write_files(tmp_path / "in", [installed(id="good"), WRONG])
    assert submitted(broker, tmp_path / "home", *paths, "--strict", status=1) is None
    receipt = submitted(broker, tmp_path / "home", *paths)
    assert receipt["records"] == 2
    assert receipt["rejected_by_reason"] == {"REGION_UNKNOWN": 1}


@pytest.mark.cluster
def test_single_events_say_which_file_they_are_of(broker: Broker, tmp_path: Path) -> None:
    (path,) = write_files(tmp_path / "in", [installed(id="one"), installed(id="two")], SYNTHETIC)
    receipt = submitted(broker, tmp_path / "home", path, "--single")
    assert (receipt["records"], receipt["messages"], receipt["single"]) == (2, 2, True)
    last = all_messages(broker, "supplier.BGAS")[-2:]
    assert [one.value and one.value[:2] for one in last] == [b"\xc3\x01"] * 2
    assert all(one.synthetic for one in last)


@pytest.mark.cluster
def test_what_cannot_be_read_is_counted_and_not_sent(broker: Broker, tmp_path: Path) -> None:
    folder = tmp_path / "in" / ACME
    folder.mkdir(parents=True)
    (folder / "notes.avro").write_text("not Avro", encoding="utf-8")
    receipt = submitted(broker, tmp_path / "home", folder, status=1)
    assert (receipt["records"], receipt["messages"], receipt["files"][0]["gaps"]) == (0, 0, 1)


@pytest.mark.cluster
def test_a_submission_that_was_broken_off_has_no_receipt_and_is_sent_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with plain_broker(tmp_path / "broker") as broker:
        ensure_topics(broker.settings)
        (path,) = write_files(tmp_path / "in", [installed(id="late")])
        pid = running(cluster.place_of(broker.home), cluster.NAME)
        assert pid is not None
        command = [ROLLOUT, "submit", str(path), "--kafka", broker.address]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(home)) as process:
            assert process.stderr is not None
            next(line for line in process.stderr if "Submission of" in line)
            # From here on, when the files have been checked, the broker answers nothing.
            os.kill(pid, signal.SIGSTOP)
            process.kill()
        os.kill(pid, signal.SIGCONT)
        assert not list(home.glob("receipts/*"))
        assert submitted(broker, home, path)["again"] is False
