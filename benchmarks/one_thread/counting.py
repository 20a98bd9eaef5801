"""Counts the cells of the measures of meters in place, as sums over packed numbers."""

from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from benchmarks.one_thread.states import STATE_BITS, WORDS, Ints, of
from benchmarks.one_thread.walking import EXCHANGED, GAINED, INCONSISTENT, INSTALLED, MODE, REMOVED, Mask, Moves
from schemas import codes
from schemas.tables import CELL_COLUMNS

_LONDON: Final = ZoneInfo("Europe/London")
_FIRST_YEAR: Final = 1990
_STARTS: Final = np.array(
    [
        round(datetime.combine(date(year, month, 1), time(), _LONDON).timestamp() * 1000)
        for year in range(_FIRST_YEAR, 2060)
        for month in (1, 4, 7, 10)
    ]
)
_SMART: Final = codes.OPERATING_MODES.index("SMART")
_TRADITIONAL: Final = codes.OPERATING_MODES.index("TRADITIONAL")
_OPENING: Final = codes.INSTALL_REASONS.index("OPENING_POSITION")
_SMETS2: Final = codes.METER_TYPES.index("SMETS2")
_REMOVALS: Final = (*codes.REMOVAL_REASONS, codes.EXCHANGED)
_DETAILS: Final = {
    "meters": ("",),
    "installations": codes.INSTALL_REASONS,
    "removals": _REMOVALS,
    "takeovers": codes.INSTALL_REASONS,
    "mode_losses": codes.MODE_CAUSES,
    "mode_recoveries": codes.MODE_CAUSES,
    "switches": codes.SUPPLY_REASONS,
}
MEASURES: Final = tuple(_DETAILS)


def cells_of(moves: Moves) -> pl.DataFrame:
    """Returns the cells of `MEASURES` in the columns of the ledger."""
    quarter = np.searchsorted(_STARTS, moves.events["effective_at"].to_numpy(), side="right") - 1
    counted = {name: _ones(quarter, *rows) for name, rows in _rows(moves).items()}
    counted["meters"] = _net_change(moves, quarter)
    return pl.concat(_named(name, *summed) for name, summed in counted.items())


def _rows(moves: Moves) -> dict[str, tuple[Mask, Ints, Ints]]:
    """Returns, for each measure that counts events, which events count, with which state and which detail."""
    names = ("install_reason", "reason", "cause")
    install_reason, reason, cause = (moves.events[name].to_numpy().astype(np.int64) for name in names)
    done = moves.did < INCONSISTENT
    fitted, gained = done & (moves.kind == INSTALLED), done & (moves.kind == GAINED)
    exchanged = moves.did == EXCHANGED
    taken_away = done & (moves.kind == REMOVED)
    mode_set = gained | (done & (moves.kind == MODE))
    smart, traditional = (
        [_has_mode(states, mode) for states in (moves.before, moves.after)] for mode in (_SMART, _TRADITIONAL)
    )
    other = of("source_id", moves.before) != of("source_id", moves.after)
    why = np.where(gained, codes.MODE_CAUSES.index("CHURN"), cause)
    gone = np.where(exchanged, _REMOVALS.index(codes.EXCHANGED), reason)
    return {
        "installations": (fitted & (install_reason != _OPENING), moves.after, install_reason),
        "removals": (exchanged | taken_away, moves.before, gone),
        "takeovers": (exchanged & other, moves.after, install_reason),
        "mode_losses": (mode_set & smart[0] & traditional[1], moves.after, why),
        "mode_recoveries": (mode_set & traditional[0] & smart[1], moves.after, why),
        "switches": (gained, moves.after, reason),
    }


def _has_mode(states: Ints, mode: int) -> Mask:
    return (states != 0) & (of("operating_mode", states) == mode)


def _ones(quarter: Ints, where: Mask, states: Ints, details: Ints) -> tuple[Ints, Ints]:
    keys = ((quarter[where] << 4) | details[where]) << STATE_BITS | states[where]
    return np.unique(keys, return_counts=True)


def _net_change(moves: Moves, quarter: Ints) -> tuple[Ints, Ints]:
    """Sums the changes between the ends of quarters: -1 in the cell that a meter left, +1 in the one it entered."""
    meter = moves.events["meter"].to_numpy()
    last = np.append((meter[1:] != meter[:-1]) | (quarter[1:] != quarter[:-1]), True)
    meter, then, now = meter[last], quarter[last], moves.after[last]
    was = np.where(np.concatenate([[True], meter[1:] != meter[:-1]]), 0, np.roll(now, 1))
    left, entered = (was != now) & (was != 0), (was != now) & (now != 0)
    keys = np.concatenate([then[left] << 4 << STATE_BITS | was[left], then[entered] << 4 << STATE_BITS | now[entered]])
    distinct, place = np.unique(keys, return_inverse=True)
    signs = np.repeat([-1.0, 1.0], [left.sum(), entered.sum()])
    sums = np.bincount(place, signs).astype(np.int64)
    return distinct[sums != 0], sums[sums != 0]


def _named(measure: str, keys: Ints, values: Ints) -> pl.DataFrame:
    quarters = [f"{_FIRST_YEAR + number // 4}Q{number % 4 + 1}" for number in range(len(_STARTS))]
    columns = {
        "measure": pl.Series([measure]).new_from_index(0, len(keys)),
        "quarter": pl.Series(quarters).gather(keys >> (STATE_BITS + 4)),
        **{name: pl.Series(words).gather(of(name, keys)) for name, words in WORDS.items()},
        "detail": pl.Series(_DETAILS[measure]).gather((keys >> STATE_BITS) & 15),
        "value": pl.Series(values),
    }
    return pl.DataFrame(columns).select(column.name for column in CELL_COLUMNS)
