"""Suppliers' declared meters, computed from the true stock at a quarter's end."""

from typing import Final

import numpy as np

from pipelines.synthetic.events import NO_METER_POINT
from pipelines.synthetic.state import DAY_MS, SOURCES, Ints, Quarter, World
from pipelines.synthetic.targets import OPENING, heir
from pipelines.synthetic.truth import DIMENSIONS
from schemas.codes import PAYMENT_MODES
from schemas.quarters import QUARTERS_A_YEAR, place_in_year
from schemas.sources import sources

_SIZES: Final = tuple(len(words) for name, words in DIMENSIONS.items() if name != "payment_mode")
_LARGE: Final = np.array([source.size_class == "LARGE" for source in sources().values()])


def portfolio(stock: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Returns a stock summed over payment modes: keys and counts."""
    keys, where = np.unique(stock[0] // len(PAYMENT_MODES), return_inverse=True)
    return keys, np.bincount(where, weights=stock[1]).astype(np.int64)


def declare(world: World, quarter: Quarter, stock: tuple[Ints, Ints], before: Ints) -> Ints:
    """Records suppliers' declared meters at a quarter's end: large suppliers every quarter, small ones in the fourth.

    Cells that were last declared above 0 (`before`) and are empty now are declared as 0. Returns the keys of the cells
    last declared above 0.
    """
    keys, counts = portfolio(stock)
    trading = np.array([heir(source, quarter.number) == source for source in SOURCES])
    due = (_LARGE | (place_in_year(quarter.number) == QUARTERS_A_YEAR)) & trading
    emptied = np.setdiff1d(before, keys)
    all_keys = np.concatenate([keys, emptied])
    values = np.concatenate([counts, np.zeros(len(emptied), dtype=np.int64)])
    source = np.unravel_index(all_keys, _SIZES)[0] if len(all_keys) else all_keys
    chosen = due[source]
    _record(world, quarter, all_keys[chosen], values[chosen])
    sender = before // (np.prod(_SIZES) // len(SOURCES))
    waiting = before[trading[sender] & ~due[sender]]
    declared = all_keys[chosen & (values > 0)]
    return np.union1d(declared, waiting)


def _record(world: World, quarter: Quarter, keys: Ints, values: Ints) -> None:
    source, region, fuel, sector, kind, mode = np.unravel_index(keys, _SIZES)
    # Each supplier sends its return on one day, ten to forty days after the quarter's end.
    sent = world.rng.integers(10 * DAY_MS, 40 * DAY_MS, len(SOURCES))
    world.recorder.add(
        "PortfolioDeclared",
        source_id=source,
        fuel=fuel,
        meter_point_id=NO_METER_POINT,
        effective_at=quarter.end_ms,
        reported_at=quarter.end_ms + sent[source],
        quarter=quarter.number - OPENING,
        sector=sector,
        meter_type=kind,
        operating_mode=mode,
        region_code=region,
        meters=values,
    )
