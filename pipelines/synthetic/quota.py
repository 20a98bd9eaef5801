"""Allocation by quota: how many each group gets is worked out, and chance only says which members."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def shared(total: int, weights: npt.ArrayLike) -> Ints:
    """Whole numbers that add up to `total` in proportion to the weights, by largest remainders; zeros without weight."""
    share = np.clip(np.asarray(weights, dtype=np.float64), 0, None)
    if total <= 0 or not share.sum():
        return np.zeros(len(share), dtype=np.int64)
    exact = total * share / share.sum()
    whole = np.floor(exact).astype(np.int64)
    # Rounded, so that the order of equal remainders is not left to the last bit of a float.
    largest = np.argsort(-np.round(exact - whole, 9), kind="stable")
    whole[largest[: total - int(whole.sum())]] += 1
    return whole


def filled(total: int, weights: npt.ArrayLike, room: Ints) -> Ints:
    """As `shared`, but no group gets more than its room; what does not fit goes to the others, in proportion to room."""
    quota = np.minimum(shared(total, weights), room)
    left = min(total, int(room.sum())) - int(quota.sum())
    return quota + np.minimum(shared(left, room - quota), room - quota)


def pick(rng: np.random.Generator, groups: npt.NDArray[np.integer], quota: Ints, weights: Floats | None = None) -> Ints:
    """Positions of `quota[g]` members of each group g, at random (by weight if given), sorted by group.

    A group with fewer members gives all. `groups` holds a small group number for each candidate.
    """
    if weights is None:
        order = rng.permutation(len(groups))
    else:
        order = np.argsort(rng.standard_exponential(len(groups)) / weights, kind="stable")
    grouped = groups[order].astype(np.int16)
    order = order[np.argsort(grouped, kind="stable")]
    counts = np.bincount(grouped, minlength=len(quota))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[rank < np.repeat(quota, counts)]
