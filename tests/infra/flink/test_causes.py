"""What Flink tells of failures that were provoked on a real cluster; frames of libraries are left out of the texts."""

from pathlib import Path

import pytest

from infra.flink.causes import MOST_LETTERS, reason

FAILURES = Path(__file__).with_name("failures")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "deleted_store",
            (
                "StoreMissing: The store /srv/data/live.db that the stream wrote is gone: move it back if it was "
                "moved; otherwise `rollout stream stop`, and `rollout stream start` into a new store counts the "
                "log again."
            ),
        ),
        (
            "locked_store",
            "StoreError: The store /srv/data/live.db is in use by another program; try again when that has finished.",
        ),
        (
            "damaged_secrets",
            "RuntimeError: json.decoder.JSONDecodeError: Unterminated string starting at: line 1 column 11 (char 10)",
        ),
        (
            "worker_killed",
            (
                "StatusRuntimeException: CANCELLED: call already cancelled. Use "
                "ServerCallStreamObserver.setOnCancelHandler() to disable this exception"
            ),
        ),
        (
            "task_manager_killed",
            "JobMasterException: TaskManager with id 127.0.0.1:34537-87b5bc is no longer reachable.",
        ),
        ("no_slots", "NoResourceAvailableException: Could not acquire the minimum required resources."),
    ],
)
def test_of_a_failure_one_sentence_is_told(name: str, sentence: str) -> None:
    assert reason((FAILURES / f"{name}.txt").read_text(encoding="utf-8")) == sentence


PYTHON = """java.lang.Exception: Failed to finish remote bundle
\tat org.apache.Task.run(Task.java:566)
Caused by: java.lang.RuntimeException: Error received from SDK harness: Traceback (most recent call last):
  File "/srv/rollout/step.py", line 3, in process
    work()
{raised}

\tat org.apache.Client.onNext(Client.java:180)
\t... 1 more
Caused by: java.lang.RuntimeException: Error received
\tat org.apache.Client.onNext(Client.java:180)
"""


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        ("KeyError: 'x' [while running 'Fold by shard-ptransform-57']", "KeyError: 'x'"),
        ("a.b.Broken: one line\nanother line [while running 'Fold']\n", "Broken: one line another line"),
        ("Broken: one\n\nwith a blank between", "Broken: one with a blank between"),
        ("AssertionError", "AssertionError"),
        ("a.b.Broken", "Broken"),
    ],
)
def test_the_last_line_of_a_traceback_is_what_was_raised_with_all_its_lines(raised: str, sentence: str) -> None:
    assert reason(PYTHON.format(raised=raised)) == sentence


def test_what_nothing_is_known_of_is_no_sentence() -> None:
    assert reason("") == ""


def test_a_long_message_is_cut() -> None:
    assert len(reason(PYTHON.format(raised="Broken: " + "x" * 5_000))) == MOST_LETTERS
