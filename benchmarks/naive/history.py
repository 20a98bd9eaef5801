"""The history of one meter, one event at a time: copies, corrections, order, walk and cells."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from benchmarks.naive.rules import Event
from schemas.codes import SMETS_TYPES

Cell = tuple[str, ...]
Meter = dict[str, Any]

_LONDON: Final = ZoneInfo("Europe/London")
_ORDER: Final = ("MeterRemoved", "SupplyGained", "MeterInstalled", "OperatingModeChanged", "PaymentModeChanged")
_SEVEN: Final = ("source_id", "region_code", "fuel", "sector", "meter_type", "operating_mode", "payment_mode")
_OF_THE_MESSAGE: Final = ("event_id", "reported_at", "action", "corrects")


def cells_of(events: Iterable[Event]) -> Iterator[tuple[Cell, int]]:
    """Yields the changes of cells of `meters` and `installations` by one meter's events; some add up to 0."""
    meter: Meter | None = None
    ends: dict[str, Cell | None] = {}
    for event in sorted(_standing(_copies(events)), key=_order):
        quarter = _quarter(event["effective_at"])
        before, meter = meter, _moved(event, meter)
        ends[quarter] = _seven(meter)
        fitted = event["record"] == "MeterInstalled" and meter is not before
        if fitted and event["install_reason"] != "OPENING_POSITION":
            yield ("installations", quarter, *_seven_of(event), event["install_reason"]), 1
    stock: Cell | None = None
    for quarter, then in ends.items():
        if stock is not None:
            yield ("meters", quarter, *stock, ""), -1
        if then is not None:
            yield ("meters", quarter, *then, ""), 1
        stock = then


def _content(event: Event) -> str:
    return json.dumps({name: str(value) for name, value in event.items()}, sort_keys=True)


def _copies(events: Iterable[Event]) -> dict[tuple[str, str], Event]:
    best: dict[tuple[str, str], tuple[datetime, str, Event]] = {}
    for event in events:
        identity = (event["source_id"], event["event_id"])
        copy = (event["reported_at"], _content(event), event)
        if identity not in best or copy[:2] < best[identity][:2]:
            best[identity] = copy
    return {identity: copy[2] for identity, copy in best.items()}


def _standing(copies: dict[tuple[str, str], Event]) -> Iterator[Event]:
    newest: dict[tuple[str, str], Event] = {}
    for event in copies.values():
        root = _root(event, copies)
        if root is None:
            continue
        rival = newest.get(root)
        if rival is None or _age(event) > _age(rival):
            newest[root] = event
    return (event for event in newest.values() if event["action"] != "VOID")


def _age(event: Event) -> tuple[bool, datetime, str]:
    return event["action"] != "NEW", event["reported_at"], event["event_id"]


def _root(event: Event, copies: dict[tuple[str, str], Event]) -> tuple[str, str] | None:
    seen = set()
    while event["action"] != "NEW":
        target = copies.get((event["source_id"], event["corrects"]))
        if target is None or target["record"] != event["record"] or event["event_id"] in seen:
            return None
        seen.add(event["event_id"])
        event = target
    return event["source_id"], event["event_id"]


def _order(event: Event) -> tuple[datetime, int, datetime, str, str]:
    record = event["record"]
    kind = _ORDER.index(record) if record in _ORDER else len(_ORDER)
    return event["effective_at"], kind, event["reported_at"], event["event_id"], event["source_id"]


def _moved(event: Event, meter: Meter | None) -> Meter | None:
    record = event["record"]
    if record not in _ORDER:
        return meter
    if record == "MeterInstalled":
        return meter if meter is not None and _stays(event, meter) else event
    own = meter is not None and meter["source_id"] == event["source_id"]
    if meter is None or own == (record == "SupplyGained"):
        return meter
    smets = meter["meter_type"] in SMETS_TYPES
    if record == "MeterRemoved":
        return None
    if record == "PaymentModeChanged":
        return meter | {"payment_mode": event["payment_mode"]}
    mode = event["operating_mode"] if smets and event["operating_mode"] != "NOT_APPLICABLE" else meter["operating_mode"]
    supplier = event["source_id"] if record == "SupplyGained" else meter["source_id"]
    return meter | {"operating_mode": mode, "source_id": supplier, "install": meter.get("install", meter)}


def _stays(event: Event, meter: Meter) -> bool:
    install = meter.get("install", meter)
    same = all(event[name] == install[name] for name in event if name not in _OF_THE_MESSAGE)
    return same or event["install_reason"] == "OPENING_POSITION"


def _seven_of(meter: Meter) -> Cell:
    return tuple(meter[name] for name in _SEVEN)


def _seven(meter: Meter | None) -> Cell | None:
    return None if meter is None else _seven_of(meter)


def _quarter(moment: datetime) -> str:
    local = moment.astimezone(_LONDON)
    return f"{local.year}Q{(local.month + 2) // 3}"
