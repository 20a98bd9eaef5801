"""Jobs on a Flink cluster as its REST interface tells of them: found by name, watched, saved and ended."""

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
# States from which a job does not come back by itself.
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
    """What made a job fail, in one sentence, and when, in milliseconds since 1970."""

    at_ms: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """What is known of a job's checkpoints; sizes in bytes, times in milliseconds (began, ended: since 1970).

    `failed` are those that began and failed, of the `remembered` newest that Flink still tells of. `not_begun` are
    those that Flink counts as failed and that never began, as not all tasks ran; None where it has forgotten which.
    `began_ms` to `state_bytes` describe the newest that is whole; `waiting_ms` is when one that is under way began.
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
    """The JSON that Flink answers with. Raises FlinkAway, and KeyError for what is not there."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://{address}{path}", data, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise KeyError(path) from error
        raise FlinkAway(f"Flink at {address} answers {error.code}.") from error
    except (OSError, ValueError) as error:
        raise FlinkAway(f"Flink at {address} does not answer; `rollout flink up` starts it.") from error


def job_named(address: str, name: str) -> Job | None:
    """The newest job of a name. Raises FlinkAway."""
    found = [job for job in ask(address, "/jobs/overview")["jobs"] if job["name"] == name]
    newest = max(found, key=lambda job: job["start-time"], default=None)
    return None if newest is None else Job(newest["jid"], newest["name"], newest["state"])


def wait_for_job(address: str, name: str, but: str | None, seconds: float) -> Job:
    """The job of a name, other than the one with the id `but`, when it runs. Raises FlinkAway and ClusterError."""
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
    """What made a job fail, the newest first, as far back as Flink remembers. Raises FlinkAway."""
    entries = ask(address, f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
    found = (Trouble(entry["timestamp"], reason(entry["stacktrace"])) for entry in entries)
    return tuple(sorted(found, key=lambda trouble: trouble.at_ms, reverse=True))


def running_since(address: str, job_id: str) -> int:
    """When a job last came to run, in milliseconds since 1970; 0 before it has. Raises FlinkAway."""
    return int(ask(address, f"/jobs/{job_id}")["timestamps"][RUNNING])


def restarts(address: str, job_id: str) -> int:
    """How often Flink itself has started a job again."""
    told = ask(address, f"/jobs/{job_id}/metrics?get=numRestarts")
    return int(float(told[0]["value"])) if told else 0


def checkpoints_of(address: str, job_id: str) -> Checkpoints:
    """What is known of a job's checkpoints. Raises FlinkAway."""
    return checkpoints_in(ask(address, f"/jobs/{job_id}/checkpoints"))


def checkpoints_in(told: dict[str, Any]) -> Checkpoints:
    """What Flink's answer tells of checkpoints: it counts those that never began as failed, and lists only others."""
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
    """The newest whole checkpoint that any of some jobs, oldest first, has left; None where none has."""
    for job_id in reversed(job_ids):
        left = [path.parent for path in (checkpoints / job_id).glob("chk-*/_metadata")]
        if left:
            return max(left, key=lambda path: int(path.name.partition("-")[2]))
    return None


def forget_checkpoints(checkpoints: Path, job_ids: Iterable[str]) -> None:
    """Nothing is left of the checkpoints of some jobs that are over and from which none will go on."""
    for job_id in job_ids:
        shutil.rmtree(checkpoints / job_id, ignore_errors=True)


def save_and_cancel(address: str, job_id: str, folder: Path) -> Path:
    """The job has left a savepoint under a folder and ended. Raises FlinkAway and ClusterError."""
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
    """The job has ended. Raises FlinkAway and ClusterError."""
    ask(address, f"/jobs/{job_id}?mode=cancel", "PATCH")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ask(address, f"/jobs/{job_id}")["state"] in LOST:
            return
        time.sleep(POLL_SECONDS)
    raise ClusterError(f"The job {job_id} has not ended after {seconds:.0f} s.")
