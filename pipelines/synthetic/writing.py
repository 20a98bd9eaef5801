"""Writes frames of events to files: a folder for each source, with files of one record each in order of reporting."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from pipelines.synthetic.avro_blocks import Bodies, Words, blocks, byte_words, encode, header, words
from pipelines.synthetic.dcc_events import MEASURES
from pipelines.synthetic.dirt import shuffled, soiled
from pipelines.synthetic.meter_points import POINT_WIDTH, mpans, mprns
from pipelines.synthetic.places import INDEPENDENT_NETWORKS, Places
from pipelines.synthetic.resending import DELIVERIES
from pipelines.synthetic.soiling import Soil
from pipelines.synthetic.state import HOUR_MS, SOURCES, Array, Ints, Meters, World
from pipelines.synthetic.targets import LAST, OPENING, fuel_of
from schemas.codes import FUELS
from schemas.geography import region_codes
from schemas.quarters import quarter_text
from schemas.registry import current

FILE_EVENTS: Final = 100_000
_INDEPENDENT_SHARE: Final = 0.3

Lists = dict[str, Words]


def event_ids(frame: pl.DataFrame, seed: tuple[int, ...]) -> pl.DataFrame:
    """Adds random event ids (version 4 uuids as halves), the action NEW and no target of a correction."""
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
    """Chooses each electricity meter point's distributor from its region; many new ones are on independent networks."""
    out = np.empty(len(region), dtype=np.int64)
    for code, shares in enumerate(places.distributor_shares):
        of_region = region == code
        out[of_region] = rng.choice(places.distributors, int(of_region.sum()), p=shares)
    independent = new & (rng.random(len(region)) < _INDEPENDENT_SHARE)
    return np.where(independent, rng.choice(INDEPENDENT_NETWORKS, len(region)), out)


def point_words(world: World) -> Words:
    """Returns the meter points' numbers, and at the end an empty one for records that are not about a meter point."""
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
    return byte_words(data, lengths)


# Values that only dirt refers to, after the valid ones: a source, a region and a quarter that do not exist.
_BAD_SOURCE: Final = "ZZZZ"
_BAD_REGION: Final = "E12000099"
_BAD_QUARTER: Final = "2021-Q3"
_BAD_POINTS: Final = (b"", b"12345", b"10123456789O1", b"201234567890", b"MPAN")
# The most meter points of a fuel whose check digit is changed.
_WRONG_POINTS: Final = 2000


def _quarters() -> list[str]:
    return [quarter_text(number) for number in range(OPENING, LAST + 1)]


def lists_of(world: World) -> Lists:
    """Returns the texts that the columns refer to."""
    sources = words([*SOURCES, _BAD_SOURCE])
    return {
        "source_id": sources,
        "to_source_id": sources,
        "meter_point_id": point_words(world),
        "region_code": words([*region_codes(), _BAD_REGION]),
        "local_authority_code": words(world.places.areas),
        "quarter": words([*_quarters(), _BAD_QUARTER]),
        "measure": words(MEASURES),
    }


def bad_points(lists: Lists, segment: Array) -> tuple[Ints, Ints, Ints]:
    """Adds bad meter points to the lists; returns the places of wrong ones by fuel, and of malformed ones."""
    points = lists["meter_point_id"]
    count = len(segment)
    gas = fuel_of(segment) == FUELS.index("GAS")
    by_fuel = [np.flatnonzero(of_fuel)[:: 1 + int(of_fuel.sum()) // _WRONG_POINTS] for of_fuel in (~gas, gas)]
    copied = np.concatenate(by_fuel)
    data = points.data[copied].copy()
    last = points.used[copied] - 1
    digit = data[np.arange(len(data)), last] - ord("0")
    data[np.arange(len(data)), last] = (digit + 1) % 10 + ord("0")
    malformed = np.zeros((len(_BAD_POINTS), points.data.shape[1]), dtype=np.uint8)
    for row, text in enumerate(_BAD_POINTS):
        malformed[row, : len(text) + 1] = np.frombuffer(bytes([2 * len(text)]) + text, dtype=np.uint8)
    used = np.concatenate([points.used[:-1], points.used[copied], [len(t) + 1 for t in _BAD_POINTS], points.used[-1:]])
    # The empty number stays the last.
    lists["meter_point_id"] = Words(np.concatenate([points.data[:-1], data, malformed, points.data[-1:]]), used)
    places = count + np.arange(len(copied) + len(_BAD_POINTS))
    return places[: len(by_fuel[0])], places[len(by_fuel[0]) : len(copied)], places[len(copied) :]


def sent(frames: dict[str, pl.DataFrame], numbers: tuple[int, int], soil: Soil | None) -> dict[str, pl.DataFrame]:
    """Adds event ids and an `owner` to the frames, and spoils them if there is soil; `numbers` are seed and part."""
    named = {
        record: event_ids(frame, (*numbers, number)).with_columns(owner=pl.col("source_id"))
        for number, (record, frame) in enumerate(frames.items())
    }
    return named if soil is None else soiled(soil, named)


def _grouped(frame: pl.DataFrame) -> Ints:
    """Returns a number for the files of each row, made of the owner's place and the delivery."""
    lot = frame["lot"].to_numpy() if "lot" in frame.columns else np.zeros(frame.height, dtype=np.int8)
    return frame["owner"].to_numpy().astype(np.int64) * len(DELIVERIES) + lot


@dataclass(slots=True)
class Writer:
    """Writes frames into a folder. `files` and `events` count what was written; `part` numbers the calls of `write`.

    `soil`, if given, spoils what is written.
    """

    out: Path
    lists: Lists
    seed: int
    soil: Soil | None = None
    part: int = 0
    files: int = 0
    events: int = 0

    def write(self, frames: dict[str, pl.DataFrame]) -> None:
        """Adds ids to events and writes them in each source's order of reporting, in files of at most FILE_EVENTS."""
        for record, frame in sent(frames, (self.seed, self.part), self.soil).items():
            self._write_record(record, frame)
        self.part += 1

    def _write_record(self, record: str, frame: pl.DataFrame) -> None:
        """Writes a frame with ids into the folders that its `owner` column names by place."""
        groups = _grouped(frame)
        times = frame["reported_at"].to_numpy()
        if self.soil is not None:
            times = shuffled(self.soil, groups, times)
        order = np.argsort((groups << 48) + times, kind="stable")
        ordered = frame[order]
        bodies = encode(record, ordered, self.lists)
        numbers, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
        for number, start, count in zip(numbers.tolist(), starts.tolist(), counts.tolist(), strict=True):
            for first in range(start, start + count, FILE_EVENTS):
                self._write_file(
                    record, (number, first - start), (bodies, ordered), (first, min(first + FILE_EVENTS, start + count))
                )
        self.events += frame.height

    def _write_file(
        self, record: str, group: tuple[int, int], events: tuple[Bodies, pl.DataFrame], rows: tuple[int, int]
    ) -> None:
        """Writes the file of some rows; `group` is the number of its files and how many events earlier files hold."""
        owner, lot = divmod(group[0], len(DELIVERIES))
        name = f"{record}{DELIVERIES[lot]}-{self.part:02d}-{group[1] // FILE_EVENTS + 1:03d}.avro"
        folder = (*SOURCES, _BAD_SOURCE)[owner]
        sync = hashlib.sha256(f"{folder}/{name}".encode()).digest()[:16]
        metadata = {}
        if lot:
            # A late or repeated file was received an hour after its newest report; other files do not say when.
            newest = int(events[1]["reported_at"][rows[0] : rows[1]].max())  # pyright: ignore[reportArgumentType]
            metadata["received_at"] = str(newest + HOUR_MS)
        (self.out / folder).mkdir(parents=True, exist_ok=True)
        with (self.out / folder / name).open("wb") as file:
            file.write(header(current()[record].schema, sync, metadata))
            file.writelines(blocks(events[0], rows[0], rows[1], sync))
        self.files += 1
