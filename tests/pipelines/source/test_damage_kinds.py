"""Each known kind of damage, in every codec: what is read, how many records are told as lost, and what is unknown."""

from pathlib import Path

import pytest

from pipelines.source.files import plan
from pipelines.source.reading import read
from tests.builders import ACME
from tests.pipelines.source.damages import (
    PACKERS,
    RECORD,
    SYNC,
    Found,
    block,
    bodies,
    encoded,
    head,
    made_of,
    placed,
    visit,
)

EACH = 11
BLOCKS = 5
RECORDS = EACH * BLOCKS
# Which block of a file is hurt.
PLACES = (0, 2, 4)

codecs = pytest.mark.parametrize("codec", PACKERS)
places = pytest.mark.parametrize("place", PLACES)


def blocks(codec: str) -> list[bytes]:
    """The blocks of a file, each with as many records."""
    return [block(codec, EACH, body) for body in bodies((EACH,) * BLOCKS)]


def with_block(codec: str, place: int, other: bytes) -> bytes:
    """A file with another block in some place."""
    listed = blocks(codec)
    return head(codec) + b"".join([*listed[:place], other, *listed[place + 1 :]])


def numbers(found: Found) -> tuple[int, int, int]:
    """The records that were read, those told as lost, and the places of unknown loss."""
    return sum(found.rows.values()), found.known, found.unknown


@codecs
def test_nothing_is_told_of_a_whole_file(tmp_path: Path, codec: str) -> None:
    assert numbers(made_of(tmp_path, head(codec) + b"".join(blocks(codec)))) == (RECORDS, 0, 0)


@codecs
def test_a_block_without_records_in_the_middle_is_no_damage(tmp_path: Path, codec: str) -> None:
    listed = blocks(codec)
    data = head(codec) + b"".join([*listed[:2], b"\0\0" + SYNC, *listed[2:]])
    assert numbers(made_of(tmp_path, data)) == (RECORDS, 0, 0)


@codecs
@places
@pytest.mark.parametrize("zeros", [1, 2, 4, 4_096])
def test_zeros_over_the_header_of_a_block_are_told(tmp_path: Path, codec: str, place: int, zeros: int) -> None:
    listed = blocks(codec)
    start = len(head(codec)) + sum(map(len, listed[:place]))
    data = head(codec) + b"".join(listed)
    spoilt = (data[:start] + bytes(zeros) + data[start + zeros :])[: len(data)]
    events, known, unknown = numbers(made_of(tmp_path, spoilt))
    assert events >= EACH * place
    assert unknown >= 1
    assert known == 0
    if zeros <= 4:
        # Nobody can tell the records of the block from others that were there, but the other blocks are read.
        assert RECORDS - EACH <= events <= RECORDS


@codecs
@places
@pytest.mark.parametrize("count", [EACH - 1, EACH + 1, 0, -1, -EACH, 1_000, 2**31, 2**62, -(2**62)])
def test_a_changed_count_is_not_believed(tmp_path: Path, codec: str, place: int, count: int) -> None:
    body = bodies((EACH,) * BLOCKS)[place]
    found = made_of(tmp_path, with_block(codec, place, block(codec, count, body)))
    assert numbers(found) == (RECORDS, 0, 1)


@codecs
@places
@pytest.mark.parametrize("off", [-3, 5, 10_000, 2**40])
def test_a_changed_size_costs_nothing_that_can_be_read(tmp_path: Path, codec: str, place: int, off: int) -> None:
    body = bodies((EACH,) * BLOCKS)[place]
    size = len(PACKERS[codec](body)) + off
    found = made_of(tmp_path, with_block(codec, place, block(codec, EACH, body, size=size)))
    assert numbers(found) == (RECORDS, 0, 0)


@codecs
@places
def test_a_negative_size_hides_its_block_alone(tmp_path: Path, codec: str, place: int) -> None:
    body = bodies((EACH,) * BLOCKS)[place]
    found = made_of(tmp_path, with_block(codec, place, block(codec, EACH, body, size=-7)))
    assert numbers(found) == (RECORDS - EACH, 0, 1)


@codecs
@places
def test_a_wrong_sync_marker_costs_nothing(tmp_path: Path, codec: str, place: int) -> None:
    body = bodies((EACH,) * BLOCKS)[place]
    found = made_of(tmp_path, with_block(codec, place, block(codec, EACH, body, marker=b"another letters.")))
    assert numbers(found) == (RECORDS, 0, 0)


@codecs
@places
@pytest.mark.parametrize("left", [0, 1, 15])
def test_where_bytes_of_a_marker_are_missing_more_may_be(tmp_path: Path, codec: str, place: int, left: int) -> None:
    body = bodies((EACH,) * BLOCKS)[place]
    found = made_of(tmp_path, with_block(codec, place, block(codec, EACH, body, marker=SYNC[:left])))
    assert numbers(found) == (RECORDS, 0, 1)


@codecs
@pytest.mark.parametrize("left", [0, 1, 8, 15])
def test_a_file_that_ends_inside_a_marker_may_have_been_longer(tmp_path: Path, codec: str, left: int) -> None:
    listed = blocks(codec)
    data = head(codec) + b"".join(listed[:3])
    assert numbers(made_of(tmp_path, data[: len(data) - len(SYNC) + left])) == (3 * EACH, 0, 1)


@codecs
def test_blocks_cut_out_from_marker_to_marker_are_unknown(tmp_path: Path, codec: str) -> None:
    listed = blocks(codec)
    data = head(codec) + listed[0][:-11] + listed[2][-8:] + b"".join(listed[3:])
    assert numbers(made_of(tmp_path, data)) == (3 * EACH, 0, 1)


@codecs
def test_a_header_of_more_than_a_megabyte_is_read(tmp_path: Path, codec: str) -> None:
    data = head(codec, letter=b"Dear data team, " * 100_000) + b"".join(blocks(codec))
    assert numbers(made_of(tmp_path, data)) == (RECORDS, 0, 0)


@codecs
def test_two_damages_are_two_places(tmp_path: Path, codec: str) -> None:
    listed = blocks(codec)
    listed[1] = block(codec, 2**62, bodies((EACH,) * BLOCKS)[1])
    listed[3] = block(codec, EACH, bodies((EACH,) * BLOCKS)[3], size=-1)
    assert numbers(made_of(tmp_path, head(codec) + b"".join(listed))) == (RECORDS - EACH, 0, 2)


@codecs
@pytest.mark.parametrize("place", [0, 2, 5])
@pytest.mark.parametrize("stray", [b"\n", b"\xff" * 11, b"\0" * 40, b"Dear data team,\n" * 9, b"\x16\x20" + SYNC])
def test_stray_bytes_between_blocks_cost_no_record(tmp_path: Path, codec: str, place: int, stray: bytes) -> None:
    listed = blocks(codec)
    data = head(codec) + b"".join([*listed[:place], stray, *listed[place:]])
    events, known, unknown = numbers(made_of(tmp_path, data))
    assert (events, known) == (RECORDS, 0)
    assert unknown >= 1


@codecs
@pytest.mark.parametrize("marker", [SYNC, b"another letters."])
def test_one_record_again_and_again_is_no_damage(tmp_path: Path, codec: str, marker: bytes) -> None:
    # Compressed, it may take less than a byte for each record.
    data = head(codec) + block(codec, 20_000, visit(1) * 20_000, marker=marker)
    assert numbers(made_of(tmp_path, data)) == (20_000, 0, 0)


@codecs
def test_bad_text_in_one_of_many_records_costs_that_one(tmp_path: Path, codec: str) -> None:
    (body,) = bodies((500,))
    (before,) = bodies((123,))
    # The first letter of an event id comes behind its length.
    spoilt = body[: len(before) + 1] + b"\xff" + body[len(before) + 2 :]
    data = head(codec) + blocks(codec)[0] + block(codec, 500, spoilt)
    assert numbers(made_of(tmp_path, data)) == (EACH + 499, 1, 0)
    (packet,) = plan([placed(tmp_path, data)]).packets
    reading = read(packet)
    (lost,) = reading.losses
    assert (lost.record, lost.reason, lost.provenance) == (
        RECORD,
        "UNDECODABLE",
        f"{ACME}/damaged.avro row {EACH + 123}",
    )
    assert reading.block.frame["row"].to_list() == [row for row in range(EACH + 500) if row != EACH + 123]


@codecs
def test_behind_a_broken_boundary_the_rest_of_the_block_is_counted(tmp_path: Path, codec: str) -> None:
    bodies_of_all = bodies((EACH,) * BLOCKS)
    before = sum(len(visit(2 * EACH + row)) for row in range(4))
    spoilt = bodies_of_all[2][:before] + b"\xff" * 20 + bodies_of_all[2][before + 20 :]
    data = with_block(codec, 2, block(codec, EACH, spoilt))
    # All other blocks hold eleven records, so this one did.
    assert numbers(made_of(tmp_path, data)) == (RECORDS - 7, 7, 0)


@codecs
def test_a_count_that_nothing_confirms_is_told_and_may_be_too_low(tmp_path: Path, codec: str) -> None:
    (body,) = bodies((30,))
    spoilt = visit(0) + b"\xff" * 20 + body[len(visit(0)) + 20 :]
    assert numbers(made_of(tmp_path, head(codec) + block(codec, 30, spoilt))) == (1, 29, 1)


@codecs
def test_a_file_that_was_wiped_from_its_marker_on_is_unknown(tmp_path: Path, codec: str) -> None:
    data = head(codec)
    # Every eighteen zeros would be a block without records.
    wiped = data[: len(data) - len(SYNC)] + bytes(len(SYNC) + 18 * 50)
    assert numbers(made_of(tmp_path, wiped)) == (0, 0, 1)


@codecs
@places
def test_a_copied_block_is_read_twice(tmp_path: Path, codec: str, place: int) -> None:
    listed = blocks(codec)
    data = head(codec) + b"".join([*listed[: place + 1], listed[place], *listed[place + 1 :]])
    assert numbers(made_of(tmp_path, data)) == (RECORDS + EACH, 0, 0)


def test_counts_and_sizes_are_as_avro_writes_them() -> None:
    assert encoded("long", 2**62) == b"\x80" * 8 + b"\x80\x01"
