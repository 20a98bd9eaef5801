"""What is kept of a stream between commands, and what is left when another takes its place."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.settings import write_privately
from pipelines.stream.record import (
    StreamRecord,
    current,
    forget_secrets,
    former,
    is_kept,
    jaas_path,
    keep,
    key_path,
    secrets_path,
)
from pipelines.stream.starting import StreamError

ONE = StreamRecord("one", "key", 8, None, "127.0.0.1:1", "sqlite:///a.db", {"dcc": {"0": 3}}, ("--streaming",), ("a",))
TWO = replace(ONE, run_id="two", snapshot="snapshot", jobs=("b", "c"))


def test_before_any_stream_there_is_none(tmp_path: Path) -> None:
    assert not is_kept(tmp_path)
    with pytest.raises(StreamError, match="No stream was started"):
        current(tmp_path)


def test_the_last_that_was_kept_is_the_current_one_and_the_others_are_former(tmp_path: Path) -> None:
    for record in (TWO, ONE, TWO):
        keep(tmp_path, record)
    assert is_kept(tmp_path)
    assert current(tmp_path) == TWO
    assert former(tmp_path) == [ONE]


def test_of_a_forgotten_streams_secrets_none_is_left_and_the_record_stays(tmp_path: Path) -> None:
    keep(tmp_path, TWO)
    keep(tmp_path, ONE)
    paths = [where(tmp_path, "two") for where in (secrets_path, jaas_path, key_path)]
    for path in paths:
        write_privately(path, "secret")
    forget_secrets(tmp_path, ONE)
    assert all(path.exists() for path in paths)
    forget_secrets(tmp_path, TWO)
    forget_secrets(tmp_path, TWO)
    assert not any(path.exists() for path in paths)
    assert former(tmp_path) == [TWO]
