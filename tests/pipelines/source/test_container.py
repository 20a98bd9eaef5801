"""Containers are walked block by block, and bodies come out plain whatever the codec."""

import bz2
import lzma
import zlib
from pathlib import Path

import cramjam
import fastavro
import pytest
import zstandard

from pipelines.source.container import CODECS, Block, Gap, NotAvro, Trust, plain_body, read_header, walk
from tests.builders import Layout, installed, write_files

PLAIN = b"what is in a block" * 20
MONTH = [installed(on=f"2026-04-{day:02d}") for day in range(1, 13)]


def never(body: bytes, records: int) -> bool:
    """Nobody looks into a body."""
    del body, records
    return False


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data)) + zlib.crc32(data).to_bytes(4, "big")


PACKED = {
    "null": PLAIN,
    "deflate": raw_deflate(PLAIN),
    "bzip2": bz2.compress(PLAIN),
    "xz": lzma.compress(PLAIN),
    "snappy": snappy(PLAIN),
    "zstandard": zstandard.ZstdCompressor().compress(PLAIN),
}


def test_every_codec_is_tried() -> None:
    assert set(PACKED) == set(CODECS)


@pytest.mark.parametrize("codec", PACKED)
def test_a_body_comes_out_plain(codec: str) -> None:
    assert plain_body(PACKED[codec], codec) == PLAIN


@pytest.mark.parametrize("codec", [codec for codec in PACKED if codec != "null"])
@pytest.mark.parametrize("body", [b"", b"\xff" * 40, b"\0"])
def test_what_is_no_body_of_its_codec_gives_nothing(codec: str, body: bytes) -> None:
    assert not plain_body(body, codec)


@pytest.mark.parametrize("codec", [codec for codec in PACKED if codec != "null"])
def test_a_body_that_would_become_more_than_is_let_in_gives_nothing(codec: str) -> None:
    assert plain_body(PACKED[codec], codec, len(PLAIN)) == PLAIN
    assert plain_body(PACKED[codec], codec, len(PLAIN) - 1) is None


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz"])
def test_a_body_without_its_end_gives_nothing(codec: str) -> None:
    assert plain_body(PACKED[codec][:-2], codec) is None


def test_a_snappy_body_with_another_checksum_gives_nothing() -> None:
    assert plain_body(PACKED["snappy"][:-1] + b"?", "snappy") is None


def test_a_codec_that_nobody_knows_gives_nothing() -> None:
    assert plain_body(PLAIN, "lzzz") is None


def test_the_header_says_what_the_writer_said(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, MONTH, Layout(codec="deflate", metadata=(("received_at", "1"),)))
    header = read_header(path.read_bytes())
    with path.open("rb") as file:
        reader = fastavro.reader(file)
        assert header.codec == reader.codec == "deflate"
        assert header.schema["name"] == "gb.smartmeter.v1.MeterInstalled"
        assert header.metadata["received_at"] == b"1"


def test_the_walk_finds_the_blocks_that_were_written(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, MONTH, Layout(block_records=5))
    data = path.read_bytes()
    header = read_header(data)
    found = list(walk(data, header, never))
    blocks = [block for block in found if isinstance(block, Block)]
    assert len(blocks) == len(found) == 3
    assert [(block.first_row, block.records, block.trust) for block in blocks] == [
        (0, 5, Trust.FRAMED),
        (5, 5, Trust.FRAMED),
        (10, 2, Trust.FRAMED),
    ]
    with path.open("rb") as file:
        assert [block.num_records for block in fastavro.block_reader(file)] == [5, 5, 2]


@pytest.mark.parametrize("data", [b"", b"Obj", b"Obj\x02rest", b"Obj\x01", b"Obj\x01\x02\x00"])
def test_what_does_not_begin_as_a_container_is_none(data: bytes) -> None:
    with pytest.raises(NotAvro):
        read_header(data)


def test_rubbish_between_blocks_is_a_gap_and_the_walk_goes_on(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, MONTH, Layout(block_records=5))
    data = path.read_bytes()
    header = read_header(data)
    second = [block for block in walk(data, header, never) if isinstance(block, Block)][1]
    spoilt = data[: second.start] + b"\xff" * 11 + header.sync + data[second.start :]
    kinds = [type(found) for found in walk(spoilt, header, never)]
    assert kinds == [Block, Gap, Block, Block]
