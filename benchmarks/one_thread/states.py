"""The state of a meter in place as one number: its presence in bit 0, then the bits of each dimension."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.codes import FUELS, METER_TYPES, OPERATING_MODES, PAYMENT_MODES, SECTORS
from schemas.geography import region_codes
from schemas.sources import source_ids

Ints = npt.NDArray[np.int64]

SOURCES: Final = tuple(sorted(source_ids()))
REGIONS: Final = region_codes()
# The shifts, bits and words of the seven dimensions; bit 0 is set if a meter is there.
SHIFT: Final = {
    "source_id": 1,
    "region_code": 9,
    "fuel": 13,
    "sector": 15,
    "meter_type": 17,
    "operating_mode": 20,
    "payment_mode": 22,
}
BITS: Final = {
    "source_id": 8,
    "region_code": 4,
    "fuel": 2,
    "sector": 2,
    "meter_type": 3,
    "operating_mode": 2,
    "payment_mode": 2,
}
WORDS: Final = {
    "source_id": SOURCES,
    "region_code": REGIONS,
    "fuel": FUELS,
    "sector": SECTORS,
    "meter_type": METER_TYPES,
    "operating_mode": OPERATING_MODES,
    "payment_mode": PAYMENT_MODES,
}
STATE_BITS: Final = 24


def mask(name: str) -> int:
    """Returns the mask of a dimension's bits."""
    return ((1 << BITS[name]) - 1) << SHIFT[name]


def of(name: str, states: Ints) -> Ints:
    """Returns the codes of a dimension."""
    return (states >> SHIFT[name]) & ((1 << BITS[name]) - 1)


def installed(frame: pl.DataFrame) -> pl.Series:
    """Returns the state after each installation; it has no meaning for a withdrawal with invalid content."""
    codes = {"source_id": SOURCES, "region_code": REGIONS}
    parts = [
        (pl.col(name).cast(pl.Enum(codes[name]), strict=False).to_physical() if name in codes else pl.col(name))
        .cast(pl.Int64)
        .fill_null(0)
        * (1 << shift)
        for name, shift in SHIFT.items()
    ]
    return frame.select(pl.sum_horizontal(parts) + 1).to_series()
