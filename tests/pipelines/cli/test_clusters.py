"""`rollout kafka` and `rollout flink` where nothing runs and where the environment cannot be used."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_HOME", str(tmp_path))
    monkeypatch.delenv("ROLLOUT_KAFKA_PORT", raising=False)


@pytest.mark.parametrize(("name", "programs"), [("kafka", 1), ("flink", 4)])
def test_the_status_of_what_does_not_run_names_each_program_and_is_1(name: str, programs: int) -> None:
    done = CliRunner().invoke(app, [name, "status"])
    assert done.exit_code == 1
    header, *rows = [line.split() for line in done.stdout.splitlines()]
    assert header == ["program", "pid", "address", "memory", "log"]
    assert [row[1] for row in rows] == ["-"] * programs


@pytest.mark.parametrize(
    ("name", "sentence"), [("kafka", "Kafka was not running."), ("flink", "Flink was not running.")]
)
def test_ending_what_does_not_run_is_no_mistake(name: str, sentence: str) -> None:
    done = CliRunner().invoke(app, [name, "down"])
    assert (done.exit_code, done.stdout.strip()) == (0, sentence)


@pytest.mark.parametrize("verb", [["kafka", "up"], ["kafka", "status"], ["flink", "up"], ["flink", "status"]])
def test_a_setting_that_cannot_be_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch, verb: list[str]) -> None:
    monkeypatch.setenv("ROLLOUT_KAFKA_PORT", "nine")
    done = CliRunner().invoke(app, verb)
    assert done.exit_code == 2
    assert done.stderr.startswith("ROLLOUT_KAFKA_PORT cannot be 'nine': ")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["kafka", "flink"])
def test_a_missing_java_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, [name, "up"])
    assert done.exit_code == 2
    assert done.stderr == "Java 17 or newer is needed and `java` was not found; install it first.\n"
    assert done.stdout == ""
