"""Fits and removes meters in a quarter, by quotas for segment, region and generation."""

from typing import Final

import numpy as np

from pipelines.synthetic.changes import Fitted, Removed, joined
from pipelines.synthetic.events import NONE
from pipelines.synthetic.opening import REMOVAL_RATE
from pipelines.synthetic.quota import filled, pick, shared, some
from pipelines.synthetic.state import (
    ADVANCED,
    NON_SMART,
    NOT_APPLICABLE,
    PREPAYMENT,
    SMART,
    SMETS1,
    SMETS2,
    SOURCES,
    TRADITIONAL,
    Array,
    Ints,
    Mask,
    World,
)
from pipelines.synthetic.targets import SEGMENTS
from schemas.codes import INSTALL_REASONS, REMOVAL_REASONS
from schemas.quarters import quarter_of_year
from schemas.sources import sources

_SMART_FOR_NON_SMART, _SMART_FOR_SMART, _NEW, _REPLACEMENT = (
    INSTALL_REASONS.index(reason)
    for reason in ("SMART_FOR_NON_SMART", "SMART_FOR_SMART", "NEW_CONNECTION", "NON_SMART_REPLACEMENT")
)
_DOMESTIC: Final = 2
_EXCHANGES_STEERED_FROM: Final = quarter_of_year(2020, 1)
_SMETS2_BEGINS: Final = quarter_of_year(2017, 3)
_REPLACEMENT_RATE: Final = 0.0012
_FITTED_TRADITIONAL: Final = 0.025
_REMOVED_WHY: Final = [REMOVAL_REASONS.index(r) for r in ("DEMOLITION", "DE_ENERGISED", "FAULT", "OTHER")]
_REMOVED_OFTEN: Final = (0.7, 0.2, 0.03, 0.07)
# How many meters small suppliers fit, relative to large ones.
_SMALL_EFFORT: Final = 0.5
_EFFORT: Final = np.array([_SMALL_EFFORT if s.size_class == "SMALL" else 1.0 for s in sources().values()])


def remove(world: World) -> Removed:
    """Removes the quarter's share of meters without replacement."""
    meters, rng = world.meters, world.rng
    present = np.flatnonzero(meters.present)
    groups = meters.segment[present].astype(np.int16) * 16 + meters.region[present]
    counts = np.bincount(groups, minlength=64)
    world.removals_due += REMOVAL_RATE * len(present)
    due = int(world.removals_due)
    world.removals_due -= due
    places = present[pick(rng, groups, shared(due, counts))]
    reason = rng.choice(np.array(_REMOVED_WHY, dtype=np.int8), len(places), p=_REMOVED_OFTEN)
    batch = Removed(places, meters.supplier[places], meters.kind[places], reason, meters.fitting[places])
    meters.present[places] = False
    meters.migrated[places] = False
    return batch


def fit(world: World, quarter: int) -> Fitted:
    """Fits all meters of a quarter: new connections, the rollout itself, exchanges, and non-smart replacements."""
    batches = [_roll_out(world, segment, quarter) for segment in range(len(SEGMENTS))]
    comparable = sum(int((batch.kind != NON_SMART).sum()) for batch in batches)
    batches.append(_exchange(world, quarter, comparable))
    batches.append(_replace(world))
    return joined(batches)


def _roll_out(world: World, segment: int, quarter: int) -> Fitted:
    """Fits new connections and smart meters for non-smart ones until the segment's targets for the quarter are met."""
    meters = world.meters
    staying = meters.here(segment) & ~meters.busy
    smart = staying & (meters.kind != NON_SMART)
    target = world.segment_target("smart", segment, quarter)
    wanted = max(0, target - int(smart.sum()))
    new = max(0, world.segment_target("all_meters", segment, quarter) - int(staying.sum()))
    new_smart = min(wanted, round(new * _smart_when_new(quarter)))
    first = _connect(world, segment, new, quarter)
    places = np.concatenate([first, _first_smart(world, segment, wanted - new_smart, target)])
    kinds = np.concatenate([np.full(len(first), NON_SMART), np.full(len(places) - len(first), SMETS2)]).astype(np.int8)
    kinds[world.rng.permutation(len(first))[:new_smart]] = SMETS2
    upgraded = np.flatnonzero(kinds == SMETS2)
    kinds[upgraded] = _generations(world, segment, quarter, len(upgraded))
    reasons = np.where(np.arange(len(places)) < len(first), _NEW, _SMART_FOR_NON_SMART).astype(np.int8)
    return _fitted(world, places, kinds, reasons)


def _smart_when_new(quarter: int) -> float:
    return float(
        np.interp(
            quarter,
            [quarter_of_year(2013, 1), quarter_of_year(2017, 1), quarter_of_year(2020, 1), quarter_of_year(2024, 1)],
            [0.0, 0.2, 0.7, 0.95],
        )
    )


def _connect(world: World, segment: int, count: int, quarter: int) -> Ints:
    """Chooses new meter points by region and gives them suppliers in proportion to their shares."""
    meters, rng = world.meters, world.rng
    points = np.flatnonzero((meters.segment == segment) & (meters.new_in == 0))
    regions = meters.region[points]
    quota = filled(count, world.places.meters[SEGMENTS[segment][1]], np.bincount(regions, minlength=11))
    places = points[pick(rng, regions, quota)]
    suppliers = shared(len(places), world.targets.supplier_shares(segment, quarter))
    meters.supplier[places] = rng.permutation(np.repeat(np.arange(len(SOURCES), dtype=np.int8), suppliers))
    meters.new_in[places] = quarter
    meters.payment[places] = rng.random(len(places)) < 0.05
    meters.kind[places] = NONE
    return places


def _first_smart(world: World, segment: int, count: int, target: int) -> Ints:
    """Chooses non-smart meters to become smart: by what each region is short of, within it by suppliers' effort."""
    meters, places = world.meters, world.places
    staying = meters.here(segment) & ~meters.busy
    regions = meters.region[staying].astype(np.int64)
    stock = np.bincount(regions, minlength=11)
    smart = np.bincount(regions, weights=meters.kind[staying] != NON_SMART, minlength=11)
    factor = places.smart_factor if segment < _DOMESTIC else np.ones(11)
    missing = np.clip(shared(target, stock * factor) - smart, 0, None)
    candidates = np.flatnonzero(staying & (meters.kind == NON_SMART))
    room = np.bincount(meters.region[candidates], minlength=11)
    prepaying = meters.payment[candidates] == PREPAYMENT
    weights = _EFFORT[meters.supplier[candidates]] * np.where(prepaying, 0.85, 1.0)
    quota = filled(count, np.where(missing.any(), missing, stock), room)
    return candidates[pick(world.rng, meters.region[candidates], quota, weights)]


def _generations(world: World, segment: int, quarter: int, count: int) -> Array:
    """Returns the types of new smart meters: advanced ones up to their target, SMETS2 by its share, the rest SMETS1."""
    meters = world.meters
    advanced = 0
    if segment >= _DOMESTIC:
        now = int((meters.here(segment) & ~meters.busy & (meters.kind == ADVANCED)).sum())
        advanced = min(count, max(0, world.segment_target("advanced", segment, quarter) - now))
    newer = round((count - advanced) * world.targets.at("smets2_of_installs", quarter))
    quota = [count - advanced - newer, newer, advanced]
    return world.rng.permutation(np.repeat(np.array([SMETS1, SMETS2, ADVANCED], dtype=np.int8), quota))


def _exchange(world: World, quarter: int, comparable: int) -> Fitted:
    """Exchanges smart meters for smart ones, in a ratio to other installations; SMETS1 first, until at its target."""
    meters, rng = world.meters, world.rng
    count = round(comparable * world.targets.at("smart_for_smart_of_installs", quarter))
    older = np.flatnonzero(meters.smets & ~meters.busy & (meters.kind == SMETS1))
    newer = np.flatnonzero(meters.smets & ~meters.busy & (meters.kind == SMETS2))
    excess = len(older) - world.target("smets1", quarter) if quarter >= _EXCHANGES_STEERED_FROM else count
    of_older = min(count, max(0, excess), len(older))
    weights = np.where(meters.mode[older] == TRADITIONAL, 3.0, 1.0)
    chosen = older[pick(rng, np.zeros(len(older), dtype=np.int8), np.array([of_older]), weights)]
    others = some(rng, newer, count - of_older)
    places = np.concatenate([chosen, others])
    kind = SMETS2 if quarter >= _SMETS2_BEGINS else SMETS1
    return _fitted(world, places, np.full(len(places), kind), np.full(len(places), _SMART_FOR_SMART))


def _replace(world: World) -> Fitted:
    """Replaces worn-out non-smart meters by non-smart ones."""
    meters = world.meters
    places = np.flatnonzero(meters.present & ~meters.busy & (meters.kind == NON_SMART))
    chosen = some(world.rng, places, round(_REPLACEMENT_RATE * len(places)))
    return _fitted(world, chosen, np.full(len(chosen), NON_SMART), np.full(len(chosen), _REPLACEMENT))


def _fitted(world: World, places: Ints, kinds: Array, reasons: Array) -> Fitted:
    """Puts meters in place, in smart or traditional mode, and marks them busy."""
    meters = world.meters
    replaced = meters.kind[places].copy()
    smets: Mask = kinds <= SMETS2
    modes = np.where(world.rng.random(len(places)) < _FITTED_TRADITIONAL, TRADITIONAL, SMART)
    meters.kind[places] = kinds
    meters.mode[places] = np.where(smets, modes, NOT_APPLICABLE)
    meters.fitting[places] += 1
    meters.present[places] = True
    meters.migrated[places] = False
    meters.busy[places] = True
    return Fitted(
        places,
        meters.supplier[places],
        meters.kind[places],
        meters.mode[places],
        meters.payment[places],
        reasons.astype(np.int8),
        replaced,
        meters.fitting[places],
    )
