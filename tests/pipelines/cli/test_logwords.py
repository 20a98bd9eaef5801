"""What is said of a log of which something is missing, new or another one; nothing is said of any other."""

import pytest

from pipelines.cli import logwords
from pipelines.log.offsets import Range, beyond, joined

HELD = (Range("dcc", 0, 0, 10), Range("dcc", 1, 1_000, 1_010))
IDS = {"dcc": "a", "supplier.BGAS": "b"}


def test_a_log_as_it_began_is_nothing_to_speak_of() -> None:
    assert logwords.of_strays(["dcc", "supplier.BGAS", "rejected.ZZZZ", "other"]) == []
    assert logwords.of_beginnings(HELD[:1]) == []
    assert logwords.of_topics_made_again(IDS, IDS | {"more": "c"}, "then") == ""
    assert logwords.of_new_partitions({"dcc": {"0": 0, "1": 0}}, HELD) == ""
    assert logwords.of_deleted_unread({"dcc": {"0": 3, "1": 1_000}}, HELD) == []


def test_topics_of_no_known_source_are_named() -> None:
    (line,) = logwords.of_strays({"supplier.ZZZZ": "1", "supplier.bgas": "2", "supplier.BGAS": "3"})
    assert line == "Not counted, as their names are of no known source: supplier.ZZZZ, supplier.bgas."


def test_a_beginning_that_is_gone_is_named() -> None:
    (line,) = logwords.of_beginnings(HELD)
    assert "the beginning of dcc/1 (from offset 1,000)" in line


@pytest.mark.parametrize("now", [{"dcc": "a"}, {"dcc": "a", "supplier.BGAS": "c"}])
def test_a_topic_that_was_deleted_or_made_again_is_named_with_what_to_do(now: dict[str, str]) -> None:
    sentence = logwords.of_topics_made_again(IDS, now, "the stream began")
    assert sentence.startswith("Deleted since the stream began, or deleted and made again: supplier.BGAS.")
    assert logwords.AGAIN in sentence


def test_a_partition_that_is_new_is_named_with_what_to_do() -> None:
    sentence = logwords.of_new_partitions({"dcc": {"0": 0}}, HELD)
    assert sentence.startswith("Added since the stream began, and not read by it: dcc/1; stop the stream")


def test_what_was_deleted_before_it_was_read_is_named() -> None:
    (line,) = logwords.of_deleted_unread({"dcc": {"0": 3, "1": 990}}, HELD)
    assert "dcc/1 (offsets 990 to 999)" in line


def test_what_lies_beyond_offsets_begins_where_the_log_does_and_is_all_of_an_unknown_partition() -> None:
    read = joined({"dcc": {"0": 2, "1": 990}}, {"dcc": {"0": 4}})
    assert read == {"dcc": {"0": 4, "1": 990}}
    assert beyond(read, HELD) == (Range("dcc", 0, 4, 10), HELD[1])
    assert beyond({}, HELD) == HELD
