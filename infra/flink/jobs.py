"""Finds, watches, saves and ends jobs on a Flink cluster through its REST interface."""

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from infra.flink.causes import reason
from infra.processes import ClusterError

TIMEOUT_SECONDS: Final = 10
SAVEPOINT_SECONDS: Final = 180.0
POLL_SECONDS: Final = 0.5
RUNNING: Final = "RUNNING"
# States that a job does not leave by itself.
LOST: Final = ("FAILED", "CANCELED", "FINISHED", "SUSPENDED")


class FlinkAway(Exception):
    """The cluster does not answer."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job: its id, its name and its state."""

    job_id: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failure of a job: its cause in one sentence, and its time in milliseconds since 1970."""

    at_ms: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """A job's checkpoints: sizes in bytes, times in milliseconds (began, ended, waiting: since 1970).

    `failed` counts those that began and failed, of the `remembered` newest that Flink still lists. `not_begun` counts
    those that Flink counts as failed but that never began, as not all tasks ran; None if Flink no longer lists all.
    `began_ms` to `state_bytes` describe the newest complete one; `waiting_ms` is when the oldest under way began.
    """

    completed: int = 0
    failed: int = 0
    remembered: int = 0
    not_begun: int | None = 0
    why_failed: str = ""
    waiting_ms: int | None = None
    began_ms: int | None = None
    ended_ms: int | None = None
    duration_ms: int = 0
    state_bytes: int = 0
    longest_ms: int = 0


def ask(address: str, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
    """Returns the JSON that Flink answers with. Raises FlinkAway, also for a job that it has forgotten."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://{address}{path}", data, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise FlinkAway(f"Flink at {address} knows nothing of {path} any more.") from error
        raise FlinkAway(f"Flink at {address} answers {error.code}.") from error
    except (OSError, ValueError) as error:
        raise FlinkAway(f"Flink at {address} does not answer; `rollout flink up` starts it.") from error


def job_named(address: str, name: str) -> Job | None:
    """Returns the newest job with a name, or None. Raises FlinkAway."""
    found = [job for job in ask(address, "/jobs/overview")["jobs"] if job["name"] == name]
    newest = max(found, key=lambda job: job["start-time"], default=None)
    return None if newest is None else Job(newest["jid"], newest["name"], newest["state"])


def wait_for_job(address: str, name: str, but: str | None, seconds: float) -> Job:
    """Waits until the job with a name, and an id other than `but`, runs. Raises FlinkAway and ClusterError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job = job_named(address, name)
        if job is not None and job.job_id != but:
            if job.state == RUNNING and _all_tasks_run(address, job.job_id):
                return job
            if job.state in LOST:
                raise ClusterError(f"The job {name} has ended as {job.state}: {_newest(address, job)}")
        time.sleep(POLL_SECONDS)
    raise ClusterError(f"The job {name} did not run after {seconds:.0f} s; see Flink's pages at http://{address}.")


def _newest(address: str, job: Job) -> str:
    return next((trouble.sentence for trouble in troubles(address, job.job_id)), "no reason is known.")


def _all_tasks_run(address: str, job_id: str) -> bool:
    return all(vertex["status"] == RUNNING for vertex in ask(address, f"/jobs/{job_id}")["vertices"])


def troubles(address: str, job_id: str) -> tuple[Trouble, ...]:
    """Returns a job's failures, newest first, as far back as Flink keeps them. Raises FlinkAway."""
    entries = ask(address, f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
    found = (Trouble(entry["timestamp"], reason(entry["stacktrace"])) for entry in entries)
    return tuple(sorted(found, key=lambda trouble: trouble.at_ms, reverse=True))


def running_since(address: str, job_id: str) -> int:
    """Returns when a job last began to run, in milliseconds since 1970; 0 if it never has. Raises FlinkAway."""
    return int(ask(address, f"/jobs/{job_id}")["timestamps"][RUNNING])


def restarts(address: str, job_id: str) -> int:
    """Returns how often Flink itself has restarted a job. Raises FlinkAway."""
    told = ask(address, f"/jobs/{job_id}/metrics?get=numRestarts")
    return int(float(told[0]["value"])) if told else 0


def checkpoints_of(address: str, job_id: str) -> Checkpoints:
    """Returns a job's checkpoints. Raises FlinkAway."""
    return checkpoints_in(ask(address, f"/jobs/{job_id}/checkpoints"))


def checkpoints_in(told: dict[str, Any]) -> Checkpoints:
    """Reads checkpoints from Flink's answer, which counts those that never began as failed but does not list them."""
    counts, listed = told["counts"], told["history"]
    failed = [one for one in listed if one["status"] == "FAILED"]
    lists_all = len(listed) == counts["completed"] + counts["in_progress"] + len(failed)
    common = Checkpoints(
        completed=counts["completed"],
        failed=len(failed),
        remembered=len(listed),
        not_begun=counts["failed"] - len(failed) if lists_all else None,
        why_failed=failed[0].get("failure_message") or "" if failed else "",
        waiting_ms=min((one["trigger_timestamp"] for one in listed if one["status"] == "IN_PROGRESS"), default=None),
    )
    newest = (told["latest"] or {}).get("completed")
    if not newest:
        return common
    return replace(
        common,
        began_ms=newest["trigger_timestamp"],
        ended_ms=newest["latest_ack_timestamp"],
        duration_ms=newest["end_to_end_duration"],
        state_bytes=newest["state_size"],
        longest_ms=told["summary"]["end_to_end_duration"]["max"],
    )


def newest_checkpoint(checkpoints: Path, job_ids: list[str]) -> Path | None:
    """Returns the newest complete checkpoint that any of the jobs (oldest first) left, or None."""
    for job_id in reversed(job_ids):
        left = [path.parent for path in (checkpoints / job_id).glob("chk-*/_metadata")]
        if left:
            return max(left, key=lambda path: int(path.name.partition("-")[2]))
    return None


def forget_checkpoints(checkpoints: Path, job_ids: Iterable[str]) -> None:
    """Deletes the checkpoints of jobs that are over and that nothing will continue from."""
    for job_id in job_ids:
        shutil.rmtree(checkpoints / job_id, ignore_errors=True)


def save_and_cancel(address: str, job_id: str, folder: Path) -> Path:
    """Makes a savepoint of a job under a folder, ends the job and returns the savepoint's folder.

    Raises FlinkAway and ClusterError.
    """
    wanted = {"target-directory": f"file://{folder.absolute()}", "cancel-job": True}
    trigger = ask(address, f"/jobs/{job_id}/savepoints", "POST", wanted)["request-id"]
    deadline = time.monotonic() + SAVEPOINT_SECONDS
    while time.monotonic() < deadline:
        told = ask(address, f"/jobs/{job_id}/savepoints/{trigger}")
        if told["status"]["id"] == "COMPLETED":
            place = told["operation"].get("location")
            if place is None:
                why = told["operation"].get("failure-cause", {}).get("class", "no reason")
                raise ClusterError(f"Flink could not make the savepoint: {why}.")
            return Path(place.removeprefix("file:"))
        time.sleep(POLL_SECONDS)
    raise ClusterError(f"The savepoint was not made after {SAVEPOINT_SECONDS:.0f} s.")


def cancel(address: str, job_id: str, seconds: float = 60.0) -> None:
    """Cancels a job and waits until it has ended. Raises FlinkAway and ClusterError."""
    ask(address, f"/jobs/{job_id}?mode=cancel", "PATCH")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ask(address, f"/jobs/{job_id}")["state"] in LOST:
            return
        time.sleep(POLL_SECONDS)
    raise ClusterError(f"The job {job_id} has not ended after {seconds:.0f} s.")
