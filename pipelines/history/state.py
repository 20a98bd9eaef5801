"""The state of a meter in place as one number: its seven dimensions side by side, 0 while no meter is present.

Each dimension is as wide as its list of words needs, so a longer list moves those above it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipelines.events.columns import SOURCE_CODES
from schemas.codes import FUELS, METER_TYPES, OPERATING_MODES, PAYMENT_MODES, SECTORS
from schemas.geography import region_codes

Keys = npt.NDArray[np.int64]
# The bits of a signed 64-bit number without its sign.
KEY_BITS: Final = 63
# Set in the state of every meter that is in place.
PRESENT: Final = 1


@dataclass(frozen=True, slots=True)
class Part:
    """Some bits of a key and the words that they stand for; the code n of a word is kept as n + 1."""

    shift: int
    bits: int
    words: tuple[str, ...]

    @property
    def mask(self) -> int:
        """The bits of this part in a key."""
        return ((1 << self.bits) - 1) << self.shift

    def put(self, codes: npt.ArrayLike) -> Keys:
        """Returns codes (from 0; -1 for not named) at their place in a key. Raises OverflowError if one has no word."""
        numbers = np.asarray(codes, dtype=np.int64)
        codes_end = len(self.words) or (1 << self.bits) - 1
        if numbers.min(initial=-1) < -1 or numbers.max(initial=-1) >= codes_end:
            raise OverflowError(f"A part of a cell's key has {codes_end} codes, and one beyond them was given.")
        return (numbers + 1) << self.shift

    def get(self, keys: Keys) -> Keys:
        """Returns the codes (from 0; -1 for not named) in keys."""
        return ((keys >> self.shift) & ((1 << self.bits) - 1)) - 1


def laid_out(start: int, lists: Mapping[str, tuple[str, ...]], room: Mapping[str, int]) -> dict[str, Part]:
    """Returns a part for each list of words, one above the other from bit `start`. Raises OverflowError.

    `room` sets a least width in bits for some of them.
    """
    parts: dict[str, Part] = {}
    for name, words in lists.items():
        bits = max(len(words).bit_length(), room.get(name, 0))
        parts[name] = Part(start, bits, words)
        start += bits
    if start > KEY_BITS:
        raise OverflowError(f"A cell's key would take {start} bits, and there are {KEY_BITS}.")
    return parts


_WORDS: Final = {
    "source_id": SOURCE_CODES,
    "region_code": region_codes(),
    "fuel": FUELS,
    "sector": SECTORS,
    "meter_type": METER_TYPES,
    "operating_mode": OPERATING_MODES,
    "payment_mode": PAYMENT_MODES,
}
# Room for new suppliers, so that they do not move the parts above.
_ROOM: Final = {"source_id": 10}
PARTS: Final[Mapping[str, Part]] = laid_out(PRESENT.bit_length(), _WORDS, _ROOM)
STATE_BITS: Final = max(part.shift + part.bits for part in PARTS.values())
