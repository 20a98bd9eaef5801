"""Every shard has a key of its own that leads back to it; that Flink deals them evenly is tested on Flink."""

import pytest

from pipelines.stream.dealing import keys_of, shard_of_key


@pytest.mark.parametrize("shards", [1, 2, 8, 104])
@pytest.mark.parametrize("subtasks", [1, 2, 5])
def test_a_key_leads_back_to_its_shard(shards: int, subtasks: int) -> None:
    assert [shard_of_key(key, shards) for key in keys_of(shards, subtasks)] == list(range(shards))


def test_keys_are_the_smallest_that_fall_to_the_shards_turn() -> None:
    # As Flink 1.19's own KeyGroupRangeAssignment has it: plain 0, 1, 2 and 6 of eight would go to the other subtask.
    assert keys_of(8, 2) == (32, 9, 10, 3, 4, 5, 14, 7)
