"""Handles markers beside figures: as bits while figures are added up, then as [p] or [p] [r], and explained."""

import polars as pl

from schemas.codes import MARKERS

MEANINGS = {
    "p": "provisional: it may change when suppliers send more data",
    "r": "revised since it was first published",
    "e": "estimated",
    "b": "break in the series: not comparable with earlier figures",
    "c": "confidential: left out to protect the supplier or the customer",
    "low": "rounds to 0 but is not 0",
    "x": "not available",
    "z": "not applicable",
    "u": "unreliable",
}
_BITS = {marker: 1 << position for position, marker in enumerate(MARKERS)}


def marker_bits() -> pl.Expr:
    """Returns the column `markers`, one bit for each code in the stored `marker` (such as `p`, `p;r` or `[p] [r]`)."""
    codes = pl.col("marker").fill_null("").str.extract_all("[a-z]+")
    bits = codes.list.eval(pl.element().replace_strict(_BITS, default=0, return_dtype=pl.UInt16)).list.sum()
    return bits.cast(pl.UInt16).alias("markers")


def codes_of(bits: int) -> tuple[str, ...]:
    """Returns the marker codes of a bit set, in the code list's order."""
    return tuple(marker for marker, bit in _BITS.items() if bits & bit)


def bracketed(codes: tuple[str, ...]) -> str:
    """Returns markers as shown beside a figure, such as `[p] [r]`."""
    return " ".join(f"[{code}]" for code in codes)


def explanations(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Returns one sentence for each code, such as `[p] provisional: …`."""
    return tuple(f"[{code}] {MEANINGS[code]}." for code in codes)
