"""A synthetic Britain as a feed: every event as a message of its own, in the order in which they were reported."""

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
    """One event: whose topic it goes to, when it was reported (milliseconds), and its single-object encoding."""

    owner: str
    reported_at: int
    value: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    """Events of one record: what comes before each body, the bodies one after the other, and where each begins.

    `owner` holds places in SOURCES; one behind the last is nobody's.
    """

    prefix: bytes
    bodies: bytes
    starts: Ints
    owner: Ints
    reported_at: Ints


@dataclass(slots=True)
class Feed:
    """The events of a Britain, kept in memory (about 115 bytes each). `lists` holds their texts."""

    lists: Lists
    seed: int
    soil: Soil | None = None
    part: int = 0
    parts: list[_Part] = field(default_factory=list)

    def write(self, frames: dict[str, pl.DataFrame]) -> None:
        """Takes events, which get the same ids as in files; those in the folder of nobody have no topic to go to."""
        for record, frame in sent(frames, (self.seed, self.part), self.soil).items():
            bodies = encode(record, frame, self.lists)
            prefix = SINGLE_OBJECT_MARKER + current()[record].fingerprint
            owner, reported_at = (frame[name].to_numpy().astype(np.int64) for name in ("owner", "reported_at"))
            self.parts.append(_Part(prefix, bodies.data.tobytes(), bodies.starts, owner, reported_at))
        self.part += 1

    def events(self) -> Iterator[Event]:
        """Every event, by when it was reported."""
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
    """The feed of a plan: the events that `generate` would write into files, those of damaged files too."""
    _, made = lived(plan, progress, lambda lists, soil: Feed(lists, plan.seed, soil))
    progress("Done", 1.0)
    return made
