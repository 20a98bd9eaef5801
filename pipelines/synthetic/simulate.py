"""The simulation: quarter by quarter, first the changes, then their instants, then the events that report them."""

from collections.abc import Callable

import numpy as np

from pipelines.events.calendar import day_end_ms
from pipelines.synthetic.dcc_events import (
    report_commissioning,
    report_credentials,
    report_decommissioning,
    report_hubs,
    report_migration,
    report_service,
)
from pipelines.synthetic.declaring import declare
from pipelines.synthetic.events import Recorder
from pipelines.synthetic.fitting import fit, remove
from pipelines.synthetic.opening import open_meters, open_points, points_needed, report_opening
from pipelines.synthetic.places import read_places
from pipelines.synthetic.plan import Plan
from pipelines.synthetic.state import Ints, Quarter, World, quarter_days, working_times
from pipelines.synthetic.steering import migrate, steer_modes, steer_payments
from pipelines.synthetic.supplier_events import (
    report_faults,
    report_fitted,
    report_modes,
    report_payments,
    report_removed,
    report_switches,
    report_visits,
)
from pipelines.synthetic.switching import switches, transfers
from pipelines.synthetic.targets import FIRST, read_targets
from pipelines.synthetic.truth import Truth
from schemas.quarters import quarter_of_day

_PHASES = 8


def new_world(plan: Plan) -> World:
    """Makes the world at the start of 2012 and records its opening positions."""
    targets, places = read_targets(), read_places()
    rng = np.random.Generator(np.random.PCG64([plan.seed, plan.meters]))
    counts = points_needed(plan, targets, quarter_of_day(plan.until))
    meters = open_points(rng, places, counts)
    world = World(plan.scale, rng, targets, places, meters, Recorder(day_end_ms(plan.until)))
    report_opening(world, open_meters(world))
    return world


def simulate(world: World, last: int, each: Callable[[int], None]) -> Truth:
    """Simulates the quarters up to `last`, calls `each` after every one, and returns the truth."""
    truth = Truth()
    declared = np.empty(0, dtype=np.int64)
    for number in range(FIRST, last + 1):
        quarter = quarter_days(number)
        _live(world, quarter, truth)
        truth.close(number, world.meters)
        if quarter.end_ms <= world.recorder.last_ms:
            declared = declare(world, quarter, truth.stock[number], declared)
        each(number)
    return truth


def _live(world: World, quarter: Quarter, truth: Truth) -> None:
    """Simulates one quarter; a meter's changes take effect in the order of the lines here."""
    number = quarter.number
    world.meters.busy[:] = False
    moved = transfers(world, number)
    removed = remove(world)
    switched = switches(world, number)
    fitted = fit(world, number)
    migrated = migrate(world, number)
    moded = steer_modes(world, number, migrated)
    paying = steer_payments(world, number)
    truth.fit(number, world.meters, fitted)
    meters = [switched.meter, removed.meter, fitted.meter, migrated.meter, moded.meter, paying.meter]
    at = instants(world.rng, quarter, meters)
    midnight = np.full(len(moved.meter), quarter.start_ms)
    report_switches(world, moved, midnight)
    report_switches(world, switched, at[0])
    report_removed(world, removed, at[1])
    report_fitted(world, fitted, at[2])
    report_visits(world, fitted, at[2], quarter)
    report_modes(world, moded, at[4])
    report_payments(world, paying, at[5])
    report_faults(world, quarter)
    report_credentials(world, moved, midnight)
    report_credentials(world, switched, at[0])
    report_commissioning(world, fitted, at[2])
    report_decommissioning(world, fitted, at[2], removed, at[1])
    report_migration(world, migrated, at[3])
    report_hubs(world, quarter)
    report_service(world, quarter)


def instants(rng: np.random.Generator, quarter: Quarter, batches: list[Ints]) -> list[Ints]:
    """Returns instants in working hours for each batch of meters; a meter's instants follow the batches' order."""
    sizes = [len(batch) for batch in batches]
    meters = np.concatenate(batches)
    phases = np.repeat(np.arange(len(batches)), sizes)
    times = working_times(rng, quarter, len(meters))
    in_order = np.argsort(meters * _PHASES + phases, kind="stable")
    placed = np.empty_like(times)
    placed[in_order] = times[np.lexsort((times, meters))]
    return np.split(placed, np.cumsum(sizes)[:-1])
