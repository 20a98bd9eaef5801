"""The decoded copy of Flink's state that a worker keeps, and how the worker knows that it is still valid.

A key's state is a bag of segments (bytes, appended) and a token that changes with every change. The decoded value stays
in the process and is used only while its token equals the state's: after a restart, or when Flink goes back to a
checkpoint, the token differs and the value is loaded again.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pipelines.stream.packing import SEGMENT_BYTES
from pipelines.stream.waiting import Waiting

V = TypeVar("V")

# The most segments of a state; one more is allowed for every SEGMENT_BYTES, as large segments stay as they are.
MOST_SEGMENTS: Final = 16
GROWTH: Final = 1.5


@dataclass(slots=True)
class Kept(Generic[V]):
    """A decoded value, the token of the state that it was decoded from and the sizes of that state's segments in bytes.

    `first` is the size after all segments were last merged (after loading: that of the first segment), `size` that of
    all segments together. `waits` says what of the key waits for its timer; None until the state was read.
    """

    value: V
    token: bytes | None
    first: int = 0
    size: int = 0
    segments: int = 0
    waits: Waiting | None = None

    @property
    def is_long(self) -> bool:
        """Whether merging all segments is worth it: there are many, and together they have grown by half."""
        most = MOST_SEGMENTS + self.size // SEGMENT_BYTES
        return self.segments > most and self.size > GROWTH * self.first


# One for the process, not for each DoFn: any of several copies of a DoFn may get a key's bundles, one at a time.
_KEPT: Final[dict[tuple[str, str, Any], Kept[Any]]] = {}


@dataclass(frozen=True, slots=True)
class State:
    """The state of one key: its segments and its token, as Beam hands them to a DoFn."""

    segments: Any
    token: Any


def kept(at: tuple[str, str, Any], state: State, load: Callable[[Iterable[bytes]], V]) -> Kept[V]:
    """Returns the decoded value of a key's state (`at` is run, step and key); loads it if the process has none."""
    token = state.token.read()
    found = _KEPT.get(at)
    if found is None or found.token != token:
        packed = list(state.segments.read()) if token is not None else []
        found = Kept(load(packed), token, len(packed[0]) if packed else 0, sum(map(len, packed)), len(packed))
        _KEPT[at] = found
    return found


def append(held: Kept[Any], state: State, parts: list[bytes], whole: Callable[[], list[bytes]]) -> None:
    """Appends segments to the state or, if these become too many, replaces all by the few that `whole` returns."""
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
    """Gives the state of the key a new token, since the state has changed."""
    held.token = secrets.token_bytes(8)
    state.token.write(held.token)
