"""The rows of some meters out of a snapshot are those that a plain filter finds, whatever shards they lie in."""

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.history.copies import with_copies
from pipelines.shards.snapshot import Manifest, Snapshot, write_shard
from pipelines.shards.spilling import shard_of
from tests.builders import installed, mpan, removed
from tests.pipelines.columnar import identified

EVENTS = [
    make(mpan(meter), id=f"{meter} {number} {make.__name__}")
    for meter in range(1, 13)
    for number in range(1 + meter % 7)
    for make in (installed, removed)
]
ROWS = with_copies(identified(EVENTS))


@settings(max_examples=30)
@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_rows_of_meters_are_what_a_filter_finds(
    tmp_path_factory: pytest.TempPathFactory, shards: int, chance: random.Random
) -> None:
    folder: Path = tmp_path_factory.mktemp("snapshot")
    kept = ROWS.sample(fraction=1.0, shuffle=True, seed=chance.randint(0, 1000)).head(chance.randint(0, ROWS.height))
    for shard in range(shards):
        rows = kept.filter(shard_of(kept, shards) == shard)
        if rows.height:
            write_shard(folder, shard, rows)
    opened = Snapshot(folder, Manifest("run", "key", shards, "r", "s", "c", True, 0, {}))
    every = ROWS["meter_a"].unique().to_list()
    wanted = np.unique(np.array(chance.sample(every, chance.randint(1, len(every))), dtype=np.uint64))
    found, plain = opened.rows_of(wanted), kept.filter(pl.col("meter_a").is_in(wanted.tolist()))
    order = ["event_a", "event_b"]
    assert found.sort(order).equals(plain.sort(order))
    assert found.schema == ROWS.schema
