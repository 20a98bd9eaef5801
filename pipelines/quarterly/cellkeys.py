"""A cell's dimensions packed into one 64-bit number, so that counting is a sum over numbers.

The low bits are the seven dimensions of a meter in place (`PRESENT` set); above them lie the
measure's detail, the quarter and the measure. Value 0 of a dimension is "not named".
Each part is as wide as its list of words needs, so a longer list moves the parts above it. Flink's state holds keys:
a stream goes on from a savepoint only under the code that wrote it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.columns import SOURCE_CODES
from pipelines.quarterly.calendar import LAST_YEAR, quarter_text
from pipelines.quarterly.measures import MEASURES
from schemas.codes import FUELS, METER_TYPES, OPERATING_MODES, PAYMENT_MODES, SECTORS
from schemas.geography import region_codes
from schemas.tables import CELL_COLUMNS

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Some bits of a key and the words that they stand for; word number n is kept as n + 1."""

    shift: int
    bits: int
    words: tuple[str, ...]

    @property
    def mask(self) -> int:
        """The bits of this part in a key."""
        return ((1 << self.bits) - 1) << self.shift

    def put(self, codes: npt.ArrayLike) -> Keys:
        """Codes (from 0; -1 for not named) at their place in a key. Raises OverflowError for a code without a word."""
        numbers = np.asarray(codes, dtype=np.int64)
        codes_end = len(self.words) or (1 << self.bits) - 1
        if numbers.min(initial=-1) < -1 or numbers.max(initial=-1) >= codes_end:
            raise OverflowError(f"A part of a cell's key has {codes_end} codes, and one beyond them was given.")
        return (numbers + 1) << self.shift

    def get(self, keys: Keys) -> Keys:
        """The codes (from 0; -1 for not named) in keys."""
        return ((keys >> self.shift) & ((1 << self.bits) - 1)) - 1


def laid_out(start: int, lists: Mapping[str, tuple[str, ...]], room: Mapping[str, int]) -> dict[str, Part]:
    """A part for each list of words, one above the other from bit `start`; `room` gives some a least width in bits."""
    parts: dict[str, Part] = {}
    for name, words in lists.items():
        bits = max(len(words).bit_length(), room.get(name, 0))
        parts[name] = Part(start, bits, words)
        start += bits
    if start > KEY_BITS:
        raise OverflowError(f"A cell's key would take {start} bits, and there are {KEY_BITS}.")
    return parts


# The sign is left alone.
KEY_BITS: Final = 63
# In bytes. Names of service measures have up to forty.
LONGEST_TEXT: Final = 200
PRESENT: Final = 1
_MOST: Final = 2**63 - 1
_SEVEN_WORDS: Final = {
    "source_id": SOURCE_CODES,
    "region_code": region_codes(),
    "fuel": FUELS,
    "sector": SECTORS,
    "meter_type": METER_TYPES,
    "operating_mode": OPERATING_MODES,
    "payment_mode": PAYMENT_MODES,
}
# A quarter is a number without a list of words: four times a year of at most four digits.
_WORDS: Final = {**_SEVEN_WORDS, "detail": (), "quarter": (), "measure": tuple(MEASURES)}
# A new supplier, detail or measure need not move what lies above.
_ROOM: Final = {
    "source_id": 10,
    "detail": max(6, *(len(spec.details).bit_length() for spec in MEASURES.values())),
    "quarter": (4 * (LAST_YEAR + 1)).bit_length(),
    "measure": 8,
}
_LAYOUT: Final = laid_out(PRESENT.bit_length(), _WORDS, _ROOM)
PARTS: Final[Mapping[str, Part]] = {name: _LAYOUT[name] for name in _SEVEN_WORDS}
_DETAIL: Final = _LAYOUT["detail"]
_QUARTER: Final = _LAYOUT["quarter"]
_MEASURE: Final = _LAYOUT["measure"]
_SPECS: Final = tuple(MEASURES.values())
# The word of a measure's detail, at the measure's number times 64 and the detail's plus one.
_DETAIL_WORDS: Final = tuple(
    word for spec in _SPECS for word in ("", *spec.details, *[""] * ((1 << _DETAIL.bits) - 1 - len(spec.details)))
)
SEVEN: Final = tuple(PARTS)
_SEVEN_MASK: Final = sum(part.mask for part in PARTS.values())
LOCAL: Final = ("fuel", "sector", "meter_type", "operating_mode")


def mask_of(dimensions: tuple[str, ...]) -> int:
    """The bits of the named dimensions."""
    return sum(PARTS[name].mask for name in dimensions if name in PARTS)


def keys_of(measure: str, quarters: Keys, meters: Keys, details: npt.ArrayLike = -1) -> Keys:
    """Keys of a measure's cells from quarters, packed meter dimensions and detail codes (-1: none).

    Raises OverflowError for a code that has no word.
    """
    spec = MEASURES[measure]
    if np.max(details, initial=-1) >= len(spec.details):
        raise OverflowError(f"The measure {measure} has {len(spec.details)} details, and one beyond them was given.")
    named = meters & mask_of(spec.dimensions)
    head = _MEASURE.put(_MEASURE.words.index(measure)) | _QUARTER.put(quarters)
    return head | named | _DETAIL.put(details)


class CountTooLarge(Exception):
    """A cell's value would not fit into it; the message is one sentence."""


def _may_overflow(values: Keys) -> bool:
    """Whether a sum of some of the values may be beyond what 64 bits hold."""
    return len(values) > 0 and max(int(values.max()), -int(values.min())) * len(values) > _MOST


def _require_room(keys: Iterable[int], sums: Iterable[int]) -> None:
    """Raises CountTooLarge for the first sum that is beyond 64 bits."""
    for key, total in zip(keys, sums, strict=True):
        if abs(total) > _MOST:
            at = np.array([key])
            measure, quarter = _SPECS[_MEASURE.get(at)[0]].name, quarter_text(int(_QUARTER.get(at)[0]))
            raise CountTooLarge(
                f"The {measure} of {quarter} come to {total:,}, and a cell holds {_MOST:,} at most; "
                "a record with a wrong count has to be withdrawn first."
            )


def summed(frame: pl.DataFrame) -> pl.DataFrame:
    """Cells (`text`, `key`, `value`) added up by text and key, without those that come to 0. Raises CountTooLarge."""
    if _may_overflow(frame["value"].to_numpy()):
        exact = frame.group_by("text", "key").agg(pl.col("value").cast(pl.Int128).sum())
        _require_room(exact["key"], exact["value"])
    return frame.group_by("text", "key").agg(pl.col("value").sum()).filter(pl.col("value") != 0)


def summed_by_key(keys: Keys, values: Keys) -> tuple[Keys, Keys]:
    """The distinct keys in order and the sum of the values of each, without those that come to 0.

    Raises CountTooLarge.
    """
    if not len(keys):
        return keys, values
    order = np.argsort(keys)
    ordered = keys[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    if _may_overflow(values):
        _require_room(ordered[begins].tolist(), np.add.reduceat(values[order].astype(object), begins).tolist())
    sums = np.add.reduceat(values[order], begins)
    return ordered[begins][sums != 0], sums[sums != 0]


def empty_cells() -> pl.DataFrame:
    """No cells."""
    return pl.DataFrame(schema={"text": pl.String, "key": pl.Int64, "value": pl.Int64})


def named_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """Summed cells with the columns of `ledger_cells` in words, in the same order."""
    keys = frame["key"].to_numpy()
    measures, quarters = _MEASURE.get(keys), _QUARTER.get(keys)
    oldest = int(quarters.min(initial=0xFFFF))
    codes = {name: part.get(keys) for name, part in PARTS.items()}
    codes |= {"measure": measures, "quarter": quarters - oldest}
    codes["detail"] = (measures << _DETAIL.bits) + _DETAIL.get(keys) + 1
    words = {name: part.words for name, part in PARTS.items()}
    words |= {"measure": _MEASURE.words, "detail": _DETAIL_WORDS}
    words["quarter"] = tuple(map(quarter_text, range(oldest, int(quarters.max(initial=0)) + 1)))
    # One call for all columns: a call costs more than the few cells of a small change.
    columns = {name: _in_words(name, words[name]) for name in codes}
    for name in ("region_code", "detail"):
        filled = pl.col("measure").is_in([at for at, spec in enumerate(_SPECS) if spec.text_column == name])
        columns[name] = pl.when(filled).then("text").otherwise(columns[name])
    texts = storable(frame["text"].fill_null(""))
    return pl.DataFrame({**codes, "text": texts, "value": frame["value"]}).select(
        columns.get(column.name, pl.col("value")).alias(column.name) for column in CELL_COLUMNS
    )


def _in_words(name: str, words: tuple[str, ...]) -> pl.Expr:
    """The words of a column of codes; no word for -1."""
    code = pl.col(name)
    place = pl.when(code < 0).then(len(words)).otherwise(code)
    return pl.lit(pl.Series([*words, ""], dtype=pl.String)).gather(place)


def storable(texts: pl.Series) -> pl.Series:
    """Free texts as any store can hold them in a key: one that is too long or has a NUL is named by its digest."""
    odd = (texts.str.len_bytes() > LONGEST_TEXT) | texts.str.contains("\0", literal=True)
    if not odd.any():
        return texts
    digests = [f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for text in texts.filter(odd)]
    return texts.scatter(odd.arg_true(), pl.Series(digests, dtype=pl.String))
