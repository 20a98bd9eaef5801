"""What Flink's own answers tell of checkpoints; the answers are those of a real cluster, less what nobody asks for."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infra.flink.jobs import Checkpoints, FlinkAway, ask, checkpoints_in

FAILURES = Path(__file__).with_name("failures")


def told(name: str) -> Checkpoints:
    return checkpoints_in(json.loads((FAILURES / f"checkpoints_{name}.json").read_text(encoding="utf-8")))


def test_those_that_flink_did_not_begin_did_not_fail() -> None:
    well = told("well")
    assert (well.completed, well.failed, well.not_begun, well.remembered) == (9, 0, 8, 9)
    assert well.waiting_ms is None
    assert well.began_ms is not None
    assert well.ended_ms == well.began_ms + well.duration_ms


def test_one_under_way_has_not_failed() -> None:
    waiting = told("deleted_waiting")
    assert (waiting.completed, waiting.failed, waiting.not_begun) == (9, 0, 8)
    assert waiting.waiting_ms == 1795682134417


def test_one_that_began_and_failed_is_told_with_its_reason() -> None:
    over = told("deleted_over")
    assert (over.completed, over.failed, over.remembered) == (12, 1, 10)
    assert over.why_failed == "Checkpoint Coordinator is suspending."
    # Flink lists the newest ten only, and three that are whole are not among them.
    assert over.not_begun is None


def test_before_the_first_that_is_whole_those_that_failed_are_told_of() -> None:
    counts = {"completed": 0, "failed": 6, "in_progress": 0}
    failed = {"status": "FAILED", "trigger_timestamp": 5, "failure_message": "Checkpoint expired before completing."}
    found = checkpoints_in({"counts": counts, "latest": {"completed": None}, "history": [failed]})
    assert (found.completed, found.failed, found.not_begun) == (0, 1, 5)
    assert found.why_failed == "Checkpoint expired before completing."


class Forgetful(BaseHTTPRequestHandler):
    """Flink's pages after a restart: no job is known."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the class above
        """Says nothing."""


def test_a_job_that_flink_has_forgotten_is_one_sentence() -> None:
    with HTTPServer(("127.0.0.1", 0), Forgetful) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(FlinkAway, match="knows nothing of /jobs/abc any more"):
            ask(f"127.0.0.1:{server.server_port}", "/jobs/abc")
        thread.join()
