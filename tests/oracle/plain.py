"""The whole recount in plain Python: files in, cells out, one meter point at a time, the slow obvious way."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from schemas.codes import INTAKE_STATUSES
from tests.oracle.cells import MEASURES, life_of
from tests.oracle.container import files, read
from tests.oracle.event import Event, Lost, Outcome, milliseconds
from tests.oracle.history import history_of
from tests.oracle.validation import validated


def recount(paths: Iterable[Path], as_at: datetime | None = None) -> Outcome:
    """The outcome of all container files among and under the paths, using only what was received by `as_at`."""
    events, lost = everything(paths, as_at)
    return count(events, lost)


def everything(paths: Iterable[Path], as_at: datetime | None = None) -> tuple[list[Event], list[Lost]]:
    """Every record that can be read and every loss, of what was received by `as_at`."""
    events: list[Event] = []
    lost: list[Lost] = []
    for path in files(paths):
        for found in read(path):
            if not received_by(found, as_at):
                continue
            if isinstance(found, Lost):
                lost.append(found)
            else:
                events.append(found)
    return events, lost


def received_by(found: Event | Lost, as_at: datetime | None) -> bool:
    """Rule 8: by the container's `received_at` if present, else by `reported_at`; what cannot be read counts always."""
    if as_at is None:
        return True
    if found.received_at is not None:
        return found.received_at <= milliseconds(as_at)
    return isinstance(found, Lost) or found.reported_at <= milliseconds(as_at)


def meter_points(events: Iterable[Event]) -> dict[tuple[str, str], list[Event]]:
    """The events of each meter point; those about no meter point lie together under the empty one, by fuel."""
    found: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        found[event.fuel, event.meter_point_id].append(event)
    return found


def count(events: Iterable[Event], lost: Iterable[Lost] = ()) -> Outcome:
    """The outcome of events as they were sent, in whatever order."""
    intake: Counter[tuple[str, str]] = Counter()
    rejected: Counter[tuple[str, str, str]] = Counter()
    unknown: Counter[str] = Counter()
    for loss in lost:
        if loss.records is None:
            unknown[loss.owner] += 1
        else:
            rejected[loss.owner, loss.record, loss.reason] += loss.records
            intake[loss.owner, "received"] += loss.records
    events = list(events)
    intake.update((event.owner, "received") for event in events)
    accepted, refused = validated(events)
    rejected.update((event.owner, event.record, reasons) for event, reasons in refused)
    cells = count_histories(accepted, intake, rejected)
    for (owner, _, _), records in rejected.items():
        intake[owner, "rejected"] += records
    outcome = Outcome(cells, with_all_statuses(intake), rejected, unknown)
    check_conservation(outcome)
    return outcome


def count_histories(
    accepted: list[Event], intake: Counter[tuple[str, str]], rejected: Counter[tuple[str, str, str]]
) -> dict[tuple[str, ...], int]:
    """The cells of all validated events; adds what became of each event to `intake` and `rejected`."""
    cells: Counter[tuple[str, ...]] = Counter()
    for events in meter_points(accepted).values():
        history = history_of(events)
        life = life_of(history.standing)
        for measure in MEASURES:
            for cell, amount in measure(life):
                cells[tuple(cell)] += amount
        intake.update((event.owner, "accepted") for event in history.standing + history.withdrawals)
        intake.update((event.owner, "duplicate") for event in history.duplicates)
        intake.update((event.owner, "superseded") for event in history.superseded)
        intake.update((event.owner, "pending") for event in history.pending)
        rejected.update((event.owner, event.record, reason) for event, reason in history.rejected)
    return {cell: value for cell, value in cells.items() if value != 0}


def with_all_statuses(intake: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The intake with all six statuses of every owner, 0 where there was none."""
    owners = sorted({owner for owner, _ in intake})
    return {(owner, status): intake[owner, status] for owner in owners for status in INTAKE_STATUSES}


def check_conservation(outcome: Outcome) -> None:
    """Rule 7, for every owner: received = accepted + duplicate + superseded + pending + rejected."""
    for owner in {owner for owner, _ in outcome.intake}:
        became = sum(outcome.intake[owner, status] for status in INTAKE_STATUSES if status != "received")
        if outcome.intake[owner, "received"] != became:
            raise AssertionError(f"{owner}: {outcome.intake[owner, 'received']} received, but {became} accounted for.")
