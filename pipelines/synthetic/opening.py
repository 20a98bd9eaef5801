"""The opening position at the start of 2012: all meter points that will ever exist, and the meters already in place."""

import itertools
from typing import Final

import numpy as np

from pipelines.events.calendar import local_midnight_ms
from pipelines.synthetic.events import NONE
from pipelines.synthetic.places import AREAS_IN_A_REGION, Places
from pipelines.synthetic.plan import FIRST_DAY, Plan
from pipelines.synthetic.quota import pick, shared
from pipelines.synthetic.state import (
    ADVANCED,
    CREDIT,
    DAY_MS,
    NON_SMART,
    NOT_APPLICABLE,
    PREPAYMENT,
    SOURCES,
    Array,
    Ints,
    Meters,
    World,
)
from pipelines.synthetic.targets import OPENING, SEGMENTS, Targets, fuel_of, sector_of
from schemas.codes import IN_HOME_DISPLAY_ANSWERS, INSTALL_REASONS
from schemas.sources import sources

# The share of meters removed without replacement in a quarter: buildings demolished, supplies cut off.
REMOVAL_RATE: Final = 0.0004
AREA_UNKNOWN: Final = 0.03
PREPAYMENT_SHARE: Final = (0.15, 0.15, 0.02, 0.02)
_EARLIEST_MS: Final = 1_199_145_600_000 + DAY_MS


def points_needed(plan: Plan, targets: Targets, last: int) -> Ints:
    """Returns, for each segment, an upper bound of its meter points: first meters, growth and replaced removals."""
    quarters = last - OPENING
    need = []
    for segment in range(len(SEGMENTS)):
        stock = [targets.segment("all_meters", segment, quarter) for quarter in range(OPENING, last + 1)]
        growth = sum(max(0.0, after - before) for before, after in itertools.pairwise(stock))
        most = plan.scale * 1e6 * (stock[0] + growth + max(stock) * REMOVAL_RATE * quarters)
        # Rounding may need a few more meter points each quarter.
        need.append(round(most) + 14 * quarters + 16)
    return np.array(need)


def open_points(rng: np.random.Generator, places: Places, counts: Ints) -> Meters:
    """Makes meter points without meters: `counts` of each segment, spread over regions by quota, and over areas."""
    segments = np.repeat(np.arange(len(counts), dtype=np.int8), counts)
    regions = np.concatenate([_regions(rng, places, segment, count) for segment, count in enumerate(counts)])
    areas = regions.astype(np.int16) * AREAS_IN_A_REGION + rng.integers(0, AREAS_IN_A_REGION, len(regions))
    areas[rng.random(len(areas)) < AREA_UNKNOWN] = NONE
    return Meters.of(segments, regions, areas.astype(np.int16))


def _regions(rng: np.random.Generator, places: Places, segment: int, count: int) -> Array:
    quota = shared(count, places.meters[SEGMENTS[segment][1]])
    return rng.permutation(np.repeat(np.arange(len(quota), dtype=np.int8), quota))


def open_meters(world: World) -> Ints:
    """Puts the meters of the start of 2012 in place, with supplier, type, mode and payment; returns their places."""
    return np.concatenate([_open_segment(world, segment) for segment in range(len(SEGMENTS))])


def _open_segment(world: World, segment: int) -> Ints:
    rng, meters = world.rng, world.meters
    points = np.flatnonzero(meters.segment == segment)
    count = world.segment_target("all_meters", segment, OPENING)
    quota = shared(count, world.places.meters[SEGMENTS[segment][1]])
    places = points[pick(rng, meters.region[points], quota)]
    suppliers = shared(len(places), world.targets.supplier_shares(segment, OPENING))
    meters.supplier[places] = rng.permutation(np.repeat(np.arange(len(SOURCES), dtype=np.int8), suppliers))
    meters.kind[places] = NON_SMART
    advanced = world.segment_target("smart", segment, OPENING)
    meters.kind[rng.permutation(places)[:advanced]] = ADVANCED
    prepaying = round(PREPAYMENT_SHARE[segment] * len(places))
    meters.payment[places] = CREDIT
    meters.payment[rng.permutation(places)[:prepaying]] = PREPAYMENT
    meters.mode[places] = NOT_APPLICABLE
    meters.present[places] = True
    meters.new_in[places] = OPENING
    return places


def report_opening(world: World, places: Ints) -> None:
    """Records the opening positions: fitted in the years before 2012, reported in its first weeks."""
    rng, meters = world.rng, world.meters
    start = local_midnight_ms(FIRST_DAY)
    begins = [max(_EARLIEST_MS, local_midnight_ms(s.active_from) + DAY_MS) for s in sources().values()]
    earliest = np.array(begins)[meters.supplier[places]]
    world.recorder.add(
        "MeterInstalled",
        source_id=meters.supplier[places],
        fuel=fuel_of(meters.segment[places]),
        meter_point_id=places,
        effective_at=earliest + (rng.random(len(places)) * (start - DAY_MS - earliest)).astype(np.int64),
        reported_at=start + (rng.random(len(places)) * 21 * DAY_MS).astype(np.int64),
        meter_type=meters.kind[places],
        operating_mode=meters.mode[places],
        sector=sector_of(meters.segment[places]),
        payment_mode=meters.payment[places],
        region_code=meters.region[places],
        local_authority_code=meters.area[places],
        install_reason=INSTALL_REASONS.index("OPENING_POSITION"),
        device_id=0,
        hub_id=0,
        in_home_display=IN_HOME_DISPLAY_ANSWERS.index("NOT_OFFERED"),
        upfront_charge_pence=0,
    )
