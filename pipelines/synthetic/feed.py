"""A synthetic Britain as a feed: every event as one message, in the order in which they were reported."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from pipelines.synthetic.avro_blocks import encode
from pipelines.synthetic.generate import Progress, lived
from pipelines.synthetic.plan import Plan
from pipelines.synthetic.soiling import Soil
from pipelines.synthetic.state import SOURCES, Ints
from pipelines.synthetic.writing import Lists, sent
from schemas.registry import SINGLE_OBJECT_MARKER, current

_AT_A_TIME: Final = 10_000


class Event(NamedTuple):
    """One event: the owner whose topic it goes to, its reporting time in milliseconds, its single-object encoding."""

    owner: str
    reported_at: int
    value: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    """Events of one record: the prefix of each body, the bodies one after the other, and the start of each.

    `owner` holds places in SOURCES; the place after the last means an unknown source.
    """

    prefix: bytes
    bodies: bytes
    starts: Ints
    owner: Ints
    reported_at: Ints


@dataclass(slots=True)
class Feed:
    """The events of a synthetic Britain, kept in memory (about 115 bytes each). `lists` holds their texts."""

    lists: Lists
    seed: int
    soil: Soil | None = None
    part: int = 0
    parts: list[_Part] = field(default_factory=list)

    def write(self, frames: dict[str, pl.DataFrame]) -> None:
        """Adds events, with the same ids as in files."""
        for record, frame in sent(frames, (self.seed, self.part), self.soil).items():
            bodies = encode(record, frame, self.lists)
            prefix = SINGLE_OBJECT_MARKER + current()[record].fingerprint
            owner, reported_at = (frame[name].to_numpy().astype(np.int64) for name in ("owner", "reported_at"))
            self.parts.append(_Part(prefix, bodies.data.tobytes(), bodies.starts, owner, reported_at))
        self.part += 1

    def events(self) -> Iterator[Event]:
        """Yields every event in the order of reporting, except those of an unknown owner, which has no topic."""
        sizes = [len(part.owner) for part in self.parts]
        which = np.repeat(np.arange(len(sizes)), sizes)
        row = np.concatenate([np.arange(size) for size in sizes])
        times = np.concatenate([part.reported_at for part in self.parts])
        known = np.concatenate([part.owner for part in self.parts]) < len(SOURCES)
        order = np.flatnonzero(known)[np.argsort(times[known], kind="stable")]
        for start in range(0, len(order), _AT_A_TIME):
            chosen = order[start : start + _AT_A_TIME]
            for number, at in zip(which[chosen].tolist(), row[chosen].tolist(), strict=True):
                part = self.parts[number]
                value = part.prefix + part.bodies[part.starts[at] : part.starts[at + 1]]
                yield Event(SOURCES[part.owner[at]], int(part.reported_at[at]), value)


def feed(plan: Plan, progress: Progress) -> Feed:
    """Returns the feed of a plan: the events that `generate` would write into files, including damaged ones."""
    _, made = lived(plan, progress, lambda lists, soil: Feed(lists, plan.seed, soil))
    progress("Done", 1.0)
    return made
