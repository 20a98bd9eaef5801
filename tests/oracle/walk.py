"""Rule 4: the walk over the standing events of one meter point, in the order of rule 3."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from schemas.codes import DCC_RECORDS, SMETS_OPERATING_MODES, SMETS_TYPES
from tests.oracle.event import Event

MOVES_NOTHING = ("SupplyLost", "InstallationVisit", "FaultCase", "PortfolioDeclared", "ServiceMeasured")
Seven = tuple[str, str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Meter:
    """The meter present at a meter point: whose it is, what it is, and the install that put it there."""

    supplier: str
    region: str
    local_authority: str
    fuel: str
    sector: str
    meter_type: str
    mode: str
    payment: str
    install: Event

    @property
    def is_smets(self) -> bool:
        """Whether the meter is of a type that has an operating mode."""
        return self.meter_type in SMETS_TYPES

    @property
    def seven(self) -> Seven:
        """The seven dimensions: source, region, fuel, sector, type, mode, payment."""
        return self.supplier, self.region, self.fuel, self.sector, self.meter_type, self.mode, self.payment


@dataclass(frozen=True, slots=True)
class Step:
    """One event of the walk: the meter before and after it, and why it is inconsistent (empty: it is not)."""

    event: Event
    inconsistency: str
    before: Meter | None
    after: Meter | None


def walk(standing: Iterable[Event]) -> list[Step]:
    """One step for each standing event that can move a meter or an inferred mode; no meter is present at first."""
    meter: Meter | None = None
    steps = []
    for event in standing:
        if event.record in MOVES_NOTHING:
            continue
        reason = inconsistency(event, meter)
        before, meter = meter, (meter if reason else moved(event, meter))
        steps.append(Step(event, reason, before, meter))
    return steps


def inconsistency(event: Event, meter: Meter | None) -> str:
    """The first reason that applies; empty where the event is consistent. DCC records are never inconsistent."""
    if event.record in DCC_RECORDS:
        return ""
    if event.record == "MeterInstalled":
        return against_install(event, meter)
    if event.record == "SupplyGained":
        return against_gain(event, meter)
    return against_the_suppliers_word(event, meter)


def against_install(event: Event, meter: Meter | None) -> str:
    """MeterInstalled while a meter is present: the same installation again, or an opening position."""
    if meter is None:
        return ""
    if same_installation(event, meter.install):
        return "SAME_INSTALLATION"
    return "ALREADY_PRESENT" if event.details["install_reason"] == "OPENING_POSITION" else ""


def same_installation(event: Event, install: Event) -> bool:
    """Equal in every field but event_id, reported_at, action and corrects, and from the same source."""
    return (
        event.source_id == install.source_id
        and event.effective_at == install.effective_at
        and dict(event.details) == dict(install.details)
    )


def against_gain(event: Event, meter: Meter | None) -> str:
    """SupplyGained: no meter (NO_METER_YET for reason NEW, else NO_METER), or the sender is the supplier."""
    if meter is None:
        return "NO_METER_YET" if event.details["reason"] == "NEW" else "NO_METER"
    return "ALREADY_SUPPLIER" if event.source_id == meter.supplier else ""


def against_the_suppliers_word(event: Event, meter: Meter | None) -> str:
    """MeterRemoved, OperatingModeChanged, PaymentModeChanged: no meter, not the supplier, a mode for no SMETS meter."""
    if meter is None:
        return "NO_METER"
    if event.source_id != meter.supplier:
        return "NOT_CURRENT_SUPPLIER"
    return "MODE_NOT_APPLICABLE" if event.record == "OperatingModeChanged" and not meter.is_smets else ""


def moved(event: Event, meter: Meter | None) -> Meter | None:
    """The meter after a consistent event."""
    if event.record == "MeterInstalled":
        return installed(event)
    if meter is None or event.record in DCC_RECORDS:
        return meter
    if event.record == "MeterRemoved":
        return None
    if event.record == "OperatingModeChanged":
        return replace(meter, mode=event.details["operating_mode"])
    if event.record == "PaymentModeChanged":
        return replace(meter, payment=event.details["payment_mode"])
    return gained(event, meter)


def installed(event: Event) -> Meter:
    """The supplier is the sender; region, local authority, sector, type, mode and payment are the event's."""
    details = event.details
    return Meter(
        supplier=event.source_id,
        region=details["region_code"],
        local_authority=authority_of(details["local_authority_code"]),
        fuel=event.fuel,
        sector=details["sector"],
        meter_type=details["meter_type"],
        mode=details["operating_mode"],
        payment=details["payment_mode"],
        install=event,
    )


def authority_of(code: str | None) -> str:
    """The code of a local authority: E, W or S and eight digits; empty for any other text, and for none."""
    is_code = code is not None and len(code) == 9 and code[0] in "EWS" and set(code[1:]) <= set("0123456789")
    return code if code is not None and is_code else ""


def gained(event: Event, meter: Meter) -> Meter:
    """The supplier is the sender; a SMETS meter takes the declared mode if it is SMART or TRADITIONAL."""
    declared = event.details["operating_mode"]
    takes = meter.is_smets and declared in SMETS_OPERATING_MODES
    return replace(meter, supplier=event.source_id, mode=declared if takes else meter.mode)
