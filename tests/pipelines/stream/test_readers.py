"""How many readers Beam's source makes of a log's partitions."""

import pytest

from pipelines.stream.starting import MANY_READERS, readers_of
from schemas.sources import sources


@pytest.mark.parametrize(("partitions", "readers"), [(1, 1), (2, 2), (37, 37), (38, 2), (39, 3), (49, 7), (74, 2)])
def test_readers_are_two_or_more_until_they_share_the_partitions_evenly(partitions: int, readers: int) -> None:
    assert readers_of(partitions) == readers


def test_the_topics_of_all_sources_are_read_by_few() -> None:
    # One partition a source and one more for the DCC, as topics.ensure_topics makes them.
    assert readers_of(len(sources()) + 1) <= MANY_READERS
