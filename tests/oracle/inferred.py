"""Rule 4, last point: the mode that the DCC's records let us infer of a SMETS meter."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.oracle.event import Event
from tests.oracle.walk import Meter, Step

GRACE = 31 * 24 * 3_600_000
OUT_OF_USE = ("Suspended", "Decommissioned", "Withdrawn")


@dataclass(frozen=True, slots=True)
class Inference:
    """What the DCC's records say of a SMETS meter.

    `base` is the mode beneath; `awaits_credentials` holds from a gain of supply until the credentials follow;
    `silent_since` is the earliest loss of connection that nothing answered.
    """

    base: str = "TRADITIONAL"
    awaits_credentials: bool = False
    silent_since: int | None = None

    def mode(self, instant: int) -> str:
        """The inferred mode at an instant."""
        is_silent = self.silent_since is not None and instant >= self.silent_since + GRACE
        return "TRADITIONAL" if self.awaits_credentials or is_silent else self.base


@dataclass(frozen=True, slots=True)
class Point:
    """From this instant on: the meter, and the inferred mode of a SMETS meter."""

    instant: int
    meter: Meter | None
    inferred: str


def timeline(steps: list[Step]) -> Iterator[Point]:
    """A point for each step, and one 31 × 24 h after each loss of connection that nothing answered until then.

    That instant counts in its own quarter, whatever comes later, also when it lies beyond the last event.
    """
    inference: Inference | None = None
    for step, following in zip(steps, [*steps[1:], None], strict=False):
        inference = after(step, inference)
        now = step.event.effective_at
        yield Point(now, step.after, inference.mode(now) if inference else "")
        if inference and inference.silent_since is not None:
            due = inference.silent_since + GRACE
            if now < due and (following is None or due < following.event.effective_at):
                yield Point(due, step.after, inference.mode(due))


def after(step: Step, inference: Inference | None) -> Inference | None:
    """The inference after a step; None where no SMETS meter is present. An inconsistent event changes nothing."""
    if step.after is None or not step.after.is_smets:
        return None
    if step.inconsistency:
        return inference
    if inference is None or step.event.record == "MeterInstalled":
        return Inference()
    if step.event.record == "SupplyGained":
        return replace(inference, awaits_credentials=True)
    return after_dcc_record(step.event, step.after, inference)


def after_dcc_record(event: Event, meter: Meter, inference: Inference) -> Inference:
    """SMART at success of commissioning or migration, TRADITIONAL out of use; the layers above come and go."""
    details = event.details
    succeeded = details.get("result") == "SUCCESS"
    if event.record in {"CommissioningCompleted", "Smets1Migrated"} and succeeded:
        return replace(inference, base="SMART")
    if event.record == "DeviceStatusChanged" and details["status"] in OUT_OF_USE:
        return replace(inference, base="TRADITIONAL")
    if event.record == "CredentialsChanged" and succeeded and details["to_source_id"] == meter.supplier:
        return replace(inference, awaits_credentials=False)
    if event.record == "HubConnectivityChanged":
        silent_since = inference.silent_since if inference.silent_since is not None else event.effective_at
        return replace(inference, silent_since=None if details["connected"] else silent_since)
    return inference
