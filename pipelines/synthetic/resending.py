"""Copies and corrections, including inconsistent ones; each function returns events to be sent in addition."""

from typing import Final

import numpy as np

from pipelines.synthetic.faults import AMEND
from pipelines.synthetic.soiling import AGAIN, LATE, REGULAR, Columns, Fault, Soil, together
from pipelines.synthetic.state import DAY_MS, DCC, HOUR_MS, NON_SMART, SMART, Array, Ints
from schemas.codes import ACTIONS, DCC_RECORDS, INSTALL_REASONS, MODE_CAUSES, REMOVAL_REASONS, SUPPLY_REASONS

VOID: Final = ACTIONS.index("VOID")
_EARLY_2008_MS: Final = 1_199_145_600_000


def copies(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns copies of events, to be sent in the same delivery or in a later one."""
    out = events.take(rows)
    out["lot"] = np.where(soil.rng.random(len(rows)) < 0.5, AGAIN, out["lot"]).astype(np.int8)
    return out


def reused_ids(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns events that use the ids of others with different content."""
    out = events.take(rows)
    out["reported_at"] = out["reported_at"] + soil.later(len(rows), -1, 20)
    return out


def ids_of_two_sources(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns events of other sources that use the same id for the same meter."""
    out = events.take(rows)
    others = soil.rng.integers(0, DCC, len(rows)).astype(np.int8)
    out["source_id"] = np.where(out["source_id"] == DCC, DCC, others).astype(np.int8)
    out["owner"] = out["source_id"].copy()
    return out


def same_again_under_new_ids(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns events repeated later with new ids: the same installation, or a gain of a meter already supplied."""
    out = events.take(rows)
    soil.new_ids(out)
    out["reported_at"] = out["reported_at"] + soil.later(len(rows), 1, 40)
    return out


def opening_again(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns opening positions of meter points that have a meter."""
    out = same_again_under_new_ids(soil, events, rows)
    out["install_reason"][:] = INSTALL_REASONS.index("OPENING_POSITION")
    out["effective_at"] = out["effective_at"] + soil.later(len(rows), 1, 40)
    out["reported_at"] = np.maximum(out["reported_at"], out["effective_at"])
    return out


def gains_before_any_meter(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns gains of new supplies from before a meter was there."""
    out = same_again_under_new_ids(soil, events, rows)
    out["reason"][:] = SUPPLY_REASONS.index("NEW")
    out["effective_at"] = _EARLY_2008_MS + soil.later(len(rows), 0, 0.9)
    return out


def _correcting(soil: Soil, events: Columns, rows: Ints, action: int) -> Columns:
    """Returns corrections of events, with new ids, reported days after their targets; some have a shifted time."""
    out = events.take(rows)
    out["corrects_a"], out["corrects_b"] = out["event_a"].copy(), out["event_b"].copy()
    soil.new_ids(out)
    out["action"][:] = action
    shift = np.where(soil.rng.random(len(rows)) < 0.3, soil.later(len(rows), -25, 25), 0)
    out["effective_at"] = out["effective_at"] + shift
    reported = np.maximum(out["reported_at"], out["effective_at"]) + soil.later(len(rows), 0.5, 60)
    out["reported_at"] = np.minimum(reported, soil.last_ms)
    return out


def _some_before_their_targets(soil: Soil, out: Columns, targets: Array) -> None:
    """Sets the reporting times of some corrections before those of their targets."""
    early = soil.rng.random(out.height) < 0.15
    out["reported_at"][early] = targets[early] - HOUR_MS
    out["effective_at"][early] = np.minimum(out["effective_at"][early], out["reported_at"][early])


def amendments(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns amendments, some reported before their targets, some amended or withdrawn again."""
    first = _correcting(soil, events, rows, AMEND)
    _some_before_their_targets(soil, first, events["reported_at"][rows])
    events["lot"][rows[::7]] = LATE
    chained = np.flatnonzero(soil.rng.random(first.height) < 0.25)
    second = _correcting(soil, first, chained, AMEND)
    third = _correcting(soil, second, np.arange(0, second.height, 3), VOID)
    return together([first, second, third])


def withdrawals(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns withdrawals, some reported before their targets."""
    out = _correcting(soil, events, rows, VOID)
    _some_before_their_targets(soil, out, events["reported_at"][rows])
    return out


def circles(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns pairs of amendments that correct each other."""
    one = _correcting(soil, events, rows, AMEND)
    other = _correcting(soil, one, np.arange(one.height), AMEND)
    one["corrects_a"], one["corrects_b"] = other["event_a"].copy(), other["event_b"].copy()
    return together([one, other])


def without_targets(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns corrections of events that never come."""
    out = _correcting(soil, events, rows, AMEND)
    out["action"][::2] = VOID
    out["corrects_b"] = soil.rng.integers(1, 2**64, out.height, dtype=np.uint64)
    return out


def by_others(soil: Soil, events: Columns, rows: Ints) -> Columns:
    """Returns corrections of another supplier's events."""
    out = _correcting(soil, events, rows, AMEND)
    out["source_id"] = ((out["source_id"].astype(np.int64) + 1 + rows % (DCC - 1)) % DCC).astype(np.int8)
    out["owner"] = out["source_id"].copy()
    out["action"][::2] = VOID
    return out


_SUPPLIERS: Final = ("MeterInstalled", "MeterRemoved", "OperatingModeChanged", "SupplyGained", "PaymentModeChanged")

RESENDINGS: Final = (
    Fault(0.03, amendments),
    Fault(0.008, withdrawals),
    Fault(0.0006, circles),
    Fault(0.002, without_targets),
    Fault(0.002, by_others, except_for=DCC_RECORDS),
    Fault(0.002, same_again_under_new_ids, ("MeterInstalled", "SupplyGained")),
    Fault(0.002, opening_again, ("MeterInstalled",)),
    Fault(0.002, gains_before_any_meter, ("SupplyGained",)),
    Fault(0.003, reused_ids),
    Fault(0.001, ids_of_two_sources),
    Fault(0.04, copies),
)


def wrong_types(soil: Soil, installed: Columns) -> Columns:
    """Returns withdrawals and amendments of installations that are sent as removals."""
    rows = soil.rows(installed.height, 0.004)
    out = _correcting(soil, installed, rows, AMEND)
    out["action"][::2] = VOID
    out["reason"] = np.full(out.height, REMOVAL_REASONS.index("OTHER"), dtype=np.int8)
    return Columns("MeterRemoved", out.arrays)


def modes_of_plain_meters(soil: Soil, installed: Columns) -> Columns:
    """Returns changes of the operating mode of non-smart meters, from their suppliers."""
    plain = np.flatnonzero(installed["meter_type"] == NON_SMART)
    out = installed.take(plain[soil.rows(len(plain), 0.002)])
    soil.new_ids(out)
    out["effective_at"] = out["effective_at"] + HOUR_MS
    out["reported_at"] = out["reported_at"] + DAY_MS
    out["operating_mode"] = np.full(out.height, SMART, dtype=np.int8)
    out["cause"] = np.full(out.height, MODE_CAUSES.index("OTHER"), dtype=np.int8)
    return Columns("OperatingModeChanged", out.arrays)


ACROSS: Final = (wrong_types, modes_of_plain_meters)
DELIVERIES: Final = {REGULAR: "", LATE: "-late", AGAIN: "-again"}
