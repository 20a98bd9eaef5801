"""Numbers of meter points and devices: MPAN cores and MPRNs with correct check digits, EUI-64 device ids.

The check digits follow the published rules of the industry (docs/glossary.md); the numbers before them are a fixed
permutation of the meters' serial numbers, so they are unique and reveal nothing.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

MPAN_WEIGHTS: Final = np.array([3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43])
POINT_WIDTH: Final = 13
_TEN_DIGITS: Final = 10**10
# Coprime to the ranges that they permute.
_STRIDE: Final = 7_368_787_097
_GAS_STRIDE: Final = 57_885_161
_SHORT_EVERY: Final = 40


def digits(numbers: Ints, width: int) -> Ints:
    """Returns the decimal digits of numbers, as an array of shape (len(numbers), width) with leading zeros."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return numbers[:, None] // powers % 10


def mpans(serial: Ints, distributor: Ints) -> Bytes:
    """Returns electricity meters' MPAN cores as ASCII, shape (n, 13). `serial` is unique, with at most ten digits."""
    body = digits(distributor * _TEN_DIGITS + serial * _STRIDE % _TEN_DIGITS, 12)
    check = body @ MPAN_WEIGHTS % 11 % 10
    return (np.column_stack([body, check]) + ord("0")).astype(np.uint8)


def _mprn(lead: Ints, width: int) -> Bytes:
    body = digits(lead, width)
    check = body @ np.arange(width, 0, -1) % 11
    out = np.zeros((len(lead), POINT_WIDTH), dtype=np.uint8)
    out[:, : width + 2] = np.column_stack([body, check // 10, check % 10]) + ord("0")
    return out


def mprns(serial: Ints) -> tuple[Bytes, Ints]:
    """Returns gas meters' MPRNs as ASCII, padded with zero bytes to 13, and their lengths: mostly 10, some 9 or 6."""
    width = np.full(len(serial), 8)
    width[serial % _SHORT_EVERY == 1] = 7
    width[(serial % _SHORT_EVERY == 2) & (serial < 9000)] = 4
    out = np.zeros((len(serial), POINT_WIDTH), dtype=np.uint8)
    for size in (4, 7, 8):
        of_size = width == size
        least = 10 ** (size - 1)
        # One less than nine times the power is coprime to the stride, so leads do not repeat.
        lead = least + serial[of_size] * _GAS_STRIDE % (9 * least - 1)
        out[of_size] = _mprn(lead, size)
    return out, width + 2


def mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatters numbers over 64 bits, one to one (the finaliser of SplitMix64)."""
    out = numbers + np.uint64(0x9E3779B97F4A7C15)
    out = (out ^ (out >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    out = (out ^ (out >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return out ^ (out >> np.uint64(31))


def device_numbers(
    meter: npt.NDArray[np.integer], fitting: npt.NDArray[np.integer], role: int
) -> npt.NDArray[np.uint64]:
    """Returns the numbers of the devices in a role (0 meter, 1 hub) that fittings install; never 0 in practice."""
    serial = meter.astype(np.uint64) << np.uint64(16) | fitting.astype(np.uint64) << np.uint64(4) | np.uint64(role)
    return mixed(serial)
