"""Resolves copies and corrections of all events at once; the remaining events stand."""

import hashlib
from typing import Final

import numpy as np
import polars as pl

from benchmarks.one_thread.states import Ints
from schemas.codes import ACTIONS

_KEY: Final = b"a key of the benchmark's own"
_NEW: Final = ACTIONS.index("NEW")
_VOID: Final = ACTIONS.index("VOID")
_WEIGHTS: Final = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_IDENTITY: Final = ["meter", "source", "event_a", "event_b"]


def with_meters(events: pl.DataFrame) -> tuple[pl.DataFrame, list[bytes]]:
    """Returns the events of meter points with correct check digits, with a number `meter`, and each meter's digest."""
    points, meter = np.unique(events["point"].to_numpy(), return_inverse=True)
    digests = [hashlib.blake2b(b"%d" % point, key=_KEY, digest_size=16).digest() for point in points.tolist()]
    numbered = events.drop("point").with_columns(meter=pl.Series(meter))
    wrong = _wrong_mpans(points)[meter]
    return (numbered.filter(pl.Series(~wrong)) if wrong.any() else numbered), digests


def _wrong_mpans(points: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    electricity, length, number = points % 2 == 0, points // 2 % 16, points // 32
    total = sum(weight * (number // 10 ** (12 - place) % 10) for place, weight in enumerate(_WEIGHTS))
    return electricity & (length == 13) & (total % 11 % 10 != number % 10)


def _mixed(frame: pl.DataFrame, names: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    out = np.zeros(frame.height, dtype=np.uint64)
    for name in names:
        out = (out ^ frame[name].to_numpy().astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        out ^= out >> np.uint64(31)
    return out


def first_copies(events: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Returns the earliest of all events with the same identity, and the number of copies of equal content."""
    keys = _mixed(events, _IDENTITY)
    ordered = np.sort(keys)
    again = np.isin(keys, ordered[1:][ordered[1:] == ordered[:-1]])
    rivals = events.filter(pl.Series(again))
    contents = rivals.unique([*_IDENTITY, "content"])
    standing = contents.sort("reported_at", "content").unique(_IDENTITY, keep="first")
    return pl.concat([events.filter(pl.Series(~again)), standing]), rivals.height - contents.height


def standing(events: pl.DataFrame) -> pl.DataFrame:
    """Returns the standing events: each NEW event or its newest correction, unless that is a VOID."""
    corrections = np.flatnonzero(events["action"].to_numpy() != _NEW)
    root = _roots(events, corrections)
    ended = corrections[root >= 0]
    chains = events[ended].select(
        "reported_at", "event_a", "event_b", "action", at=pl.Series(ended), root=pl.Series(root[root >= 0])
    )
    newest = chains.sort("reported_at", "event_a", "event_b").unique("root", keep="last")
    stands = np.ones(events.height, dtype=bool)
    stands[corrections] = False
    stands[root[root >= 0]] = False
    stands[newest.filter(pl.col("action") != _VOID)["at"].to_numpy()] = True
    return events.filter(pl.Series(stands))


def _roots(events: pl.DataFrame, corrections: Ints) -> Ints:
    """Returns the row of the NEW event at which each chain of corrections ends, -1 if there is none."""
    named = ["meter", "source", "corrects_a", "corrects_b"]
    naming = events[corrections].select("record", *named, at=pl.Series(corrections))
    wanted = np.isin(_mixed(events, _IDENTITY), _mixed(naming, named))
    targets = events.select("record", *_IDENTITY).with_columns(to=pl.Series(np.arange(events.height)))
    pairs = naming.join(targets.filter(pl.Series(wanted)), left_on=named, right_on=_IDENTITY, suffix="_to")
    pairs = pairs.filter(pl.col("record") == pl.col("record_to"))
    nowhere = events.height
    step = np.arange(nowhere + 1)
    step[corrections] = nowhere
    step[pairs["at"].to_numpy()] = pairs["to"].to_numpy()
    for _ in range(len(corrections).bit_length()):
        step[corrections] = step[step[corrections]]
    circular = np.zeros(nowhere + 1, dtype=bool)
    circular[corrections] = True
    ends = step[corrections]
    return np.where((ends == nowhere) | circular[ends], -1, ends)
