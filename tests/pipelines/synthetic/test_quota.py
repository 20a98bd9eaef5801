"""Allocation by quota."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthetic.quota import filled, pick, shared, some

weights = st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any)


@given(st.integers(0, 100_000), weights)
def test_shares_add_up_and_none_is_off_by_one_or_more(total: int, given_weights: list[int]) -> None:
    found = shared(total, given_weights)
    exact = total * np.array(given_weights) / sum(given_weights)
    assert found.sum() == total
    assert (np.abs(found - exact) < 1).all()


def test_nothing_is_shared_where_nobody_has_a_weight() -> None:
    assert shared(5, [0, 0]).tolist() == [0, 0]


@given(st.integers(0, 500), st.lists(st.integers(0, 100), min_size=3, max_size=3))
def test_no_group_is_filled_beyond_its_room_and_nothing_is_left_over_while_there_is_room(
    total: int, room: list[int]
) -> None:
    found = filled(total, [5, 3, 1], np.array(room))
    assert (found <= room).all()
    assert found.sum() == min(total, sum(room))


@pytest.mark.parametrize("weighted", [False, True])
def test_each_group_gives_its_quota_of_its_own_members(weighted: bool) -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 4, 5000).astype(np.int8)
    quota = np.array([7, 0, 400, 90_000])
    chosen = pick(rng, groups, quota, rng.random(5000) + 0.1 if weighted else None)
    counts = np.bincount(groups[chosen], minlength=4)
    assert counts.tolist() == np.minimum(quota, np.bincount(groups, minlength=4)).tolist()
    assert len(set(chosen.tolist())) == len(chosen)


def test_a_heavy_member_is_drawn_more_often_than_a_light_one() -> None:
    rng = np.random.default_rng(2)
    weight = np.where(np.arange(2000) < 1000, 5.0, 1.0)
    chosen = pick(rng, np.zeros(2000, dtype=np.int8), np.array([400]), weight)
    assert (chosen < 1000).sum() > 280


def test_some_are_all_where_more_are_wanted_than_there_are() -> None:
    assert sorted(some(np.random.default_rng(3), np.array([4, 8]), 9).tolist()) == [4, 8]
