"""Steers operating modes, payment modes and SMETS1 migration to each quarter's targets."""

from typing import Final

import numpy as np

from pipelines.synthetic.changes import Migrated, Moded, Paying, joined
from pipelines.synthetic.quota import filled, pick, shared, some
from pipelines.synthetic.state import (
    CREDIT,
    PREPAYMENT,
    SMART,
    SMETS1,
    SMETS2,
    SOURCES,
    TRADITIONAL,
    Array,
    World,
)
from pipelines.synthetic.targets import SEGMENTS
from schemas.codes import MODE_CAUSES
from schemas.quarters import quarter_of_year
from schemas.sources import sources

_DOMESTIC: Final = 2
# Each quarter this share of smart meters loses smart mode and as many regain it, beyond what the targets need.
_UNREST: Final = 0.005
_PAYMENT_UNREST: Final = 0.002
_CAUSES: Final = {
    "WAN": 0.3,
    "COMMISSIONING": 0.1,
    "FIRMWARE": 0.12,
    "HUB": 0.15,
    "HAN": 0.13,
    "OTHER": 0.1,
    "UNKNOWN": 0.1,
}
_CHURN: Final = MODE_CAUSES.index("CHURN")
# Suppliers' shares of traditional mode relative to the average, from what they published at the end of 2024; the other
# suppliers share the rest.
_PUBLISHED: Final = {"EGAS": 0.2, "OVOE": 0.57, "EENG": 0.65, "LOND": 1.05, "SPOW": 1.37, "BGAS": 1.47}
_OTHERS: Final = 0.79
_PUBLISHED_LATER: Final = {"BGAS": 1.03}


def _proneness(quarter: int) -> Array:
    """Returns how prone each supplier's meters are to traditional mode, relative to the average."""
    known = np.interp(quarter, [quarter_of_year(2020, 1), quarter_of_year(2023, 1)], [0, 1])
    later = np.interp(quarter, [quarter_of_year(2024, 4), quarter_of_year(2026, 2)], [0, 1])
    small = float(np.interp(quarter, [quarter_of_year(2021, 3), quarter_of_year(2022, 4)], [3.0, 1.4]))
    weights = []
    for source in sources().values():
        published = _PUBLISHED.get(source.source_id, _OTHERS)
        published += later * (_PUBLISHED_LATER.get(source.source_id, published) - published)
        weights.append(small if source.size_class == "SMALL" else 1 + known * (published - 1))
    return np.array(weights)


def migrate(world: World, quarter: int) -> Migrated:
    """Migrates SMETS1 meters to the DCC's network until the target is met; prefers those that lost smart mode."""
    meters = world.meters
    older = meters.smets & (meters.kind == SMETS1)
    wanted = world.target("migrated", quarter) - int((older & meters.migrated).sum())
    candidates = np.flatnonzero(older & ~meters.migrated & ~meters.busy)
    weights = np.where(meters.mode[candidates] == TRADITIONAL, 4.0, 1.0)
    quota = np.array([max(0, wanted)])
    chosen = candidates[pick(world.rng, np.zeros(len(candidates), dtype=np.int8), quota, weights)]
    meters.migrated[chosen] = True
    return Migrated(chosen, meters.mode[chosen] == TRADITIONAL, meters.fitting[chosen])


def steer_modes(world: World, quarter: int, migrated: Migrated) -> Moded:
    """Lets smart meters lose or regain smart mode so that each segment's target of traditional mode is met."""
    fresh = np.zeros(len(world.meters.kind), dtype=bool)
    fresh[migrated.meter] = True
    return joined([_steer_segment(world, segment, quarter, fresh) for segment in range(len(SEGMENTS))])


def _traditional_target(world: World, segment: int, quarter: int, smart: int) -> int:
    if segment < _DOMESTIC:
        return world.segment_target("traditional", segment, quarter)
    return round(world.targets.segment("traditional_share", segment, quarter) * smart)


def _steer_segment(world: World, segment: int, quarter: int, fresh: Array) -> Moded:
    rng, meters = world.rng, world.meters
    staying = meters.smets & (meters.segment == segment)
    in_smart = np.flatnonzero(staying & (meters.mode == SMART))
    in_traditional = np.flatnonzero(staying & (meters.mode == TRADITIONAL))
    smart, traditional = (np.bincount(meters.supplier[p], minlength=len(SOURCES)) for p in (in_smart, in_traditional))
    total = smart + traditional
    target = _traditional_target(world, segment, quarter, int(total.sum()))
    wanted = filled(target, total * _proneness(quarter), total) - traditional
    regain = np.minimum(np.clip(-wanted, 0, None) + shared(round(_UNREST * total.sum()), total), traditional)
    lose = np.minimum(regain + wanted, smart)
    losers = in_smart[pick(rng, meters.supplier[in_smart], lose)]
    # SMETS1 meters that have just migrated regain smart mode first, those that have not migrated last.
    reachable = meters.migrated[in_traditional] | (meters.kind[in_traditional] == SMETS2)
    weights = np.where(fresh[in_traditional], 40.0, np.where(reachable, 3.0, 1.0))
    gainers = in_traditional[pick(rng, meters.supplier[in_traditional], lose - wanted, weights)]
    places = np.concatenate([losers, gainers])
    modes = np.repeat(np.array([TRADITIONAL, SMART], dtype=np.int8), [len(losers), len(gainers)])
    causes = _causes(rng, len(places))
    back_by_migration = (modes == SMART) & meters.migrated[places]
    causes[back_by_migration] = _CHURN
    meters.mode[places] = modes
    return Moded(places, meters.supplier[places], modes, causes)


def _causes(rng: np.random.Generator, count: int) -> Array:
    codes = np.array([MODE_CAUSES.index(cause) for cause in _CAUSES], dtype=np.int8)
    return rng.choice(codes, count, p=list(_CAUSES.values()))


def steer_payments(world: World, quarter: int) -> Paying:
    """Changes payment modes: of a few meters each way, and of as many as the target for prepayment needs."""
    rng, meters = world.rng, world.meters
    home = meters.present & ~meters.busy & (meters.segment < _DOMESTIC)
    smart = np.flatnonzero(meters.smets & (meters.segment < _DOMESTIC))
    prepaying = int((meters.payment[smart] == PREPAYMENT).sum())
    wanted = round(world.targets.at("prepayment_of_smart", quarter) * len(smart)) - prepaying
    unrest = round(_PAYMENT_UNREST * len(smart))
    free = np.flatnonzero(home & meters.smets)
    to_prepay = some(rng, free[meters.payment[free] == CREDIT], max(wanted, 0) + unrest)
    to_credit = some(rng, free[meters.payment[free] == PREPAYMENT], max(-wanted, 0) + unrest)
    places = np.concatenate([to_prepay, to_credit])
    payments = np.repeat(np.array([PREPAYMENT, CREDIT], dtype=np.int8), [len(to_prepay), len(to_credit)])
    meters.payment[places] = payments
    return Paying(places, meters.supplier[places], payments)
