"""Walks all meters in lockstep: the first events of all, then their second, and so on."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.one_thread.states import SHIFT, Ints, mask, of
from schemas.codes import INCONSISTENCIES, INSTALL_REASONS, METER_TYPES, OPERATING_MODES, RECORDS, SUPPLY_REASONS

Mask = npt.NDArray[np.bool_]

_ORDER: Final = ("MeterRemoved", "SupplyGained", "MeterInstalled", "OperatingModeChanged", "PaymentModeChanged")
REMOVED, GAINED, INSTALLED, MODE, PAYMENT = range(len(_ORDER))
MOVED, EXCHANGED, INCONSISTENT = range(3)
_OPENING: Final = INSTALL_REASONS.index("OPENING_POSITION")
_NEW_SUPPLY: Final = SUPPLY_REASONS.index("NEW")
_NOT_APPLICABLE: Final = OPERATING_MODES.index("NOT_APPLICABLE")
_SMETS2: Final = METER_TYPES.index("SMETS2")
_TIME_BITS: Final = 41
_BASE: Final = -(1 << 40)


@dataclass(frozen=True, slots=True)
class Moves:
    """The events that move meters, in order, with the state before and after each and its effect.

    `did` is MOVED, EXCHANGED, or INCONSISTENT plus the place of the reason in INCONSISTENCIES.
    """

    events: pl.DataFrame
    kind: Ints
    before: Ints
    after: Ints
    did: Ints


def moves_of(standing: pl.DataFrame) -> Moves:
    """Walks over all standing events."""
    kinds = [_ORDER.index(record) if record in _ORDER else -1 for record in RECORDS]
    kind = pl.Series(kinds, dtype=pl.Int8).gather(standing["record"])
    events = _ordered(standing.with_columns(kind=kind).filter(kind >= 0))
    before, after, did = _walk(events)
    return Moves(events, events["kind"].to_numpy().astype(np.int64), before, after, did)


def _ordered(events: pl.DataFrame) -> pl.DataFrame:
    """Sorts events by meter and instant (to about a second) in one packed number, and ties by all columns in `by`."""
    day = (events["effective_at"].to_numpy() - _BASE) >> 10
    keys = (events["meter"].to_numpy() << (_TIME_BITS - 10 + 2)) | day
    order = np.argsort(keys)
    ordered = keys[order]
    same = np.concatenate([[False], ordered[1:] == ordered[:-1]])
    tied = same.copy()
    tied[:-1] |= same[1:]
    rows = events[order[tied]].with_columns(place=pl.Series(order[tied]))
    by = ("meter", "effective_at", "kind", "reported_at", "event_a", "event_b", "source")
    order[tied] = rows.sort(by)["place"].to_numpy()
    return events[order]


def _walk(events: pl.DataFrame) -> tuple[Ints, Ints, Ints]:
    meter = events["meter"].to_numpy()
    begins = np.flatnonzero(np.concatenate([[True], meter[1:] != meter[:-1]]))
    counts = np.diff(np.append(begins, len(meter)))
    longest = np.argsort(-counts, kind="stable")
    begins, counts = begins[longest], counts[longest]
    names = ("kind", "source", "state", "install_reason", "reason", "operating_mode", "payment_mode")
    columns = {name: events[name].to_numpy().astype(np.int64) for name in names}
    columns["twin"] = events["twin"].to_numpy()
    state, twin = np.zeros(len(begins), dtype=np.int64), np.zeros(len(begins), dtype=np.int64)
    before, after, did = np.zeros((3, len(meter)), dtype=np.int64)
    for step in range(counts[0]):
        active = int(np.searchsorted(-counts, -step))
        here = begins[:active] + step
        event = {name: column[here] for name, column in columns.items()}
        before[here] = state[:active]
        done = _judge(event, state[:active], twin[:active])
        _move(event, state[:active], twin[:active], done < INCONSISTENT)
        after[here], did[here] = state[:active], done
    return before, after, did


def _judge(event: dict[str, Ints], state: Ints, twin: Ints) -> Ints:
    kind, there = event["kind"], state != 0
    installed, gained = kind == INSTALLED, kind == GAINED
    own = of("source_id", state) == event["source"]
    wrong = {
        "SAME_INSTALLATION": installed & there & (event["twin"] == twin),
        "ALREADY_PRESENT": installed & there & (event["install_reason"] == _OPENING),
        "NO_METER_YET": gained & ~there & (event["reason"] == _NEW_SUPPLY),
        "NO_METER": ~installed & ~there,
        "ALREADY_SUPPLIER": gained & own,
        "NOT_CURRENT_SUPPLIER": ~installed & ~gained & ~own,
        "MODE_NOT_APPLICABLE": (kind == MODE) & (of("meter_type", state) > _SMETS2),
    }
    codes = [INCONSISTENT + INCONSISTENCIES.index(reason) for reason in wrong]
    return np.select(list(wrong.values()), codes, np.where(installed & there, EXCHANGED, MOVED))


def _move(event: dict[str, Ints], state: Ints, twin: Ints, moves: Mask) -> None:
    """Updates the states by one step, in place."""
    kind, mode = event["kind"], event["operating_mode"]
    fitted, gained = moves & (kind == INSTALLED), moves & (kind == GAINED)
    smets = of("meter_type", state) <= _SMETS2
    set_mode = (moves & (kind == MODE)) | (gained & smets & (mode != _NOT_APPLICABLE))
    set_payment = moves & (kind == PAYMENT)
    _put(state, "source_id", event["source"], gained)
    _put(state, "operating_mode", mode, set_mode)
    _put(state, "payment_mode", event["payment_mode"], set_payment)
    state[fitted] = event["state"][fitted]
    twin[fitted] = event["twin"][fitted]
    state[moves & (kind == REMOVED)] = 0


def _put(state: Ints, name: str, codes: Ints, where: Mask) -> None:
    state[where] = (state[where] & ~mask(name)) | (codes[where] << SHIFT[name])
