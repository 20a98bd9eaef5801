"""Hypothesis strategies for whole histories, dense in conflicts.

Times, ids, places and senders come from small sets, so that events collide as a rule: at one instant, under one id,
over one meter. The instants lie at quarter ends, at both changes of the clock and on a leap day.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import strategies as st

from schemas.codes import (
    DCC_RECORDS,
    IN_HOME_DISPLAY_ANSWERS,
    MODE_CAUSES,
    NOT_APPLICABLE,
    REMOVAL_REASONS,
    SMETS_TYPES,
    SUPPLY_REASONS,
    VISIT_OUTCOMES,
)
from tests import builders as build
from tests.builders import (
    ACME,
    BOLT,
    CAMDEN,
    CITY,
    DCC,
    FIFE,
    GONE,
    LONDON,
    ODD_AUTHORITIES,
    SCOTLAND,
    A,
    B,
    Event,
    G,
    MeterPoint,
)

# GONE's book is BOLT's.
SUPPLIERS = (ACME, BOLT, CITY, GONE)
METERS = (A, B, G)
INSTANTS = tuple(
    datetime.fromisoformat(text).astimezone(UTC)
    for text in (
        "2023-12-31T23:30Z",
        "2024-01-01T00:00Z",
        "2024-02-29T12:00Z",
        "2024-02-29T23:30Z",
        "2024-03-31T00:59:59.999Z",
        "2024-03-31T01:00Z",
        "2024-03-31T23:30Z",
        "2024-05-30T22:59:59.999Z",
        "2024-05-30T23:00Z",
        "2024-06-30T22:59:59.999Z",
        "2024-06-30T23:00Z",
        "2024-06-30T23:30Z",
        "2024-08-31T12:00Z",
        "2024-09-30T22:59:59.999Z",
        "2024-09-30T23:00Z",
        "2024-10-27T00:30Z",
        "2024-10-27T01:30Z",
        "2024-12-01T00:00Z",
        "2024-12-31T23:59:59.999Z",
        "2025-01-01T00:00Z",
    )
)
DELAYS = tuple(
    timedelta(days=days, milliseconds=extra)
    for days, extra in ((-1, 0), (0, 0), (0, 1), (1, -1), (1, 0), (8, -1), (8, 0), (29, -1), (29, 0), (92, -1), (92, 0))
)
IDS = tuple(f"e{number}" for number in range(40))

instants = st.sampled_from(INSTANTS)
early_instants = st.sampled_from(INSTANTS[:6])
# One meter and one supplier more often than the rest, so that an event often meets a meter of its own.
meters = st.sampled_from((A, *METERS))
suppliers = st.sampled_from((ACME, *SUPPLIERS))


class Kind(NamedTuple):
    """A meter type and a mode that fit each other."""

    meter_type: str
    mode: str


KINDS = (
    Kind("SMETS2", "SMART"),
    Kind("SMETS2", "SMART"),
    Kind("SMETS2", "TRADITIONAL"),
    Kind("SMETS1", "SMART"),
    Kind("SMETS1", "TRADITIONAL"),
    Kind("ADVANCED", NOT_APPLICABLE),
    Kind("NON_SMART", NOT_APPLICABLE),
)


class Place(NamedTuple):
    """Which meter point an event is of, who sent it and when it took effect."""

    meter: MeterPoint
    on: datetime
    by: str


@st.composite
def installs(draw: st.DrawFn, place: Place) -> Event:
    kind = draw(st.sampled_from(KINDS))
    return build.installed(
        place.meter,
        place.on,
        place.by,
        meter_type=kind.meter_type,
        operating_mode=kind.mode,
        sector=draw(st.sampled_from(("DOMESTIC", "DOMESTIC", "NON_DOMESTIC"))),
        payment_mode=draw(st.sampled_from(("CREDIT", "PREPAYMENT"))),
        region_code=draw(st.sampled_from((LONDON, SCOTLAND))),
        local_authority_code=draw(st.sampled_from((None, CAMDEN, FIFE, *ODD_AUTHORITIES[:3]))),
        install_reason=draw(st.sampled_from(("OPENING_POSITION", "SMART_FOR_SMART", "NEW_CONNECTION"))),
        in_home_display=draw(st.sampled_from(IN_HOME_DISPLAY_ANSWERS[:2])),
    )


@st.composite
def supplier_events(draw: st.DrawFn, place: Place) -> Event:
    """Any other event that a supplier may send of a meter point."""
    smets_mode = draw(st.sampled_from(("SMART", "TRADITIONAL")))
    yes, no = draw(st.booleans()), draw(st.booleans())
    makers: tuple[Callable[[], Event], ...] = (
        lambda: build.removed(*place, reason=draw(st.sampled_from(REMOVAL_REASONS[:2]))),
        lambda: build.mode_changed(*place, mode=smets_mode, cause=draw(st.sampled_from(MODE_CAUSES[:2]))),
        lambda: build.mode_changed(*place, mode=smets_mode),
        lambda: build.gained(
            *place,
            mode=draw(st.sampled_from(("SMART", "TRADITIONAL", NOT_APPLICABLE))),
            reason=draw(st.sampled_from(SUPPLY_REASONS)),
        ),
        lambda: build.gained(*place, mode=smets_mode),
        lambda: build.lost(*place),
        lambda: build.payment_changed(*place, to=draw(st.sampled_from(("CREDIT", "PREPAYMENT")))),
        lambda: build.visited(
            *place,
            outcome=draw(st.sampled_from(VISIT_OUTCOMES[:2])),
            vulnerable_customer=True,
            energy_advice_given=yes,
            display_demonstrated=no,
        ),
        lambda: build.fault_case(*place),
    )
    return draw(st.sampled_from(makers))()


@st.composite
def dcc_events(draw: st.DrawFn, meter: MeterPoint, on: datetime) -> Event:
    """Any event that the DCC may send of a meter point."""
    result = draw(st.sampled_from(("SUCCESS", "SUCCESS", "FAIL")))
    makers: tuple[Callable[[], Event], ...] = (
        lambda: build.commissioned(meter, on, result=result),
        lambda: build.migrated(meter, on, result=result),
        lambda: build.credentials_changed(meter, on, to=draw(suppliers), result=result),
        lambda: build.hub_connected(meter, on, connected=False),
        lambda: build.hub_connected(meter, on, connected=draw(st.booleans())),
        lambda: build.device_status(
            meter, on, status=draw(st.sampled_from(("Suspended", "Withdrawn", "Commissioned")))
        ),
    )
    return draw(st.sampled_from(makers))()


@st.composite
def portfolio_events(draw: st.DrawFn) -> Event:
    """A declared control total, or a day's measure of the DCC's service."""
    if draw(st.integers(0, 4)) == 0:
        return build.service_measured(draw(st.integers(0, 2)), on=draw(instants))
    kind = draw(st.sampled_from(KINDS[:3]))
    return build.declared(
        draw(st.integers(0, 3)),
        draw(st.sampled_from(("2024Q1", "2024Q2"))),
        draw(suppliers),
        meter=draw(st.sampled_from((build.NOWHERE, build.NOWHERE_GAS))),
        on=draw(instants),
        meter_type=kind.meter_type,
        operating_mode=kind.mode,
    )


@st.composite
def new_events(draw: st.DrawFn) -> Event:
    """Any NEW event that validation accepts, under one of a few ids."""
    place = Place(draw(meters), draw(instants), draw(suppliers))
    turn = draw(st.integers(0, 19))
    if turn < 2:
        event = draw(installs(place))
    elif turn < 6:
        event = draw(installs(place._replace(on=draw(early_instants))))
    elif turn < 14:
        event = draw(supplier_events(place))
    elif turn < 18:
        event = draw(dcc_events(place.meter, place.on))
    else:
        event = draw(portfolio_events())
    return {**event, "event_id": draw(ids()), "reported_at": event["effective_at"] + draw(st.sampled_from(DELAYS))}


@st.composite
def ids(draw: st.DrawFn) -> str:
    return build.event_id(draw(st.sampled_from(IDS)))


@st.composite
def consequences(draw: st.DrawFn, events: list[Event]) -> Event:
    """What may follow from events that were sent: copies, conflicts, repeats, and corrections right and wrong."""
    target = draw(st.sampled_from(events))
    other = draw(st.sampled_from(events))
    reported = target["reported_at"] + draw(st.sampled_from((timedelta(), timedelta(), timedelta(days=8))))
    corrected = {**target, "action": "AMEND", "corrects": target["event_id"], "reported_at": reported}
    corrected["event_id"] = draw(ids())
    of_that_kind = [event for event in events if event["record"] == target["record"]]
    content_of = draw(st.sampled_from(of_that_kind))
    envelope = ("event_id", "action", "corrects", "source_id", "fuel", "meter_point_id", "reported_at")
    amended = {**content_of, **{name: corrected[name] for name in envelope}}
    makers: tuple[Callable[[], Event], ...] = (
        lambda: target,
        lambda: {**target, "reported_at": reported},
        lambda: {**amended, **{name: target[name] for name in ("event_id", "action", "corrects")}},
        lambda: {**target, "event_id": corrected["event_id"], "reported_at": reported},
        lambda: amended,
        lambda: amended,
        lambda: {**corrected, "effective_at": min(draw(instants), reported)},
        lambda: {**corrected, "action": "VOID"},
        lambda: {**corrected, "action": "VOID"},
        lambda: {**amended, "source_id": _another(target, draw(suppliers))},
        lambda: {**amended, "source_id": _another(target, BOLT)},
        lambda: {**corrected, "action": "VOID", "source_id": _another(target, BOLT)},
        lambda: {**corrected, "corrects": draw(ids())},
        lambda: {**corrected, "corrects": corrected["event_id"]},
        lambda: {**amended, "corrects": other["event_id"]},
        lambda: _moved_to(amended, other),
    )
    event = draw(st.sampled_from(makers))()
    return _plausible(event)


def _another(target: Event, supplier: str) -> str:
    return target["source_id"] if target["source_id"] == DCC else supplier


def _moved_to(event: Event, other: Event) -> Event:
    """The event at the other's meter point, where both have one or neither has."""
    if bool(event["meter_point_id"]) != bool(other["meter_point_id"]):
        return event
    return {**event, "fuel": other["fuel"], "meter_point_id": other["meter_point_id"]}


def _plausible(event: Event) -> Event:
    """The event reported no earlier than a day before it took effect."""
    return {**event, "reported_at": max(event["reported_at"], event["effective_at"] - timedelta(days=1))}


@st.composite
def circles(draw: st.DrawFn, events: list[Event]) -> list[Event]:
    """Two corrections that name each other."""
    target = draw(st.sampled_from(events))
    one, two = draw(ids()), draw(ids())
    amended = {**target, "action": "AMEND"}
    return [{**amended, "event_id": one, "corrects": two}, {**amended, "event_id": two, "corrects": one}]


@st.composite
def rivals(draw: st.DrawFn, events: list[Event]) -> list[Event]:
    """Two corrections of one event, reported at one instant."""
    target = draw(st.sampled_from(events))
    amended = {**target, "action": "AMEND", "corrects": target["event_id"]}
    moved = {**amended, "effective_at": min(draw(instants), target["reported_at"])}
    withdrawn = {**amended, "action": "VOID"}
    pairs = ([amended, moved], [amended, withdrawn], [moved, withdrawn])
    return [{**event, "event_id": draw(ids())} for event in draw(st.sampled_from(pairs))]


@st.composite
def beginnings(draw: st.DrawFn) -> list[Event]:
    """A meter that is SMART by its supplier and by the DCC, and something that the DCC says of it; or nothing."""
    meter, on = draw(meters), draw(early_instants)
    smart = [build.installed(meter, on, ACME), build.commissioned(meter, on)]
    silent = build.hub_connected(meter, draw(st.sampled_from(INSTANTS[6:10])), connected=False)
    switched = build.gained(meter, draw(instants), draw(suppliers), mode="SMART")
    credentials = build.credentials_changed(meter, INSTANTS[-1], to=draw(suppliers))
    again = build.hub_connected(meter, draw(st.sampled_from(INSTANTS[11:])), connected=False)
    return draw(st.sampled_from(([], [*smart, silent], [*smart, silent, again], [*smart, switched, credentials])))


@st.composite
def histories(draw: st.DrawFn, max_new: int = 18, max_consequences: int = 12) -> list[Event]:
    """Events of a handful of meters that validation accepts, in the order in which they were thought of."""
    events = draw(beginnings())
    events.extend(draw(st.lists(new_events(), min_size=min(6, max_new), max_size=max_new)))
    for _ in range(draw(st.integers(0, max_consequences))):
        events.append(draw(consequences(events)))
    extra = draw(st.sampled_from((None, None, circles, rivals, rivals)))
    if extra is not None:
        events.extend(draw(extra(events)))
    return events


class Submission(NamedTuple):
    """An event and the owner of the folder that it lies in."""

    owner: str
    event: Event


SPOILERS: dict[str, Callable[[Event], Event]] = {
    "EVENT_ID_FORMAT": lambda event: {**event, "event_id": event["event_id"].upper() + "\n"},
    "SOURCE_UNKNOWN": lambda event: {**event, "source_id": "ZZZZ"},
    "RECORD_NOT_FOR_SOURCE": lambda event: {**event, "source_id": ACME if event["record"] in DCC_RECORDS else DCC},
    "METER_POINT_FORMAT": lambda event: {**event, "meter_point_id": event["meter_point_id"] + "x"},
    "EFFECTIVE_AFTER_REPORTED": lambda event: {
        **event,
        "reported_at": event["effective_at"] - timedelta(days=1, milliseconds=1),
    },
    "EFFECTIVE_BEFORE_ROLLOUT": lambda event: {**event, "effective_at": datetime(2007, 12, 31, 23, 59, tzinfo=UTC)},
    "CORRECTION_WITHOUT_TARGET": lambda event: {
        **event,
        "corrects": None if event["action"] != "NEW" else event["event_id"],
    },
    "REGION_UNKNOWN": lambda event: {**event, "region_code": "E12000099"} if "region_code" in event else event,
    "MODE_TYPE_MISMATCH": lambda event: (
        {**event, "operating_mode": NOT_APPLICABLE if event["meter_type"] in SMETS_TYPES else "SMART"}
        if "meter_type" in event
        else event
    ),
    "UPFRONT_CHARGE": lambda event: {**event, "upfront_charge_pence": 1} if "upfront_charge_pence" in event else event,
    "MPAN_CHECK_DIGIT": lambda event: (
        {**event, "meter_point_id": event["meter_point_id"][:-1] + str((int(event["meter_point_id"][-1]) + 1) % 10)}
        if event["fuel"] == "ELECTRICITY" and event["meter_point_id"].isdigit()
        else event
    ),
    "QUARTER_FORMAT": lambda event: {**event, "quarter": "2024Q5"} if "quarter" in event else event,
    "COUNT_NEGATIVE": lambda event: {**event, "meters": -1} if "meters" in event else event,
}


@st.composite
def submissions(draw: st.DrawFn) -> list[Submission]:
    """A history of which some events are spoilt against a rule of validation or lie in another owner's folder."""
    found = []
    for event in draw(histories()):
        owner, spoilt = event["source_id"], event
        for spoil in draw(st.lists(st.sampled_from(tuple(SPOILERS.values())), max_size=2)):
            spoilt = spoil(spoilt)
        if draw(st.integers(0, 9)) == 0:
            owner = draw(suppliers)
        found.append(Submission(owner, spoilt))
    return found
