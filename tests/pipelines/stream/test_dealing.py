"""Every shard has a key of its own that leads back to it; that Flink deals them evenly is tested on Flink."""

from collections import Counter

import pytest

from pipelines.events.columns import SOURCE_CODES
from pipelines.stream.dealing import key_of_totals, keys_of, shard_of_key
from pipelines.stream.totals import NO_SOURCE


@pytest.mark.parametrize("shards", [1, 2, 8, 104])
@pytest.mark.parametrize("subtasks", [1, 2, 5])
def test_a_key_leads_back_to_its_shard(shards: int, subtasks: int) -> None:
    assert [shard_of_key(key, shards) for key in keys_of(shards, subtasks)] == list(range(shards))


def test_keys_are_the_smallest_that_fall_to_the_shards_turn() -> None:
    # As Flink 1.19's own KeyGroupRangeAssignment has it: plain 0, 1, 2 and 6 of eight would go to the other subtask.
    assert keys_of(8, 2) == (32, 9, 10, 3, 4, 5, 14, 7)


def test_the_totals_of_all_sources_are_kept_under_two_keys_about_as_many_under_each() -> None:
    keys = [key_of_totals(source) for source in (NO_SOURCE, *SOURCE_CODES)]
    counts = Counter(keys)
    assert set(counts) == set(keys_of(2, 2))
    assert max(counts.values()) - min(counts.values()) <= 1
