"""Frames of events to files: a folder a source, in it files of one record each in the order of reporting."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from pipelines.quarterly.calendar import quarter_text
from pipelines.synthetic import avro_blocks as avro
from pipelines.synthetic.dcc_events import MEASURES
from pipelines.synthetic.meter_points import POINT_WIDTH, mpans, mprns
from pipelines.synthetic.places import INDEPENDENT_NETWORKS, Places
from pipelines.synthetic.state import SOURCES, Array, Ints, Meters, World
from pipelines.synthetic.targets import LAST, OPENING, fuel_of
from schemas.codes import FUELS
from schemas.geography import region_codes
from schemas.registry import current

FILE_EVENTS: Final = 100_000
_INDEPENDENT_SHARE: Final = 0.3

Lists = dict[str, avro.Words]


def event_ids(frame: pl.DataFrame, seed: tuple[int, ...]) -> pl.DataFrame:
    """The frame with random event ids (version 4 uuids as halves) and as plain news: no action but NEW."""
    rng = np.random.Generator(np.random.PCG64(seed))
    high = rng.integers(0, 2**64, frame.height, dtype=np.uint64)
    low = rng.integers(0, 2**64, frame.height, dtype=np.uint64)
    high = high & np.uint64(0xFFFFFFFFFFFF0FFF) | np.uint64(0x4000)
    low = low & np.uint64(0x3FFFFFFFFFFFFFFF) | np.uint64(0x8000000000000000)
    nothing = pl.lit(0, pl.UInt64)
    return frame.with_columns(
        pl.Series("event_a", high),
        pl.Series("event_b", low),
        action=pl.lit(0, pl.Int8),
        corrects_a=nothing,
        corrects_b=nothing,
    )


def _distributors(rng: np.random.Generator, places: Places, region: Array, new: Array) -> Ints:
    """A distributor for each electricity meter point, of its region; many new ones are on independent networks."""
    out = np.empty(len(region), dtype=np.int64)
    for code, shares in enumerate(places.distributor_shares):
        of_region = region == code
        out[of_region] = rng.choice(places.distributors, int(of_region.sum()), p=shares)
    independent = new & (rng.random(len(region)) < _INDEPENDENT_SHARE)
    return np.where(independent, rng.choice(INDEPENDENT_NETWORKS, len(region)), out)


def point_words(world: World) -> avro.Words:
    """The meter points' numbers, and an empty one behind them for records that are not about a meter point."""
    meters: Meters = world.meters
    count = len(meters.segment)
    data = np.zeros((count + 1, POINT_WIDTH), dtype=np.uint8)
    lengths = np.zeros(count + 1, dtype=np.int64)
    gas = fuel_of(meters.segment) == FUELS.index("GAS")
    electric = np.flatnonzero(~gas)
    new = meters.new_in[electric] != OPENING
    distributors = _distributors(world.rng, world.places, meters.region[electric], new)
    data[electric] = mpans(np.arange(len(electric)), distributors)
    lengths[electric] = POINT_WIDTH
    places = np.flatnonzero(gas)
    data[places], lengths[places] = mprns(np.arange(len(places)))
    return avro.byte_words(data, lengths)


def lists_of(world: World) -> Lists:
    """The texts that the columns refer to."""
    sources = avro.words(SOURCES)
    return {
        "source_id": sources,
        "to_source_id": sources,
        "meter_point_id": point_words(world),
        "region_code": avro.words(region_codes()),
        "local_authority_code": avro.words(world.places.areas),
        "quarter": avro.words(quarter_text(number) for number in range(OPENING, LAST + 1)),
        "measure": avro.words(MEASURES),
    }


def _sending_order(frame: pl.DataFrame) -> Ints:
    """The rows by owner and within each by the time of reporting."""
    key = frame["owner"].to_numpy().astype(np.int64) << 48
    return np.argsort(key + frame["reported_at"].to_numpy(), kind="stable")


@dataclass(slots=True)
class Writer:
    """Writes frames into a folder. `files` and `events` count what it wrote; `part` numbers its calls."""

    out: Path
    lists: Lists
    seed: int
    part: int = 0
    files: int = 0
    events: int = 0

    def write(self, frames: dict[str, pl.DataFrame]) -> None:
        """Writes frames by record: ids first, then in each source's order of reporting, files of FILE_EVENTS at most."""
        for number, (record, frame) in enumerate(frames.items()):
            named = event_ids(frame, (self.seed, self.part, number))
            self.write_owned(record, named.with_columns(owner=pl.col("source_id")))
        self.part += 1

    def write_owned(self, record: str, frame: pl.DataFrame) -> None:
        """Writes a frame with ids into the folders that its `owner` column names by place."""
        ordered = frame[_sending_order(frame)]
        bodies = avro.encode(record, ordered, self.lists)
        counts = np.bincount(ordered["owner"].to_numpy(), minlength=len(SOURCES))
        start = 0
        for owner, count in enumerate(counts):
            for first in range(start, start + count, FILE_EVENTS):
                last = min(first + FILE_EVENTS, start + count)
                name = f"{record}-{self.part:02d}-{(first - start) // FILE_EVENTS + 1:03d}"
                self.write_file(self.out / SOURCES[owner] / f"{name}.avro", record, bodies, (first, last))
            start += count
        self.events += frame.height

    def write_file(self, path: Path, record: str, bodies: avro.Bodies, rows: tuple[int, int]) -> None:
        """Writes one file of the rows of some bodies."""
        path.parent.mkdir(parents=True, exist_ok=True)
        sync = hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).digest()[:16]
        with path.open("wb") as file:
            file.write(avro.header(current()[record].schema, sync))
            file.writelines(avro.blocks(bodies, rows[0], rows[1], sync))
        self.files += 1
