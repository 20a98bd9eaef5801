"""The rules that reject, checked for one event at a time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.codes import NOT_APPLICABLE, RECORDS_WITHOUT_METER_POINT, SMETS_TYPES
from schemas.geography import region_codes
from schemas.sources import records_of, sources

Event = dict[str, Any]

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_POINT: Final = {"ELECTRICITY": re.compile(r"[0-9]{13}"), "GAS": re.compile(r"[0-9]{6,10}")}
_QUARTER: Final = re.compile(r"[0-9]{4}Q[1-4]")
_WEIGHTS: Final = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_BEGINNING: Final = datetime(2008, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_REGIONS: Final = frozenset(region_codes())


def reasons(event: Event) -> list[str]:
    """Returns the reasons why an event is rejected, none if it is accepted."""
    found = _envelope(event)
    if event["action"] != "VOID":
        found += _content(event)
    return found


def _envelope(event: Event) -> list[str]:
    source = sources().get(event["source_id"])
    checks = {
        "EVENT_ID_FORMAT": _UUID.fullmatch(event["event_id"]) is None,
        "SOURCE_UNKNOWN": source is None,
        "SOURCE_NOT_OWNER": event["source_id"] != event["owner"],
        "RECORD_NOT_FOR_SOURCE": source is not None and event["record"] not in records_of(source.kind),
        "CORRECTION_WITHOUT_TARGET": (event["action"] == "NEW") != (event["corrects"] is None),
    }
    return [reason for reason, fails in checks.items() if fails] + _meter_point(event)


def _meter_point(event: Event) -> list[str]:
    point, electricity = event["meter_point_id"], event["fuel"] == "ELECTRICITY"
    if event["record"] in RECORDS_WITHOUT_METER_POINT:
        return ["METER_POINT_FORMAT"] if point else []
    if _POINT[event["fuel"]].fullmatch(point) is None:
        return ["METER_POINT_FORMAT"]
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, point, strict=False))
    return ["MPAN_CHECK_DIGIT"] if electricity and total % 11 % 10 != int(point[12]) else []


def _content(event: Event) -> list[str]:
    opening = event.get("install_reason") == "OPENING_POSITION"
    checks = {
        "EFFECTIVE_AFTER_REPORTED": event["effective_at"] - event["reported_at"] > _DAY,
        "EFFECTIVE_BEFORE_ROLLOUT": event["effective_at"] < _BEGINNING and not opening,
        "REGION_UNKNOWN": "region_code" in event and event["region_code"] not in _REGIONS,
        "MODE_TYPE_MISMATCH": "meter_type" in event
        and (event["meter_type"] in SMETS_TYPES) == (event["operating_mode"] == NOT_APPLICABLE),
        "UPFRONT_CHARGE": event.get("sector") == "DOMESTIC" and event.get("upfront_charge_pence", 0) != 0,
        "QUARTER_FORMAT": "quarter" in event and _QUARTER.fullmatch(event["quarter"]) is None,
        "COUNT_NEGATIVE": min(event.get(name, 0) for name in ("meters", "numerator", "denominator")) < 0,
    }
    return [reason for reason, fails in checks.items() if fails]
