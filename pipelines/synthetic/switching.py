"""Switches: all customers of a supplier that ends, and single customers so that suppliers reach their target shares."""

from typing import Final

import numpy as np

from pipelines.synthetic.changes import Switched, joined
from pipelines.synthetic.quota import pick, shared
from pipelines.synthetic.state import NOT_APPLICABLE, SMART, SMETS1, SMETS2, SOURCES, TRADITIONAL, Array, Ints, World
from pipelines.synthetic.targets import SEGMENTS, heir
from schemas.codes import SUPPLY_REASONS
from schemas.sources import sources

SWITCH, SOLR, NEW, BOOK_TRANSFER = (SUPPLY_REASONS.index(reason) for reason in SUPPLY_REASONS)
# Suppliers that ended in good order and sold their customers; for those that failed a SoLR was named.
SOLD: Final = ("SSEL", "NPWR", "REGE", "LORM", "COOP")
_LOSS_AT_SWITCH: Final = 0.03
_NON_DOMESTIC_CHURN: Final = 0.6


def transfers(world: World, quarter: int) -> Switched:
    """Moves every meter of a supplier that ended in the quarter before to its heir."""
    heirs = [heir(source, quarter) for source in SOURCES]
    moved = [place for place, source in enumerate(SOURCES) if heirs[place] != source]
    meters = world.meters
    places = np.flatnonzero(np.isin(meters.supplier, moved) & meters.present)
    loser = meters.supplier[places]
    gainer = np.array([SOURCES.index(source) for source in heirs], dtype=np.int8)[loser]
    sold = np.isin(loser, [SOURCES.index(source) for source in SOLD])
    meters.supplier[places] = gainer
    # The heir also takes over the supplier's systems, so modes stay as they were.
    return Switched(places, loser, gainer, meters.mode[places], np.where(sold, BOOK_TRANSFER, SOLR).astype(np.int8))


def switches(world: World, quarter: int) -> Switched:
    """Switches customers: the quarter's churn, and as many more as suppliers need to reach their shares."""
    return joined([_switches_in(world, segment, quarter) for segment in range(len(SEGMENTS))])


def _switches_in(world: World, segment: int, quarter: int) -> Switched:
    rng, meters = world.rng, world.meters
    places = np.flatnonzero(meters.here(segment) & ~meters.busy)
    suppliers = meters.supplier[places]
    now = np.bincount(suppliers, minlength=len(SOURCES))
    target = shared(len(places), world.targets.supplier_shares(segment, quarter))
    churn = world.targets.at("churn", quarter) * (1 if segment < 2 else _NON_DOMESTIC_CHURN)
    leave = np.maximum(shared(round(churn * len(places)), now), now - target)
    movers = places[pick(rng, suppliers, leave)]
    gainers = rng.permutation(np.repeat(np.arange(len(SOURCES), dtype=np.int8), target - now + leave))
    # A customer who draws the present supplier stays.
    real = meters.supplier[movers] != gainers
    movers, gainers = movers[real], gainers[real]
    losers = meters.supplier[movers]
    meters.mode[movers] = _modes_after(world, movers, quarter)
    meters.supplier[movers] = gainers
    fresh = meters.new_in[movers] == quarter - 1
    return Switched(movers, losers, gainers, meters.mode[movers], np.where(fresh, NEW, SWITCH).astype(np.int8))


def _modes_after(world: World, places: Ints, quarter: int) -> Array:
    """Returns the modes that gainers declare: mostly SMETS1 meters that have not migrated lose smart mode."""
    meters = world.meters
    kind, mode = meters.kind[places], meters.mode[places]
    stranded = (kind == SMETS1) & ~meters.migrated[places]
    chance = np.where(stranded, world.targets.at("smets1_loses_mode_at_switch", quarter), _LOSS_AT_SWITCH)
    lost = (kind <= SMETS2) & (mode == SMART) & (world.rng.random(len(places)) < chance)
    return np.where(lost, TRADITIONAL, np.where(kind <= SMETS2, mode, NOT_APPLICABLE)).astype(np.int8)


def ended_suppliers() -> tuple[str, ...]:
    """Returns the suppliers that have a last day."""
    return tuple(source.source_id for source in sources().values() if source.active_to)
