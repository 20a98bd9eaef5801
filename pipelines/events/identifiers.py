"""The identifiers of a block as numbers: uuids as halves, and the check digits of meter points.

Check digits: the MPAN core's is a weighted sum modulo 11 modulo 10, the MPRN's last two digits are a weighted sum
modulo 11 (docs/glossary.md says which digits these are).
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

MPAN_WEIGHTS: Final = np.array([3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43], dtype=np.int64)
MPRN_WEIGHTS: Final = np.arange(8, 0, -1, dtype=np.int64)
MPAN_DIGITS: Final = 13
UUID_LENGTH: Final = 36
_UUID_PARTS: Final = ((0, 8, 0), (9, 13, 8), (14, 18, 12), (19, 23, 16), (24, 36, 20))
_HYPHENS: Final = (8, 13, 18, 23)
_NO_BYTE: Final = 256

Bytes = npt.NDArray[np.uint8]
Halves = npt.NDArray[np.uint64]


def _byte_of_hex_pair() -> npt.NDArray[np.uint16]:
    """Returns, for every two characters (as a little-endian 16-bit number), the byte they write, or _NO_BYTE."""
    table = np.full(1 << 16, _NO_BYTE, dtype=np.uint16)
    for high, first in enumerate(b"0123456789abcdef"):
        for low, second in enumerate(b"0123456789abcdef"):
            table[first | second << 8] = high << 4 | low
    return table


_HEX: Final = _byte_of_hex_pair()


def byte_matrix(texts: pl.Series, width: int) -> Bytes:
    """Returns the bytes of texts that are all `width` bytes long, as an array of shape (len(texts), width)."""
    joined = texts.str.join("")[0] or ""
    return np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, width)


def uuid_halves(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Returns the high and low half of each lower-case uuid as UInt64, null for any other text."""
    fits = (texts.str.len_bytes() == UUID_LENGTH).fill_null(value=False).to_numpy()
    matrix = byte_matrix(texts.filter(pl.Series(fits)), UUID_LENGTH)
    digits = np.empty((len(matrix), 32), dtype=np.uint8)
    for start, stop, to in _UUID_PARTS:
        digits[:, to : to + stop - start] = matrix[:, start:stop]
    values = _HEX[digits.view("<u2")]
    valid = (values != _NO_BYTE).all(axis=1) & (matrix[:, _HYPHENS] == ord("-")).all(axis=1)
    halves = values.astype(np.uint8).view(">u8").astype(np.uint64)
    found = np.zeros(len(texts), dtype=bool)
    found[fits] = valid
    return _spread(halves[valid, 0], found), _spread(halves[valid, 1], found)


def _spread(values: Halves, where: npt.NDArray[np.bool_]) -> pl.Series:
    """Returns a series with the values where the mask is true, null elsewhere."""
    out = np.zeros(len(where), dtype=np.uint64)
    out[where] = values
    series = pl.Series(out)
    return series if where.all() else pl.select(pl.when(pl.Series(where)).then(series)).to_series()


def uuid_texts(high: pl.Series, low: pl.Series) -> pl.Series:
    """Returns the lower-case uuids of two halves, null where a half is null."""
    texts = [
        None if a is None or b is None else _hyphenated(f"{a:016x}{b:016x}")
        for a, b in zip(high.to_list(), low.to_list(), strict=True)
    ]
    return pl.Series(texts, dtype=pl.String)


def _hyphenated(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def meter_point_format_ok(points: pl.Series, electricity: pl.Series) -> pl.Series:
    """Whether each has the form of an MPAN core (electricity: 13 digits) or an MPRN (gas: 6 to 10 digits)."""
    return pl.select(
        pl.when(electricity)
        .then(points.str.contains(r"^[0-9]{13}$"))
        .otherwise(points.str.contains(r"^[0-9]{6,10}$"))
        .fill_null(value=False)
    ).to_series()


def _digits(points: pl.Series) -> npt.NDArray[np.int64]:
    return byte_matrix(points.str.zfill(MPAN_DIGITS), MPAN_DIGITS).astype(np.int64) - ord("0")


def mpan_check_digit_ok(points: pl.Series) -> npt.NDArray[np.bool_]:
    """Whether the last digit of each well-formed MPAN core is right."""
    digits = _digits(points)
    return digits[:, :12] @ MPAN_WEIGHTS % 11 % 10 == digits[:, 12]


def mprn_check_digits_ok(points: pl.Series) -> npt.NDArray[np.bool_]:
    """Whether the last two digits of each well-formed MPRN are right."""
    digits = _digits(points)
    return digits[:, 3:11] @ MPRN_WEIGHTS % 11 == digits[:, 11] * 10 + digits[:, 12]
