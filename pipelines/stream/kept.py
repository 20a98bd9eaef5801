"""What a worker keeps decoded of Flink's state, and how it knows that it is still the same.

A key's state is a bag of segments (bytes, appended) and a token that is new with every change. The decoded value stays
in the process and is used only while its token is the state's: after a restart, or when Flink goes back to a
checkpoint, the token differs and the value is loaded again.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pipelines.stream.packing import SEGMENT_BYTES
from pipelines.stream.waiting import Waiting

V = TypeVar("V")

# The most segments, and one more for every SEGMENT_BYTES: large ones stay as they are.
MOST_SEGMENTS: Final = 16
GROWTH: Final = 1.5


@dataclass(slots=True)
class Kept(Generic[V]):
    """A decoded value, the token of the state that it stands for and the size of that state's segments in bytes.

    `first` is the size of the segment that all former ones were last made one in, `size` that of all together.
    `waits` says what of the key waits for its timer; None until somebody has looked.
    """

    value: V
    token: bytes | None
    first: int = 0
    size: int = 0
    segments: int = 0
    waits: Waiting | None = None

    @property
    def is_long(self) -> bool:
        """Whether making one segment of all is worth it: there are many, and together they have grown by half."""
        most = MOST_SEGMENTS + self.size // SEGMENT_BYTES
        return self.segments > most and self.size > GROWTH * self.first


# One for the process, not for a DoFn: bundles of one key may come to any of several copies of a DoFn, never at once.
_KEPT: Final[dict[tuple[str, str, Any], Kept[Any]]] = {}


@dataclass(frozen=True, slots=True)
class State:
    """The state of one key: its segments and its token, as Beam hands them to a DoFn."""

    segments: Any
    token: Any


def kept(at: tuple[str, str, Any], state: State, load: Callable[[Iterable[bytes]], V]) -> Kept[V]:
    """The decoded value of a key's state (`at` is run, step and key), loaded where the process has not got it."""
    token = state.token.read()
    found = _KEPT.get(at)
    if found is None or found.token != token:
        packed = list(state.segments.read()) if token is not None else []
        found = Kept(load(packed), token, len(packed[0]) if packed else 0, sum(map(len, packed)), len(packed))
        _KEPT[at] = found
    return found


def append(held: Kept[Any], state: State, parts: list[bytes], whole: Callable[[], list[bytes]]) -> None:
    """The state has some segments more, or the few that `whole` makes of all where there have become many."""
    held.size, held.segments = held.size + sum(map(len, parts)), held.segments + len(parts)
    if held.is_long:
        parts = whole()
        state.segments.clear()
        held.first = held.size = sum(map(len, parts))
        held.segments = len(parts)
    for part in parts:
        state.segments.add(part)
    changed(held, state)


def changed(held: Kept[Any], state: State) -> None:
    """The state of the key has another token, since it is not what it was."""
    held.token = secrets.token_bytes(8)
    state.token.write(held.token)
