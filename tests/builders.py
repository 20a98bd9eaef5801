"""Builders that read as English: places, suppliers, events and files.

An event is a plain dictionary: `record`, the envelope and the record's further fields, with aware times and dates.
Its event id follows from what it says, so the same call gives the same event, and another call another one.
`on` and `reported` take a day ("2026-04-03", noon UTC is meant) or a time ("2026-06-30T23:30Z").
"""

import hashlib
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from fastavro.write import Writer

from schemas.codes import NOT_APPLICABLE, SMETS_TYPES
from schemas.registry import parsed

Event = dict[str, Any]

ACME, BOLT, CITY, DUKE = "BGAS", "EENG", "LOND", "PURE"
# BOLT took over the book of GONE, which was active to 31 March 2021.
GONE = "NPWR"
DCC = "SDCC"
LONDON, SCOTLAND, WALES = "E12000007", "S92000003", "W92000004"
CAMDEN, FIFE = "E09000007", "S12000047"
# Texts in the place of a local authority's code that are none.
ODD_AUTHORITIES = (
    "=1+1",
    "",
    "e09000007",
    "E09000007\n",
    " E09000007",
    "E0900000\uff17",
    "N09000001",
    "E0900\0",
    "Camden",
)
MPAN_WEIGHTS = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
NAMES = uuid.UUID("6f1c1f6e-3c43-5d0e-9a53-5b5c5f0f4d11")


@dataclass(frozen=True, slots=True)
class MeterPoint:
    """A meter point: its fuel and its MPAN core or MPRN."""

    fuel: str
    id: str


def mpan(number: int, distributor: int = 12) -> MeterPoint:
    """The electricity meter point of a distributor with a number of up to ten digits and the right check digit."""
    digits = f"{distributor:02d}{number:010d}"
    total = sum(weight * int(digit) for weight, digit in zip(MPAN_WEIGHTS, digits, strict=True))
    return MeterPoint("ELECTRICITY", f"{digits}{total % 11 % 10}")


def mprn(number: int) -> MeterPoint:
    """The gas meter point with a number of four to eight digits and the right two check digits."""
    digits = f"{number:04d}"
    total = sum(weight * int(digit) for weight, digit in zip(range(len(digits), 0, -1), digits, strict=True))
    return MeterPoint("GAS", f"{digits}{total % 11:02d}")


A, B, C = mpan(1), mpan(2), mpan(3)
G, H = mprn(39384244), mprn(75123456)
NOWHERE, NOWHERE_GAS = MeterPoint("ELECTRICITY", ""), MeterPoint("GAS", "")


def moment(text: str | datetime) -> datetime:
    """A day at noon UTC, or a time."""
    if isinstance(text, datetime):
        return text
    if len(text) == len("2026-04-03"):
        return datetime.fromisoformat(text).replace(hour=12, tzinfo=UTC)
    return datetime.fromisoformat(text).astimezone(UTC)


def event_id(*words: object) -> str:
    """A lower-case uuid that follows from the words."""
    return str(uuid.uuid5(NAMES, "\x1f".join(map(str, words))))


@dataclass(frozen=True, slots=True)
class Said:
    """Who says it, of which meter point, when it took effect and when it was reported (an hour later by default)."""

    meter: MeterPoint
    by: str
    on: str | datetime
    reported: str | datetime | None = None
    id: str | None = None


def event(record: str, said: Said, **details: Any) -> Event:
    """A NEW event of a record; `id` is a word to make the event id of, where it must not follow from the content."""
    effective_at = moment(said.on)
    reported_at = moment(said.reported) if said.reported is not None else effective_at + timedelta(hours=1)
    envelope = {
        "action": "NEW",
        "corrects": None,
        "source_id": said.by,
        "fuel": said.meter.fuel,
        "meter_point_id": said.meter.id,
        "effective_at": effective_at,
        "reported_at": reported_at,
    }
    words = (said.id,) if said.id is not None else (record, *envelope.items(), *sorted(details.items()))
    return {"record": record, "event_id": event_id(*words), **envelope, **details}


def _said(options: dict[str, Any], meter: MeterPoint, on: str | datetime, by: str) -> Said:
    return Said(meter, by, on, options.pop("reported", None), options.pop("id", None))


def installed(meter: MeterPoint = A, on: str | datetime = "2026-04-03", by: str = ACME, **options: Any) -> Event:
    """A MeterInstalled: by default a domestic SMETS2 meter in London, in smart mode, paid on credit."""
    said = _said(options, meter, on, by)
    meter_type = options.get("meter_type", "SMETS2")
    details = {
        "meter_type": meter_type,
        "operating_mode": "SMART" if meter_type in SMETS_TYPES else NOT_APPLICABLE,
        "sector": "DOMESTIC",
        "payment_mode": "CREDIT",
        "region_code": LONDON,
        "local_authority_code": CAMDEN,
        "install_reason": "SMART_FOR_NON_SMART",
        "device_id": "00-DB-12-34-56-78-90-A0",
        "hub_id": "00-DB-12-34-56-78-90-B0",
        "in_home_display": "OFFERED_ACCEPTED",
        "upfront_charge_pence": 0,
    }
    return event("MeterInstalled", said, **{**details, **options})


def opening(meter: MeterPoint = A, on: str | datetime = "2012-01-01", by: str = ACME, **options: Any) -> Event:
    """A MeterInstalled that says what was already there: by default a meter that is not smart."""
    return installed(meter, on, by, **{"install_reason": "OPENING_POSITION", "meter_type": "NON_SMART", **options})


def removed(
    meter: MeterPoint = A, on: str | datetime = "2026-05-01", by: str = ACME, reason: str = "FAULT", **options: Any
) -> Event:
    """A MeterRemoved."""
    return event("MeterRemoved", _said(options, meter, on, by), reason=reason, **options)


def mode_changed(
    meter: MeterPoint = A, on: str | datetime = "2026-05-01", by: str = ACME, mode: str = "TRADITIONAL", **options: Any
) -> Event:
    """An OperatingModeChanged, because of the network unless said otherwise."""
    details = {"operating_mode": mode, "cause": "WAN"}
    return event("OperatingModeChanged", _said(options, meter, on, by), **{**details, **options})


def gained(
    meter: MeterPoint = A, on: str | datetime = "2026-05-01", by: str = BOLT, mode: str = "SMART", **options: Any
) -> Event:
    """A SupplyGained by switching, the meter in smart mode unless said otherwise."""
    details = {"operating_mode": mode, "reason": "SWITCH"}
    return event("SupplyGained", _said(options, meter, on, by), **{**details, **options})


def lost(meter: MeterPoint = A, on: str | datetime = "2026-05-01", by: str = ACME, **options: Any) -> Event:
    """A SupplyLost by switching."""
    return event("SupplyLost", _said(options, meter, on, by), **{"reason": "SWITCH", **options})


def payment_changed(
    meter: MeterPoint = A, on: str | datetime = "2026-05-01", by: str = ACME, to: str = "PREPAYMENT", **options: Any
) -> Event:
    """A PaymentModeChanged."""
    return event("PaymentModeChanged", _said(options, meter, on, by), payment_mode=to, **options)


def visited(meter: MeterPoint = A, on: str | datetime = "2026-04-03", by: str = ACME, **options: Any) -> Event:
    """An InstallationVisit: by default completed, at a customer who is not vulnerable, with full support."""
    details = {
        "appointment_id": "V-1",
        "requested_on": date(2026, 3, 1),
        "offered_on": None,
        "outcome": "COMPLETED",
        "fault_side": None,
        "vulnerable_customer": False,
        "energy_advice_given": True,
        "display_demonstrated": True,
    }
    return event("InstallationVisit", _said(options, meter, on, by), **{**details, **options})


def fault_case(meter: MeterPoint = A, on: str | datetime = "2026-05-01", by: str = ACME, **options: Any) -> Event:
    """A FaultCase that was reported."""
    return event("FaultCase", _said(options, meter, on, by), **{"case_id": "F-1", "stage": "REPORTED", **options})


def declared(meters: int, quarter: str = "2026Q2", by: str = ACME, **options: Any) -> Event:
    """A PortfolioDeclared of domestic electricity SMETS2 meters in London in smart mode."""
    details = {
        "quarter": quarter,
        "sector": "DOMESTIC",
        "meter_type": "SMETS2",
        "operating_mode": "SMART",
        "region_code": LONDON,
        "meters": meters,
    }
    said = _said(options, options.pop("meter", NOWHERE), options.pop("on", "2026-07-01"), by)
    return event("PortfolioDeclared", said, **{**details, **options})


def device_status(meter: MeterPoint = A, on: str | datetime = "2026-05-01", **options: Any) -> Event:
    """A DeviceStatusChanged: by default the electricity meter was suspended."""
    details = {"device_id": "00-DB-12-34-56-78-90-A0", "device_type": "ESME", "status": "Suspended"}
    said = _said(options, meter, on, options.pop("by", DCC))
    return event("DeviceStatusChanged", said, **{**details, **options})


def commissioned(meter: MeterPoint = A, on: str | datetime = "2026-04-03", **options: Any) -> Event:
    """A CommissioningCompleted that succeeded."""
    details = {"device_id": "00-DB-12-34-56-78-90-A0", "result": "SUCCESS", "duration_seconds": 90}
    said = _said(options, meter, on, options.pop("by", DCC))
    return event("CommissioningCompleted", said, **{**details, **options})


def hub_connected(
    meter: MeterPoint = A, on: str | datetime = "2026-05-01", connected: bool = False, **options: Any
) -> Event:
    """A HubConnectivityChanged: by default the connection was lost."""
    details = {"hub_id": "00-DB-12-34-56-78-90-B0", "connected": connected, "csp_region": "SOUTH"}
    said = _said(options, meter, on, options.pop("by", DCC))
    return event("HubConnectivityChanged", said, **{**details, **options})


def migrated(meter: MeterPoint = A, on: str | datetime = "2026-05-01", **options: Any) -> Event:
    """A Smets1Migrated that succeeded."""
    details = {"device_id": "00-DB-12-34-56-78-90-A0", "was": "DORMANT", "result": "SUCCESS"}
    return event("Smets1Migrated", _said(options, meter, on, options.pop("by", DCC)), **{**details, **options})


def credentials_changed(
    meter: MeterPoint = A, on: str | datetime = "2026-05-02", to: str = BOLT, **options: Any
) -> Event:
    """A CredentialsChanged to a supplier that succeeded."""
    details = {"device_id": "00-DB-12-34-56-78-90-A0", "to_source_id": to, "result": "SUCCESS"}
    return event("CredentialsChanged", _said(options, meter, on, options.pop("by", DCC)), **{**details, **options})


def service_measured(numerator: int = 99, denominator: int = 100, **options: Any) -> Event:
    """A ServiceMeasured of one day."""
    details = {
        "day": date(2026, 4, 3),
        "csp_region": "NORTH",
        "generation": "SMETS2",
        "measure": "first_time_commissioning",
        "numerator": numerator,
        "denominator": denominator,
    }
    meter, by = options.pop("meter", NOWHERE), options.pop("by", DCC)
    said = _said(options, meter, options.pop("on", "2026-04-04"), by)
    return event("ServiceMeasured", said, **{**details, **options})


def amend(target: Event, *, reported: str | datetime | None = None, id: str | None = None, **changes: Any) -> Event:  # noqa: A002
    """An AMEND of an event with its whole content but for the changes; a day after it unless said otherwise."""
    times = {"on": "effective_at"}
    changed = {times.get(name, name): moment(value) if name == "on" else value for name, value in changes.items()}
    reported_at = moment(reported) if reported is not None else target["reported_at"] + timedelta(days=1)
    fields = {**target, "action": "AMEND", "corrects": target["event_id"], "reported_at": reported_at, **changed}
    words = (id,) if id is not None else ("amend", *((k, v) for k, v in sorted(fields.items()) if k != "event_id"))
    return {**fields, "event_id": event_id(*words)}


def void(target: Event, *, reported: str | datetime | None = None, id: str | None = None, **changes: Any) -> Event:  # noqa: A002
    """A VOID of an event; a day after it unless said otherwise."""
    word = id if id is not None else f"void {target['event_id']} {reported} {sorted(changes.items())}"
    return amend(target, reported=reported, id=word, **{"action": "VOID", **changes})


def altered(target: Event, **changes: Any) -> Event:
    """Another copy of an event under the same id, with other content."""
    return {**target, **changes}


@dataclass(frozen=True, slots=True)
class Layout:
    """How events lie in files: records a block, codec, a seed to shuffle by, and files a source and record.

    `owner` puts everything into one folder whoever sent it; `metadata` goes into every container.
    """

    block_records: int = 100
    codec: str = "null"
    shuffle: int | None = None
    parts: int = 1
    owner: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()


def write_files(folder: Path, events: Iterable[Mapping[str, Any]], layout: Layout = Layout()) -> list[Path]:
    """Files `<source_id>/<Record>.avro` (`<Record>-2.avro` and so on) under the folder; returns their paths."""
    piles: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for one in events:
        piles[layout.owner or one["source_id"], one["record"]].append(one)
    written: list[Path] = []
    for (owner, record), pile in sorted(piles.items()):
        if layout.shuffle is not None:
            random.Random(layout.shuffle).shuffle(pile)
        for number in range(layout.parts):
            name = f"{record}.avro" if number == 0 else f"{record}-{number + 1}.avro"
            path = folder / owner / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_container(path, record, pile[number :: layout.parts], layout)
            written.append(path)
    return written


def write_container(path: Path, record: str, events: list[Mapping[str, Any]], layout: Layout = Layout()) -> None:
    """One Avro object container of one record, the same bytes for the same events."""
    with path.open("wb") as file:
        writer = Writer(
            file,
            parsed(record),
            codec=layout.codec,
            metadata=dict(layout.metadata),
            sync_marker=hashlib.md5(path.name.encode(), usedforsecurity=False).digest(),
        )
        for rows in _slices(events, layout.block_records):
            for row in rows:
                writer.write({name: value for name, value in row.items() if name != "record"})
            writer.dump()
        writer.flush()


def _slices(events: list[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    for begin in range(0, len(events), size):
        yield events[begin : begin + size]
