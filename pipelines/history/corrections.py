"""Rule 2: amendments and withdrawals are traced to their root, and the newest of each root takes effect.

The work is done on the rows that take part (corrections and the rows they name), a few in a hundred; `Roles` then
covers all rows.
"""

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.events.calendar import local_midnight_ms
from pipelines.events.columns import SOURCE_CODES
from pipelines.history.copies import mixed
from schemas.codes import ACTIONS
from schemas.sources import inheritances

NOT_OWNER: Final = "CORRECTION_NOT_OWNER"
TYPE_MISMATCH: Final = "CORRECTION_TYPE_MISMATCH"

_NEW: Final = ACTIONS.index("NEW")
_VOID: Final = ACTIONS.index("VOID")
_METER: Final = ("meter_a", "meter_b")
_NAMED: Final = (*_METER, "corrects_a", "corrects_b")
_ID: Final = (*_METER, "event_a", "event_b")

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Roles:
    """The role of each row of a frame of standing copies: a row is in at most one of the four masks, else `accepted`.

    An accepted row stands (`stands`) unless it is a winning VOID. `owner` is the source to which each row's event
    belongs: that of its root if an heir's amendment has won, otherwise its own.
    """

    stands: Mask
    superseded: Mask
    pending: Mask
    not_owner: Mask
    type_mismatch: Mask
    owner: pl.Series

    @property
    def accepted(self) -> Mask:
        """Rows that count as accepted: those that stand, and withdrawals in force."""
        return ~(self.superseded | self.pending | self.not_owner | self.type_mismatch)


def may_correct(corrector: pl.Expr, owner: pl.Expr, reported_at: pl.Expr) -> pl.Expr:
    """Whether a source may correct an owner's events: its own, and its predecessor's from the day it took over.

    Sources are codes; `reported_at` is that of the correction, in milliseconds.
    """
    of_heirs = [
        (owner == predecessor) & (corrector == heir) & (reported_at >= since) for predecessor, heir, since in _heirs()
    ]
    return pl.any_horizontal(corrector == owner, *of_heirs)


@functools.cache
def _heirs() -> tuple[tuple[int, int, int], ...]:
    """Returns the codes of all predecessors and heirs, and when the heir took over; cached, since every fold asks."""
    return tuple(
        (SOURCE_CODES.index(one.predecessor), SOURCE_CODES.index(one.heir), local_midnight_ms(one.since))
        for one in inheritances()
    )


def judge(events: pl.DataFrame) -> Roles:
    """Returns the roles of all rows of an event frame in which every identity occurs once."""
    none = np.zeros(events.height, dtype=bool)
    corrections = np.flatnonzero(events["action"].to_numpy() != _NEW)
    if not len(corrections):
        return Roles(~none, none, none, none, none, events["source"])
    target, not_owner, mismatch = _targets(events, corrections)
    root = _roots(target, not_owner | mismatch, corrections)
    pending = none.copy()
    pending[corrections] = (root[corrections] < 0) & ~(not_owner | mismatch)[corrections]
    winners, superseded = _winners(events, root, corrections)
    stands = ~(not_owner | mismatch | pending | superseded)
    stands[winners] = events["action"].to_numpy()[winners] != _VOID
    owner = events["source"].scatter(winners, events["source"].gather(root[winners]))
    return Roles(stands, superseded, pending, not_owner, mismatch, owner)


def _targets(events: pl.DataFrame, corrections: Places) -> tuple[Places, Mask, Mask]:
    """Returns the row that each row corrects (-1 for none), and masks of those rejected for their owner or type."""
    keep = ("record", "source", "reported_at", *_ID)
    naming = events[corrections].select(*keep, *_NAMED[2:], at=pl.Series(corrections))
    naming = naming.filter(pl.col("corrects_a").is_not_null())
    wanted = np.isin(mixed(events, _ID), mixed(naming, _NAMED))
    named = events.select(keep).with_columns(to=pl.Series(np.arange(events.height))).filter(pl.Series(wanted))
    pairs = naming.join(named, left_on=_NAMED, right_on=_ID, suffix="_to")
    allowed = pairs.select(may_correct(pl.col("source"), pl.col("source_to"), pl.col("reported_at"))).to_series()
    foreign = pairs.filter(~allowed)["at"].to_numpy()
    # If both the source and its predecessor have an event with that id, its own is meant.
    own_first = (pl.col("source") != pl.col("source_to"), "source_to")
    own_pairs = pairs.filter(allowed).sort(own_first).unique("at", keep="first", maintain_order=True)
    target = np.full(events.height, -1, dtype=np.int64)
    target[own_pairs["at"].to_numpy()] = own_pairs["to"].to_numpy()
    not_owner, mismatch = np.zeros((2, events.height), dtype=bool)
    not_owner[foreign] = True
    not_owner &= target < 0
    mismatch[own_pairs.filter(pl.col("record") != pl.col("record_to"))["at"].to_numpy()] = True
    return target, not_owner, mismatch


def _roots(target: Places, rejected: Mask, corrections: Places) -> Places:
    """Returns the NEW event at the end of each correction's chain; -1 if a link is missing, rejected or circular.

    Pointer doubling: after k rounds every pointer has taken 2^k steps, so chains of any length take few rounds.
    """
    nowhere = len(target)
    step = np.arange(nowhere + 1)
    step[corrections] = np.where(target[corrections] < 0, nowhere, target[corrections])
    step[:-1][rejected] = nowhere
    for _ in range(len(corrections).bit_length() + 1):
        step[corrections] = step[step[corrections]]
    ended = step[corrections]
    root = np.full(nowhere, -1, dtype=np.int64)
    is_correction = np.zeros(nowhere + 1, dtype=bool)
    is_correction[corrections] = True
    # A pointer that still ends at a correction is in a circular chain.
    root[corrections] = np.where((ended == nowhere) | is_correction[ended], -1, ended)
    return root


def _winners(events: pl.DataFrame, root: Places, corrections: Places) -> tuple[Places, Mask]:
    """Returns the newest correction of each root, and all rows it supersedes: the root and the other corrections."""
    rooted = corrections[root[corrections] >= 0]
    chain = events[rooted].select(
        "reported_at", "event_a", "event_b", "source", at=pl.Series(rooted), root=pl.Series(root[rooted])
    )
    newest = chain.sort("reported_at", "event_a", "event_b", "source").unique("root", keep="last")
    superseded = np.zeros(events.height, dtype=bool)
    superseded[rooted] = True
    superseded[root[rooted]] = True
    winners = newest["at"].to_numpy()
    superseded[winners] = False
    return winners, superseded
