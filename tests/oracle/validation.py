"""Design 4: which records are rejected before their history is looked at, one function a rule."""

import re
from collections.abc import Callable, Iterable

from schemas.codes import NOT_APPLICABLE, RECORDS_WITHOUT_METER_POINT, SMETS_TYPES
from schemas.geography import region_codes
from schemas.sources import records_of, sources
from tests.oracle.event import Event

DAY = 86_400_000
ROLLOUT_BEGINS = 1_199_145_600_000  # 2008-01-01T00:00Z
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MPAN = re.compile(r"[0-9]{13}")
MPRN = re.compile(r"[0-9]{6,10}")
QUARTER = re.compile(r"[0-9]{4}Q[1-4]")
WEIGHTS = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
WITH_A_CELL = ("MeterInstalled", "PortfolioDeclared")
COUNTS = {"PortfolioDeclared": ("meters",), "ServiceMeasured": ("numerator", "denominator")}


def event_id_format(event: Event) -> bool:
    """EVENT_ID_FORMAT: event ids are lower-case uuids."""
    return not UUID.fullmatch(event.event_id)


def source_unknown(event: Event) -> bool:
    """SOURCE_UNKNOWN: the sources are schemas/sources.csv."""
    return event.source_id not in sources()


def source_not_owner(event: Event) -> bool:
    """SOURCE_NOT_OWNER: the source id equals the parent folder's name."""
    return event.source_id != event.owner


def record_not_for_source(event: Event) -> bool:
    """RECORD_NOT_FOR_SOURCE: no DCC record from a supplier, or the reverse; not judged of a source we do not know."""
    source = sources().get(event.source_id)
    return source is not None and event.record not in records_of(source.kind)


def meter_point_format(event: Event) -> bool:
    """METER_POINT_FORMAT: 13 digits of an MPAN core, 6 to 10 of an MPRN, nothing where no meter point is meant."""
    if event.record in RECORDS_WITHOUT_METER_POINT:
        return event.meter_point_id != ""
    form = MPAN if event.fuel == "ELECTRICITY" else MPRN
    return not form.fullmatch(event.meter_point_id)


def mpan_check_digit(event: Event) -> bool:
    """MPAN_CHECK_DIGIT: the sum of the first twelve digits by their weights, modulo 11, modulo 10, is the last."""
    if event.fuel != "ELECTRICITY" or not MPAN.fullmatch(event.meter_point_id):
        return False
    digits = [int(digit) for digit in event.meter_point_id]
    total = sum(weight * digit for weight, digit in zip(WEIGHTS, digits[:12], strict=True))
    return total % 11 % 10 != digits[12]


def region_unknown(event: Event) -> bool:
    """REGION_UNKNOWN: the region is one of the eleven codes."""
    return event.record in WITH_A_CELL and event.details["region_code"] not in region_codes()


def mode_type_mismatch(event: Event) -> bool:
    """MODE_TYPE_MISMATCH: SMETS with NOT_APPLICABLE, or another type without it."""
    if event.record not in WITH_A_CELL:
        return False
    is_smets = event.details["meter_type"] in SMETS_TYPES
    return is_smets == (event.details["operating_mode"] == NOT_APPLICABLE)


def upfront_charge(event: Event) -> bool:
    """UPFRONT_CHARGE: a charge other than 0 to a domestic customer."""
    if event.record != "MeterInstalled":
        return False
    return event.details["sector"] == "DOMESTIC" and event.details["upfront_charge_pence"] != 0


def effective_after_reported(event: Event) -> bool:
    """EFFECTIVE_AFTER_REPORTED: by more than 86,400,000 ms."""
    return event.effective_at - event.reported_at > DAY


def effective_before_rollout(event: Event) -> bool:
    """EFFECTIVE_BEFORE_ROLLOUT: before 2008-01-01T00:00Z, opening positions excepted."""
    is_opening = event.record == "MeterInstalled" and event.details["install_reason"] == "OPENING_POSITION"
    return event.effective_at < ROLLOUT_BEGINS and not is_opening


def correction_without_target(event: Event) -> bool:
    """CORRECTION_WITHOUT_TARGET: AMEND or VOID without `corrects`, NEW with it."""
    return event.is_correction == (event.corrects is None)


def quarter_format(event: Event) -> bool:
    """QUARTER_FORMAT: a quarter is written like 2026Q3."""
    return event.record == "PortfolioDeclared" and not QUARTER.fullmatch(event.details["quarter"])


def count_negative(event: Event) -> bool:
    """COUNT_NEGATIVE: meters declared, numerators and denominators are 0 or more."""
    return any(event.details[name] < 0 for name in COUNTS.get(event.record, ()))


RULES_OF_A_VOID: dict[str, Callable[[Event], bool]] = {
    "EVENT_ID_FORMAT": event_id_format,
    "SOURCE_UNKNOWN": source_unknown,
    "SOURCE_NOT_OWNER": source_not_owner,
    "RECORD_NOT_FOR_SOURCE": record_not_for_source,
    "METER_POINT_FORMAT": meter_point_format,
    "MPAN_CHECK_DIGIT": mpan_check_digit,
    "CORRECTION_WITHOUT_TARGET": correction_without_target,
}
RULES: dict[str, Callable[[Event], bool]] = {
    **RULES_OF_A_VOID,
    "REGION_UNKNOWN": region_unknown,
    "MODE_TYPE_MISMATCH": mode_type_mismatch,
    "UPFRONT_CHARGE": upfront_charge,
    "EFFECTIVE_AFTER_REPORTED": effective_after_reported,
    "EFFECTIVE_BEFORE_ROLLOUT": effective_before_rollout,
    "QUARTER_FORMAT": quarter_format,
    "COUNT_NEGATIVE": count_negative,
}


def reason_codes(event: Event) -> str:
    """Every reason to reject the event, sorted and joined by a semicolon; empty where there is none."""
    rules = RULES_OF_A_VOID if event.action == "VOID" else RULES
    return ";".join(sorted(code for code, fails in rules.items() if fails(event)))


def validated(events: Iterable[Event]) -> tuple[list[Event], list[tuple[Event, str]]]:
    """The events that pass, and the others each with its reason codes."""
    accepted: list[Event] = []
    rejected: list[tuple[Event, str]] = []
    for event in events:
        reasons = reason_codes(event)
        if reasons:
            rejected.append((event, reasons))
        else:
            accepted.append(event)
    return accepted, rejected
