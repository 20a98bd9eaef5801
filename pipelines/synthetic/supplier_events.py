"""Suppliers' events about a quarter's changes; each batch comes with the instants at which its changes took effect."""

from typing import Final

import numpy as np

from pipelines.synthetic.changes import Fitted, Moded, Paying, Removed, Switched
from pipelines.synthetic.events import NONE
from pipelines.synthetic.meter_points import device_numbers, mixed
from pipelines.synthetic.quota import some
from pipelines.synthetic.state import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    NON_SMART,
    SMETS2,
    Array,
    Ints,
    Quarter,
    World,
    supplier_delay,
)
from pipelines.synthetic.targets import fuel_of, sector_of
from schemas.codes import FAULT_SIDES, FAULT_STAGES, IN_HOME_DISPLAY_ANSWERS, VISIT_OUTCOMES

METER, HUB = 0, 1
_ACCEPTED, _DECLINED, _HELD, _NOT_OFFERED = range(len(IN_HOME_DISPLAY_ANSWERS))
_DISPLAY_SHARES: Final = (0.62, 0.12, 0.16, 0.1)
_COMPLETED, _PARTIAL = VISIT_OUTCOMES.index("COMPLETED"), VISIT_OUTCOMES.index("PARTIAL_ONE_FUEL")
# Outcomes of failed visits, the share of each, and the side at fault.
_FAILED: Final = {
    "NO_ACCESS": (0.3, "CUSTOMER"),
    "CUSTOMER_DECLINED": (0.1, "CUSTOMER"),
    "CUSTOMER_CANCELLED": (0.17, "CUSTOMER"),
    "ABORT_TECHNICAL": (0.19, "SUPPLIER"),
    "ABORT_SAFETY": (0.06, "THIRD_PARTY"),
    "ABORT_NO_WAN": (0.05, "THIRD_PARTY"),
    "ABORT_HAN": (0.05, "SUPPLIER"),
    "SUPPLIER_CANCELLED": (0.08, "SUPPLIER"),
}
_FAILED_BEFORE: Final = 0.26
_FAULT_RATE: Final = 0.0025


def report_switches(world: World, batch: Switched, at: Ints) -> None:
    """Records gains by the gaining and losses by the losing supplier. A loss takes effect a second before the gain."""
    fuel = fuel_of(world.meters.segment[batch.meter])
    world.recorder.add(
        "SupplyGained",
        source_id=batch.gainer,
        fuel=fuel,
        meter_point_id=batch.meter,
        effective_at=at,
        reported_at=at + supplier_delay(world.rng, len(at)),
        operating_mode=batch.mode,
        reason=batch.reason,
    )
    world.recorder.add(
        "SupplyLost",
        source_id=batch.loser,
        fuel=fuel,
        meter_point_id=batch.meter,
        effective_at=at - 1000,
        reported_at=at + supplier_delay(world.rng, len(at)),
        reason=batch.reason,
    )


def report_fitted(world: World, batch: Fitted, at: Ints) -> None:
    """Records installations, those of smart meters with device and hub."""
    meters, smets = world.meters, batch.kind <= SMETS2
    offered = world.rng.choice(4, len(at), p=_DISPLAY_SHARES)
    world.recorder.add(
        "MeterInstalled",
        source_id=batch.supplier,
        fuel=fuel_of(meters.segment[batch.meter]),
        meter_point_id=batch.meter,
        effective_at=at,
        reported_at=at + supplier_delay(world.rng, len(at)),
        meter_type=batch.kind,
        operating_mode=batch.mode,
        sector=sector_of(meters.segment[batch.meter]),
        payment_mode=batch.payment,
        region_code=meters.region[batch.meter],
        local_authority_code=meters.area[batch.meter],
        install_reason=batch.reason,
        device_id=np.where(smets, device_numbers(batch.meter, batch.fitting, METER), np.uint64(0)),
        hub_id=np.where(smets, device_numbers(batch.meter, batch.fitting, HUB), np.uint64(0)),
        in_home_display=np.where(smets, offered, _NOT_OFFERED),
        upfront_charge_pence=0,
    )


def report_visits(world: World, batch: Fitted, at: Ints, quarter: Quarter) -> None:
    """Records the visit at which each smart or advanced meter was fitted, and failed visits before some of them."""
    rng = world.rng
    visited = np.flatnonzero(batch.kind != NON_SMART)
    outcome = np.where(rng.random(len(visited)) < 0.06, _PARTIAL, _COMPLETED)
    _report_visits(world, batch, visited, at[visited] - 20 * MINUTE_MS, outcome)
    failed = visited[rng.random(len(visited)) < _FAILED_BEFORE]
    before = at[failed] - rng.integers(3 * DAY_MS, 40 * DAY_MS, len(failed))
    # Failed visits stay within the quarter, since an earlier one may have been another supplier's.
    inside = before > quarter.start_ms + 8 * HOUR_MS
    codes = np.array([VISIT_OUTCOMES.index(outcome) for outcome in _FAILED])
    outcome = rng.choice(codes, len(failed), p=[often for often, _ in _FAILED.values()])
    _report_visits(world, batch, failed[inside], before[inside], outcome[inside])


def _report_visits(world: World, batch: Fitted, rows: Ints, at: Ints, outcome: Array) -> None:
    rng, places = world.rng, batch.meter[rows]
    done = np.isin(outcome, (_COMPLETED, _PARTIAL))
    sides = np.full(len(VISIT_OUTCOMES), NONE)
    for name, (_, side) in _FAILED.items():
        sides[VISIT_OUTCOMES.index(name)] = FAULT_SIDES.index(side)
    requested = at // DAY_MS - rng.integers(5, 50, len(rows))
    unasked = rng.random(len(rows)) < 0.2
    world.recorder.add(
        "InstallationVisit",
        source_id=batch.supplier[rows],
        fuel=fuel_of(world.meters.segment[places]),
        meter_point_id=places,
        effective_at=at,
        reported_at=at + supplier_delay(rng, len(rows)),
        appointment_id=mixed(places.astype(np.uint64) << np.uint64(24) ^ at.astype(np.uint64)),
        requested_on=np.where(unasked, NONE, requested),
        offered_on=np.where(rng.random(len(rows)) < 0.1, NONE, at // DAY_MS - rng.integers(0, 5, len(rows))),
        outcome=outcome,
        fault_side=sides[outcome],
        vulnerable_customer=rng.random(len(rows)) < 0.18,
        energy_advice_given=done & (rng.random(len(rows)) < 0.85),
        display_demonstrated=done & (rng.random(len(rows)) < 0.75),
    )


def report_modes(world: World, batch: Moded, at: Ints) -> None:
    """Records changes of operating mode."""
    world.recorder.add(
        "OperatingModeChanged",
        source_id=batch.supplier,
        fuel=fuel_of(world.meters.segment[batch.meter]),
        meter_point_id=batch.meter,
        effective_at=at,
        reported_at=at + supplier_delay(world.rng, len(at)),
        operating_mode=batch.mode,
        cause=batch.cause,
    )


def report_payments(world: World, batch: Paying, at: Ints) -> None:
    """Records changes of payment mode."""
    world.recorder.add(
        "PaymentModeChanged",
        source_id=batch.supplier,
        fuel=fuel_of(world.meters.segment[batch.meter]),
        meter_point_id=batch.meter,
        effective_at=at,
        reported_at=at + supplier_delay(world.rng, len(at)),
        payment_mode=batch.payment,
    )


def report_removed(world: World, batch: Removed, at: Ints) -> None:
    """Records removals without replacement."""
    world.recorder.add(
        "MeterRemoved",
        source_id=batch.supplier,
        fuel=fuel_of(world.meters.segment[batch.meter]),
        meter_point_id=batch.meter,
        effective_at=at,
        reported_at=at + supplier_delay(world.rng, len(at)),
        reason=batch.reason,
    )


def report_faults(world: World, quarter: Quarter) -> None:
    """Records fault cases of smart meters: reported, planned within days, resolved within weeks, all in the quarter."""
    rng, meters = world.rng, world.meters
    smart = np.flatnonzero(meters.smets & ~meters.busy)
    places = some(rng, smart, round(_FAULT_RATE * len(smart)))
    day = quarter.working[rng.integers(0, len(quarter.working) // 2, len(places))]
    at = quarter.days_ms[day] + rng.integers(8 * HOUR_MS, 18 * HOUR_MS, len(places))
    case = mixed(places.astype(np.uint64) << np.uint64(20) ^ at.astype(np.uint64))
    planned = at + rng.integers(DAY_MS // 2, 9 * DAY_MS, len(places))
    resolved = planned + rng.integers(DAY_MS, 30 * DAY_MS, len(places))
    for stage, moment in zip(FAULT_STAGES, (at, planned, resolved), strict=True):
        within = moment < quarter.end_ms
        world.recorder.add(
            "FaultCase",
            source_id=meters.supplier[places][within],
            fuel=fuel_of(meters.segment[places][within]),
            meter_point_id=places[within],
            effective_at=moment[within],
            reported_at=moment[within] + supplier_delay(rng, int(within.sum())),
            case_id=case[within],
            stage=FAULT_STAGES.index(stage),
        )
