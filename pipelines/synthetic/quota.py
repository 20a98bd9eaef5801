"""Allocation by quota: the number for each group is computed, and only its members are chosen at random."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def shared(total: int, weights: npt.ArrayLike) -> Ints:
    """Returns whole numbers that add up to `total`, in proportion to weights, by largest remainders.

    They are all 0 if no weight is above 0.
    """
    share = np.clip(np.asarray(weights, dtype=np.float64), 0, None)
    if total <= 0 or not share.sum():
        return np.zeros(len(share), dtype=np.int64)
    exact = total * share / share.sum()
    whole = np.floor(exact).astype(np.int64)
    # Rounded, so that the order of equal remainders does not depend on the last bit of a float.
    largest = np.argsort(-np.round(exact - whole, 9), kind="stable")
    whole[largest[: total - int(whole.sum())]] += 1
    return whole


def filled(total: int, weights: npt.ArrayLike, room: Ints) -> Ints:
    """Shares `total` as `shared` does, but no group gets more than its room; others get the excess by their room."""
    quota = np.minimum(shared(total, weights), room)
    left = min(total, int(room.sum())) - int(quota.sum())
    return quota + np.minimum(shared(left, room - quota), room - quota)


def pick(rng: np.random.Generator, groups: npt.NDArray[np.integer], quota: Ints, weights: Floats | None = None) -> Ints:
    """Returns the positions of `quota[g]` random members of each group g (by weight if given), sorted by group.

    If a group has fewer members, all are returned. `groups` holds a small group number for each candidate.
    """
    small = groups.astype(np.int16)
    counts = np.bincount(small, minlength=len(quota))
    wanted = np.minimum(quota, counts)
    if not wanted.any():
        return np.empty(0, dtype=np.int64)
    lots = rng.random(len(small), dtype=np.float32) if weights is None else _weighted_lots(rng, small, weights)
    # Only candidates whose lots are likely to be low enough are sorted or, if these are too few, all candidates.
    enough = wanted + 4 * np.sqrt(wanted) + 10
    limits = (1.5 * enough / np.maximum(counts, 1)).astype(np.float32)
    near = np.flatnonzero(lots < limits[small])
    if (np.bincount(small[near], minlength=len(quota)) < wanted).any():
        near = np.arange(len(small))
    return _lowest(small[near], lots[near], wanted, near)


def _weighted_lots(rng: np.random.Generator, groups: npt.NDArray[np.int16], weights: Floats) -> npt.NDArray[np.float32]:
    """Draws lots that are lower for more weight: exponential waiting times, scaled to about one by the group's mean."""
    mean = np.bincount(groups, weights=weights) / np.maximum(np.bincount(groups), 1)
    return rng.standard_exponential(len(groups), dtype=np.float32) * (mean[groups] / weights).astype(np.float32)


def _lowest(groups: npt.NDArray[np.int16], lots: npt.NDArray[np.float32], wanted: Ints, names: Ints) -> Ints:
    order = np.argsort(lots, kind="stable")
    order = order[np.argsort(groups[order], kind="stable")]
    counts = np.bincount(groups, minlength=len(wanted))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return names[order[rank < np.repeat(wanted, counts)]]


def some(rng: np.random.Generator, places: Ints, count: int) -> Ints:
    """Returns `count` of the places at random, or all if there are fewer."""
    return places[pick(rng, np.zeros(len(places), dtype=np.int16), np.array([max(0, count)]))]
