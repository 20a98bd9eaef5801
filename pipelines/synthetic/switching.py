"""Supplies that move: whole books when a supplier ends, and customers who switch, so that shares stand as targeted."""

from typing import Final

import numpy as np

from pipelines.synthetic.changes import Switched, joined
from pipelines.synthetic.quota import pick, shared
from pipelines.synthetic.state import NOT_APPLICABLE, SMART, SMETS1, SMETS2, SOURCES, TRADITIONAL, Array, Ints, World
from pipelines.synthetic.targets import SEGMENTS, heir
from schemas.codes import SUPPLY_REASONS
from schemas.sources import sources

SWITCH, SOLR, NEW, BOOK_TRANSFER = (SUPPLY_REASONS.index(reason) for reason in SUPPLY_REASONS)
# Ended in good order and sold their books; the others failed, and a supplier of last resort was named.
SOLD: Final = ("SSEL", "NPWR", "REGE", "LORM", "COOP")
_LOSS_AT_SWITCH: Final = 0.03
_NON_DOMESTIC_CHURN: Final = 0.6


def transfers(world: World, quarter: int) -> Switched:
    """Every meter of a supplier that ended with the quarter before, to the heir of its book."""
    heirs = [heir(source, quarter) for source in SOURCES]
    moved = [place for place, source in enumerate(SOURCES) if heirs[place] != source]
    meters = world.meters
    places = np.flatnonzero(np.isin(meters.supplier, moved) & meters.present)
    loser = meters.supplier[places]
    gainer = np.array([SOURCES.index(source) for source in heirs], dtype=np.int8)[loser]
    sold = np.isin(loser, [SOURCES.index(source) for source in SOLD])
    meters.supplier[places] = gainer
    # A book comes with its systems: modes stay as they were.
    return Switched(places, loser, gainer, meters.mode[places], np.where(sold, BOOK_TRANSFER, SOLR).astype(np.int8))


def switches(world: World, quarter: int) -> Switched:
    """Customers who switch: the quarter's churn, and what else it takes to reach the suppliers' shares."""
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
    # Who draws the own supplier stays.
    real = meters.supplier[movers] != gainers
    movers, gainers = movers[real], gainers[real]
    losers = meters.supplier[movers]
    meters.mode[movers] = _modes_after(world, movers, quarter)
    meters.supplier[movers] = gainers
    fresh = meters.new_in[movers] == quarter - 1
    return Switched(movers, losers, gainers, meters.mode[movers], np.where(fresh, NEW, SWITCH).astype(np.int8))


def _modes_after(world: World, places: Ints, quarter: int) -> Array:
    """The modes that gainers declare: a SMETS1 meter that is not on the DCC's network is mostly lost."""
    meters = world.meters
    kind, mode = meters.kind[places], meters.mode[places]
    stranded = (kind == SMETS1) & ~meters.migrated[places]
    chance = np.where(stranded, world.targets.at("smets1_loses_mode_at_switch", quarter), _LOSS_AT_SWITCH)
    lost = (kind <= SMETS2) & (mode == SMART) & (world.rng.random(len(places)) < chance)
    return np.where(lost, TRADITIONAL, np.where(kind <= SMETS2, mode, NOT_APPLICABLE)).astype(np.int8)


def ended_suppliers() -> tuple[str, ...]:
    """The suppliers that end some day."""
    return tuple(source.source_id for source in sources().values() if source.active_to)
