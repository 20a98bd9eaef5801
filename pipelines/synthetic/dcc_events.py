"""The DCC's events of a quarter: devices and their commissioning, migration, credentials, hubs and its service."""

from typing import Final

import numpy as np

from pipelines.synthetic.changes import Fitted, Migrated, Removed, Switched
from pipelines.synthetic.events import NO_METER_POINT
from pipelines.synthetic.meter_points import device_numbers
from pipelines.synthetic.state import (
    DAY_MS,
    DCC,
    HOUR_MS,
    MINUTE_MS,
    SMETS1,
    SMETS2,
    TRADITIONAL,
    Array,
    Ints,
    Quarter,
    World,
    dcc_delay,
    working_times,
)
from pipelines.synthetic.supplier_events import HUB, METER
from pipelines.synthetic.targets import fuel_of
from schemas.codes import CSP_REGIONS, DEVICE_STATUSES, DEVICE_TYPES, FUELS, SMETS_GENERATIONS
from schemas.quarters import quarter_of_year

SUCCESS, FAIL, TIMEOUT = 0, 1, 2
WHITELISTED, INSTALLED, COMMISSIONED, DECOMMISSIONED = (
    DEVICE_STATUSES.index(s) for s in ("Whitelisted", "InstalledNotCommissioned", "Commissioned", "Decommissioned")
)
ESME, GSME, CHF = (DEVICE_TYPES.index(t) for t in ("ESME", "GSME", "CHF"))
# By service provider region: the share of first commissioning attempts that fail, and of hubs that drop out a quarter.
_FIRST_FAILS: Final = np.array([0.11, 0.06, 0.07])
_DROPS: Final = np.array([0.009, 0.005, 0.006])
_CREDENTIALS_FAIL: Final = 0.05
_MIGRATION_FAILS: Final = 0.06
MEASURES: Final = ("AVAILABILITY", "CHANGE_OF_SUPPLIER", "FIRMWARE", "INSTALL_AND_COMMISSION", "PREPAYMENT_TOP_UP")
_MEASURED_FROM: Final = quarter_of_year(2017, 3)
_SUCCESS_RATES: Final = (0.997, 0.94, 0.9, 0.93, 0.99)


def _meter_types(world: World, places: Ints) -> Array:
    return np.where(fuel_of(world.meters.segment[places]) == FUELS.index("GAS"), GSME, ESME)


def _status(world: World, places: Ints, at: Ints, device: Array, what: tuple[Array | int, int]) -> None:
    """Records that devices of a type (first of `what`) reached a status (second)."""
    world.recorder.add(
        "DeviceStatusChanged",
        source_id=DCC,
        fuel=fuel_of(world.meters.segment[places]),
        meter_point_id=places,
        effective_at=at,
        reported_at=at + dcc_delay(world.rng, len(at)),
        device_id=device,
        device_type=what[0],
        status=what[1],
    )


def _commissioning(world: World, places: Ints, at: Ints, device: Array, result: Array | int) -> None:
    world.recorder.add(
        "CommissioningCompleted",
        source_id=DCC,
        fuel=fuel_of(world.meters.segment[places]),
        meter_point_id=places,
        effective_at=at,
        reported_at=at + dcc_delay(world.rng, len(at)),
        device_id=device,
        result=result,
        duration_seconds=np.where(np.asarray(result) == TIMEOUT, 5400, world.rng.integers(60, 2400, len(places))),
    )


def report_commissioning(world: World, batch: Fitted, at: Ints) -> None:
    """Records the commissioning of each SMETS2 meter and hub; some fail or time out before they succeed."""
    rng = world.rng
    newer = np.flatnonzero(batch.kind == SMETS2)
    places, start = batch.meter[newer], at[newer]
    device = device_numbers(places, batch.fitting[newer], METER)
    kinds = _meter_types(world, places)
    _status(world, places, start - rng.integers(5 * DAY_MS, 20 * DAY_MS, len(newer)), device, (kinds, WHITELISTED))
    _status(world, places, start + 5 * MINUTE_MS, device, (kinds, INSTALLED))
    csp = world.places.csp_region[world.meters.region[places]]
    failed = rng.random(len(newer)) < _FIRST_FAILS[csp]
    first = start + rng.integers(8 * MINUTE_MS, 80 * MINUTE_MS, len(newer))
    result = np.where(rng.random(len(newer)) < 0.35, TIMEOUT, FAIL)
    _commissioning(world, places[failed], first[failed], device[failed], result[failed])
    # Meters left in traditional mode are commissioned days later, others hours after a failure.
    late = batch.mode[newer] == TRADITIONAL
    wait = np.where(
        late, rng.integers(2 * DAY_MS, 30 * DAY_MS, len(newer)), rng.integers(HOUR_MS, 30 * HOUR_MS, len(newer))
    )
    done = first + np.where(failed | late, wait, 0)
    _commissioning(world, places, done, device, SUCCESS)
    _status(world, places, done + MINUTE_MS, device, (kinds, COMMISSIONED))
    hubs = kinds == ESME
    hub = device_numbers(places[hubs], batch.fitting[newer][hubs], HUB)
    _status(world, places[hubs], start[hubs] + 2 * MINUTE_MS, hub, (CHF, COMMISSIONED))


def report_decommissioning(world: World, fitted: Fitted, fitted_at: Ints, removed: Removed, removed_at: Ints) -> None:
    """Records that SMETS2 meters which were exchanged or removed are decommissioned."""
    exchanged = np.flatnonzero(fitted.replaced == SMETS2)
    places = fitted.meter[exchanged]
    device = device_numbers(places, fitted.fitting[exchanged] - 1, METER)
    # Before the new device's own events.
    _status(world, places, fitted_at[exchanged] - MINUTE_MS, device, (_meter_types(world, places), DECOMMISSIONED))
    gone = np.flatnonzero(removed.kind == SMETS2)
    places = removed.meter[gone]
    device = device_numbers(places, removed.fitting[gone], METER)
    _status(world, places, removed_at[gone] + HOUR_MS, device, (_meter_types(world, places), DECOMMISSIONED))


def report_migration(world: World, batch: Migrated, at: Ints) -> None:
    """Records migrations of SMETS1 meters; a few fail a week before they succeed."""
    rng = world.rng
    device = device_numbers(batch.meter, batch.fitting, METER)
    failed = rng.random(len(at)) < _MIGRATION_FAILS
    for rows, moment, result in ((failed, at - 7 * DAY_MS, FAIL), (np.ones(len(at), dtype=bool), at, SUCCESS)):
        world.recorder.add(
            "Smets1Migrated",
            source_id=DCC,
            fuel=fuel_of(world.meters.segment[batch.meter[rows]]),
            meter_point_id=batch.meter[rows],
            effective_at=moment[rows],
            reported_at=moment[rows] + dcc_delay(rng, int(rows.sum())),
            device_id=device[rows],
            was=batch.dormant[rows],
            result=result,
        )


def report_credentials(world: World, batch: Switched, at: Ints) -> None:
    """Records that the gainer gets the credentials of meters on the network within hours, some at a second attempt."""
    rng, meters = world.rng, world.meters
    kind = meters.kind[batch.meter]
    rows = np.flatnonzero((kind == SMETS2) | ((kind == SMETS1) & meters.migrated[batch.meter]))
    first = at[rows] + rng.integers(MINUTE_MS, 12 * HOUR_MS, len(rows))
    failed = rng.random(len(rows)) < _CREDENTIALS_FAIL
    second = first + rng.integers(HOUR_MS, 5 * DAY_MS, len(rows))
    attempts = ((rows[failed], first[failed], FAIL), (rows, np.where(failed, second, first), SUCCESS))
    for chosen, moment, result in attempts:
        places = batch.meter[chosen]
        world.recorder.add(
            "CredentialsChanged",
            source_id=DCC,
            fuel=fuel_of(meters.segment[places]),
            meter_point_id=places,
            effective_at=moment,
            reported_at=moment + dcc_delay(rng, len(chosen)),
            device_id=device_numbers(places, meters.fitting[places], METER),
            to_source_id=batch.gainer[chosen],
            result=result,
        )


def report_hubs(world: World, quarter: Quarter) -> None:
    """Records hubs that lose the network and regain it, mostly after days, sometimes after more than a month."""
    rng, meters = world.rng, world.meters
    newer = np.flatnonzero(meters.present & (meters.kind == SMETS2) & ~meters.busy)
    csp = world.places.csp_region[meters.region[newer]]
    dropped = rng.random(len(newer)) < _DROPS[csp]
    places, csp = newer[dropped], csp[dropped]
    lost = working_times(rng, quarter, len(places))
    back = lost + np.maximum(HOUR_MS, rng.exponential(12 * DAY_MS, len(places))).astype(np.int64)
    for connected, moment in ((False, lost), (True, back)):
        world.recorder.add(
            "HubConnectivityChanged",
            source_id=DCC,
            fuel=fuel_of(meters.segment[places]),
            meter_point_id=places,
            effective_at=moment,
            reported_at=moment + dcc_delay(rng, len(places)),
            hub_id=device_numbers(places, meters.fitting[places], HUB),
            connected=connected,
            csp_region=csp,
        )


def _measured_days(world: World, quarter: Quarter) -> Ints:
    """Returns the days of a quarter that are measured: all of them at full scale, fewer if there are fewer meters."""
    days = len(quarter.days_ms) - 1
    count = int(np.clip(round(len(world.meters.kind) / 20_000), 1, days))
    return np.arange(count) * days // count


def report_service(world: World, quarter: Quarter) -> None:
    """Records the DCC's daily measures by service provider region and generation; SMETS1 from 2019Q3 on."""
    if quarter.number < _MEASURED_FROM:
        return
    rng, meters = world.rng, world.meters
    generations = [code for code in range(len(SMETS_GENERATIONS)) if code or quarter.number >= quarter_of_year(2019, 3)]
    grid = np.meshgrid(_measured_days(world, quarter), range(len(CSP_REGIONS)), generations, range(len(MEASURES)))
    day, csp, generation, measure = (axis.ravel() for axis in grid)
    served = world.places.csp_region[meters.region]
    stock = [[int((meters.smets & (meters.kind == g) & (served == c)).sum()) for c in range(3)] for g in (0, 1)]
    denominator = np.array(stock)[generation, csp] // np.array([1, 90, 30, 120, 8])[measure] + 1
    start = quarter.days_ms[day]
    world.recorder.add(
        "ServiceMeasured",
        source_id=DCC,
        fuel=0,
        meter_point_id=NO_METER_POINT,
        effective_at=start + 12 * HOUR_MS,
        reported_at=start + DAY_MS + rng.integers(HOUR_MS, 9 * HOUR_MS, len(day)),
        day=(start + 12 * HOUR_MS) // DAY_MS,
        csp_region=csp,
        generation=generation,
        measure=measure,
        numerator=rng.binomial(denominator, np.array(_SUCCESS_RATES)[measure]),
        denominator=denominator,
    )
