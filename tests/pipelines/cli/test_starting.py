"""What `rollout stream start` refuses to go on from, each in one sentence, before anything has begun."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.cli.streaming import Wanted
from pipelines.stream.record import StreamRecord
from pipelines.stream.starting import StreamError
from tests.pipelines.cli.commands import rollout

RECORD = StreamRecord("one", "key", 8, None, "127.0.0.1:1", "a.db", {}, ("--parallelism=2",))
HERE = ("stream", "start", "--kafka", "127.0.0.1:1", "--store", "live.db")


@pytest.fixture
def savepoint(tmp_path: Path) -> Path:
    folder = tmp_path / "savepoint"
    folder.mkdir()
    (folder / "_metadata").touch()
    return folder


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(shards=8), Wanted(beam_options=("--parallelism=2",))],
)
def test_a_savepoint_s_stream_goes_on_as_it_was(wanted: Wanted) -> None:
    wanted.require_as_it_was(RECORD)


@pytest.mark.parametrize(
    ("wanted", "record", "words"),
    [
        (Wanted(shards=3), RECORD, "of a stream with 8 shards, which stay"),
        (Wanted(beam_options=("--parallelism=1",)), RECORD, r"started with \(--parallelism=2\)"),
        (Wanted(beam_options=("--parallelism=1",)), replace(RECORD, beam_options=()), r"started with \(none\)"),
    ],
)
def test_other_shards_or_options_than_a_savepoint_s_are_refused(
    wanted: Wanted, record: StreamRecord, words: str
) -> None:
    with pytest.raises(StreamError, match=words):
        wanted.require_as_it_was(record)


def test_a_stream_goes_on_from_one_thing_only(tmp_path: Path, savepoint: Path) -> None:
    both = ("--from-snapshot", savepoint, "--from-savepoint", savepoint)
    refused = rollout(tmp_path / "home", *HERE, *both)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "A stream goes on from a snapshot or from a savepoint; give one of the two.\n"


@pytest.mark.parametrize(
    ("option", "words"), [("--from-snapshot", "no folder"), ("--from-savepoint", "no savepoint in")]
)
def test_a_relative_folder_that_is_not_there_is_named_by_its_whole_path(
    tmp_path: Path, option: str, words: str
) -> None:
    refused = rollout(tmp_path / "home", *HERE, option, "none")
    assert refused.returncode == 2
    assert f"{words} {tmp_path}/none" in refused.stderr


def test_a_store_that_is_not_there_is_named_by_its_whole_path(tmp_path: Path) -> None:
    refused = rollout(tmp_path / "home", "cells", "--store", "sqlite:///none.db", "--out", "cells.csv")
    assert refused.stderr == f"There is no store at {tmp_path}/none.db; write one with `rollout run`.\n"
