"""Rules 1 to 3: which copy of an event stands, what corrections leave standing, and in what order it counts.

Each function takes the events of one meter point.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from schemas.codes import DCC_RECORDS
from schemas.sources import sources
from tests.oracle.event import Event
from tests.oracle.quarters import milliseconds_of_day

SAME_INSTANT = ("MeterRemoved", "SupplyGained", "MeterInstalled", "OperatingModeChanged", "PaymentModeChanged")


@dataclass(slots=True)
class History:
    """What became of each event of one meter point; `standing` is in the order of rule 3.

    Every event is in exactly one of the lists. `withdrawals` are the VOIDs that won.
    """

    standing: list[Event] = field(default_factory=list)
    withdrawals: list[Event] = field(default_factory=list)
    duplicates: list[Event] = field(default_factory=list)
    superseded: list[Event] = field(default_factory=list)
    pending: list[Event] = field(default_factory=list)
    rejected: list[tuple[Event, str]] = field(default_factory=list)


def history_of(events: Iterable[Event]) -> History:
    """Rules 1 to 3 applied in turn to the validated events of one meter point."""
    history = History()
    copies = identity(events, history)
    roots = corrections(copies, history)
    for root, chain in roots:
        winner_of(root, chain, history)
    history.standing.sort(key=order)
    return history


def identity(events: Iterable[Event], history: History) -> list[Event]:
    """Rule 1: of each (source, event id) one copy stands; equal copies are duplicates, differing ones are rejected.

    The standing copy has the smallest (reported_at, content). A copy equal to one that lost is a duplicate too.
    """
    by_identity: dict[tuple[str, str], dict[str, Event]] = defaultdict(dict)
    for event in events:
        contents = by_identity[event.source_id, event.event_id]
        content = event.content()
        if content in contents:
            history.duplicates.append(event)
        else:
            contents[content] = event
    copies = []
    for contents in by_identity.values():
        first, *others = sorted(contents.items(), key=lambda item: (item[1].reported_at, item[0]))
        copies.append(first[1])
        history.rejected.extend((event, "EVENT_ID_REUSED") for _, event in others)
    return copies


def corrections(copies: list[Event], history: History) -> list[tuple[Event, list[Event]]]:
    """Rule 2: every NEW event with all corrections that belong to it.

    A correction is judged against the copies that stand after rule 1. A chain through a missing, rejected or
    circular link is pending.
    """
    holders: dict[str, dict[str, Event]] = defaultdict(dict)
    for event in copies:
        holders[event.event_id][event.source_id] = event
    sound: list[Event] = []
    rejected: set[tuple[str, str]] = set()
    for correction in (event for event in copies if event.is_correction):
        reason = fault_of(correction, holders)
        if reason:
            history.rejected.append((correction, reason))
            rejected.add((correction.source_id, correction.event_id))
        else:
            sound.append(correction)
    chains: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for correction in sound:
        root = root_of(correction, holders, rejected)
        if root is None:
            history.pending.append(correction)
        else:
            chains[root.source_id, root.event_id].append(correction)
    return [(event, chains[event.source_id, event.event_id]) for event in copies if not event.is_correction]


def has_inherited(heir: str, predecessor: str, reported_at: int) -> bool:
    """Whether a source had taken over another's book, if need be through others, when it reported something."""
    passed = sources()[predecessor]
    while passed.successor is not None:
        assert passed.active_to is not None
        if reported_at < milliseconds_of_day(passed.active_to, end=True):
            return False
        if passed.successor == heir:
            return True
        passed = sources()[passed.successor]
    return False


def target_of(correction: Event, holders: dict[str, dict[str, Event]]) -> Event | None:
    """Rule 2: the event that a correction names: its source's own, or one of a source whose book it has taken over."""
    found = holders.get(correction.corrects or "", {})
    if correction.source_id in found:
        return found[correction.source_id]
    for source in sorted(found):
        if has_inherited(correction.source_id, source, correction.reported_at):
            return found[source]
    return None


def fault_of(correction: Event, holders: dict[str, dict[str, Event]]) -> str:
    """Rule 2: why a correction is rejected; empty where it is not.

    If there is no target and another source holds the named id: CORRECTION_NOT_OWNER. If the target is of another
    type: CORRECTION_TYPE_MISMATCH.
    """
    target = target_of(correction, holders)
    if target is None:
        return "CORRECTION_NOT_OWNER" if holders.get(correction.corrects or "") else ""
    return "CORRECTION_TYPE_MISMATCH" if target.record != correction.record else ""


def root_of(correction: Event, holders: dict[str, dict[str, Event]], rejected: set[tuple[str, str]]) -> Event | None:
    """Rule 2: the NEW event that a chain of corrections ends in; None where a link is missing, rejected or circular."""
    seen: set[tuple[str, str]] = set()
    link: Event | None = correction
    while link is not None and link.is_correction:
        name = (link.source_id, link.event_id)
        if name in seen or name in rejected:
            return None
        seen.add(name)
        link = target_of(link, holders)
    return link


def winner_of(root: Event, chain: list[Event], history: History) -> None:
    """Rule 2: the newest correction of a root by (reported_at, event_id) wins; the root and the others are superseded.

    An AMEND stands in the root's place, as an event of the root's source; a VOID leaves nothing standing.
    """
    if not chain:
        history.standing.append(root)
        return
    *others, winner = sorted(chain, key=lambda event: (event.reported_at, event.event_id, event.source_id))
    history.superseded.extend([root, *others])
    if winner.action == "VOID":
        history.withdrawals.append(winner)
    else:
        history.standing.append(replace(winner, source_id=root.source_id))


def order(event: Event) -> tuple[int, int, str, int, str, str]:
    """Rule 3: (effective_at, kind of record, reported_at, event_id, source_id)."""
    if event.record in SAME_INSTANT:
        kind, name = SAME_INSTANT.index(event.record), ""
    elif event.record in DCC_RECORDS:
        kind, name = len(SAME_INSTANT), event.record
    else:
        kind, name = len(SAME_INSTANT) + 1, event.record
    return event.effective_at, kind, name, event.reported_at, event.event_id, event.source_id
