"""Faults that spoil events before they are sent: each function writes bad values into some rows."""

from typing import Final

import numpy as np

from pipelines.events.calendar import quarters_of
from pipelines.synthetic.events import NO_METER_POINT
from pipelines.synthetic.soiling import LATE, UNKNOWN_SOURCE, Columns, Fault, Soil
from pipelines.synthetic.state import (
    DAY_MS,
    DCC,
    HOUR_MS,
    MINUTE_MS,
    NON_SMART,
    NOT_APPLICABLE,
    SMART,
    SMETS2,
    Ints,
    quarter_days,
)
from schemas.codes import ACTIONS, DCC_RECORDS, INSTALL_REASONS, RECORDS_WITHOUT_METER_POINT, SUPPLIER_RECORDS
from schemas.geography import region_codes

AMEND: Final = ACTIONS.index("AMEND")
_TWO_THOUSAND_AND_SIX_MS: Final = 1_136_073_600_000


def wrong_check_digits(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets meter points whose check digits are wrong."""
    for fuel, places in enumerate(soil.wrong_points):
        hit = rows[events["fuel"][rows] == fuel]
        if len(places):
            events["meter_point_id"][hit] = soil.rng.choice(places, len(hit))


def malformed_points(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets meter point numbers of the wrong form: too short, with letters, or empty."""
    events["meter_point_id"][rows] = soil.rng.choice(soil.malformed_points, len(rows))


def unknown_regions(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets a region code that does not exist."""
    events["region_code"][rows] = soil.unknown_region


def other_regions(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets a random region in place of the meter's."""
    events["region_code"][rows] = soil.rng.integers(0, len(region_codes()), len(rows))


def unknown_sources(_soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets a source that is not on the list."""
    events["source_id"][rows] = UNKNOWN_SOURCE


def wrong_folders(soil: Soil, events: Columns, rows: Ints) -> None:
    """Puts events into another source's folder."""
    events["owner"][rows] = soil.rng.integers(0, DCC, len(rows))


def other_suppliers(soil: Soil, events: Columns, rows: Ints) -> None:
    """Makes another supplier send the event of a meter that is not its own; it may not even trade at that time."""
    events["source_id"][rows] = soil.rng.integers(0, DCC, len(rows))
    events["owner"][rows] = events["source_id"][rows]


def wrong_kinds_of_source(soil: Soil, events: Columns, rows: Ints) -> None:
    """Makes the DCC send a supplier's record, or a supplier the DCC's."""
    from_dcc = events.record in SUPPLIER_RECORDS
    events["source_id"][rows] = DCC if from_dcc else soil.rng.integers(0, DCC, len(rows))
    events["owner"][rows] = events["source_id"][rows]


def modes_that_do_not_fit(_soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets operating modes that the meter's type cannot have."""
    smets = events["meter_type"][rows] <= SMETS2
    events["operating_mode"][rows] = np.where(smets, NOT_APPLICABLE, SMART)


def upfront_charges(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets charges on the day of installation, which are allowed for businesses only."""
    events["upfront_charge_pence"][rows] = soil.rng.integers(1, 15_000, len(rows))


def missing_devices(_soil: Soil, events: Columns, rows: Ints) -> None:
    """Removes the device's id or the hub's from installations."""
    events["device_id"][rows[::2]] = 0
    events["hub_id"][rows[1::2]] = 0


def odd_reasons(_soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets reasons that do not match the type of the fitted meter."""
    smart = events["meter_type"][rows] != NON_SMART
    odd = (INSTALL_REASONS.index("NON_SMART_REPLACEMENT"), INSTALL_REASONS.index("SMART_FOR_NON_SMART"))
    events["install_reason"][rows] = np.where(smart, *odd)


def skewed_clocks(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets reporting times minutes to hours before the event took effect, as clocks that run slow do."""
    events["reported_at"][rows] = events["effective_at"][rows] - soil.rng.integers(MINUTE_MS, 20 * HOUR_MS, len(rows))


def reported_days_before(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets reporting times days before the event took effect."""
    events["reported_at"][rows] = events["effective_at"][rows] - DAY_MS - soil.later(len(rows), 0.01, 20)


def before_the_rollout(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets dates before 2008."""
    events["effective_at"][rows] = _TWO_THOUSAND_AND_SIX_MS + soil.later(len(rows), 0, 700)


def at_the_quarters_edge(soil: Soil, events: Columns, rows: Ints) -> None:
    """Moves events to the local midnight at which the quarter began, or half an hour before or after it."""
    numbers, which = np.unique(quarters_of(events["effective_at"][rows]), return_inverse=True)
    starts = np.array([quarter_days(int(number)).start_ms for number in numbers], dtype=np.int64)
    side = soil.rng.choice(np.array([-30, 0, 30]), len(rows)) * MINUTE_MS
    if len(rows):
        events["effective_at"][rows] = starts[which] + side


def months_late(soil: Soil, events: Columns, rows: Ints) -> None:
    """Makes events be reported and delivered months late."""
    late = events["reported_at"][rows] + soil.later(len(rows), 30, 300)
    events["reported_at"][rows] = np.minimum(late, soil.last_ms)
    events["lot"][rows] = LATE


def malformed_ids(_soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets event ids in upper case."""
    events["shout"][rows] = 1


def corrections_of_nothing(soil: Soil, events: Columns, rows: Ints) -> None:
    """Makes amendments that name no target, and new events that name one."""
    events["action"][rows[::2]] = AMEND
    for name in ("corrects_a", "corrects_b"):
        events[name][rows[1::2]] = soil.rng.integers(1, 2**64, len(rows[1::2]), dtype=np.uint64)


def malformed_quarters(soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets quarters in the wrong form."""
    events["quarter"][rows] = soil.malformed_quarter


def miscounted(soil: Soil, events: Columns, rows: Ints) -> None:
    """Changes declared meters by a few."""
    off = soil.rng.integers(1, 6, len(rows))
    events["meters"][rows] += off * np.where(soil.rng.random(len(rows)) < 0.5, -1, 1)
    events["meters"][rows] = np.maximum(events["meters"][rows], 0)


def negative_counts(_soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets counts below zero."""
    name = "meters" if events.record == "PortfolioDeclared" else "numerator"
    events[name][rows] = -1 - np.abs(events[name][rows])


def points_where_none_belongs(_soil: Soil, events: Columns, rows: Ints) -> None:
    """Sets meter points in records that are not about a meter point."""
    events["meter_point_id"][rows] = np.where(events["meter_point_id"][rows] == NO_METER_POINT, rows % 2, 0)


_WITH_CELL: Final = ("MeterInstalled", "PortfolioDeclared")
_OF_METERS: Final = ("MeterInstalled", "MeterRemoved", "OperatingModeChanged", "SupplyGained", "PaymentModeChanged")
_NO_POINT: Final = RECORDS_WITHOUT_METER_POINT

# The order matters: a fault may hit an event that an earlier one has hit.
FAULTS: Final = (
    Fault(0.006, other_suppliers, _OF_METERS),
    Fault(0.004, at_the_quarters_edge, except_for=_NO_POINT),
    Fault(0.02, months_late),
    Fault(0.005, wrong_check_digits, except_for=_NO_POINT),
    Fault(0.002, malformed_points, except_for=_NO_POINT),
    Fault(0.002, points_where_none_belongs, _NO_POINT),
    Fault(0.004, unknown_regions, _WITH_CELL),
    Fault(0.004, other_regions, ("MeterInstalled",)),
    Fault(0.001, unknown_sources),
    Fault(0.002, wrong_folders),
    Fault(0.001, wrong_kinds_of_source, SUPPLIER_RECORDS),
    Fault(0.001, wrong_kinds_of_source, DCC_RECORDS),
    Fault(0.004, modes_that_do_not_fit, _WITH_CELL),
    Fault(0.004, upfront_charges, ("MeterInstalled",)),
    Fault(0.006, missing_devices, ("MeterInstalled",)),
    Fault(0.003, odd_reasons, ("MeterInstalled",)),
    Fault(0.004, skewed_clocks),
    Fault(0.002, reported_days_before),
    Fault(0.002, before_the_rollout),
    Fault(0.001, malformed_ids),
    Fault(0.002, corrections_of_nothing),
    Fault(0.004, malformed_quarters, ("PortfolioDeclared",)),
    Fault(0.02, miscounted, ("PortfolioDeclared",)),
    Fault(0.003, negative_counts, ("PortfolioDeclared", "ServiceMeasured")),
)
