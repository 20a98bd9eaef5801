"""A cell's dimensions packed into one 64-bit number, so that counting is a sum over numbers.

The low bits are the packed state of a meter in place (`history/state.py`); above them are the measure's detail, the
quarter and the measure. Value 0 of a dimension is "not named". Flink's state holds keys, so a stream resumes from a
savepoint only with the code that wrote it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.events.calendar import LAST_YEAR
from pipelines.history.state import PARTS, STATE_BITS, laid_out
from pipelines.quarterly.measures import MEASURES
from schemas.quarters import quarter_of_year, quarter_text
from schemas.tables import CELL_COLUMNS

Keys = npt.NDArray[np.int64]

# In bytes. Names of service measures have up to forty.
LONGEST_TEXT: Final = 200
_MOST: Final = 2**63 - 1
# A quarter is a number without a list of words: four for each year, of at most four digits.
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {"detail": (), "quarter": (), "measure": tuple(MEASURES)}
# Room for new details and measures, so that they do not move the parts above.
_ROOM: Final = {
    "detail": max(6, *(len(spec.details).bit_length() for spec in MEASURES.values())),
    "quarter": quarter_of_year(LAST_YEAR + 1, 1).bit_length(),
    "measure": 8,
}
_LAYOUT: Final = laid_out(STATE_BITS, _WORDS, _ROOM)
_DETAIL: Final = _LAYOUT["detail"]
_QUARTER: Final = _LAYOUT["quarter"]
_MEASURE: Final = _LAYOUT["measure"]
_SPECS: Final = tuple(MEASURES.values())
# The words of all details; each measure has a run of 2**bits, with the word of detail n at n + 1.
_DETAIL_WORDS: Final = tuple(
    word for spec in _SPECS for word in ("", *spec.details, *[""] * ((1 << _DETAIL.bits) - 1 - len(spec.details)))
)
SEVEN: Final = tuple(PARTS)
_SEVEN_MASK: Final = sum(part.mask for part in PARTS.values())
LOCAL: Final = ("fuel", "sector", "meter_type", "operating_mode")


def mask_of(dimensions: tuple[str, ...]) -> int:
    """Returns the mask of the named dimensions."""
    return sum(PARTS[name].mask for name in dimensions if name in PARTS)


def keys_of(measure: str, quarters: Keys, meters: Keys, details: npt.ArrayLike = -1) -> Keys:
    """Returns keys of a measure's cells from quarters, packed meter dimensions and detail codes (-1: none).

    Raises OverflowError for a code that has no word.
    """
    spec = MEASURES[measure]
    if np.max(details, initial=-1) >= len(spec.details):
        raise OverflowError(f"The measure {measure} has {len(spec.details)} details, and one beyond them was given.")
    named = meters & mask_of(spec.dimensions)
    head = _MEASURE.put(_MEASURE.words.index(measure)) | _QUARTER.put(quarters)
    return head | named | _DETAIL.put(details)


class CountTooLarge(Exception):
    """A cell's value does not fit into 64 bits; the message is one sentence."""


def _may_overflow(values: Keys) -> bool:
    """Whether a sum of some of the values may exceed 64 bits."""
    return len(values) > 0 and max(int(values.max()), -int(values.min())) * len(values) > _MOST


def _require_room(keys: Iterable[int], sums: Iterable[int]) -> None:
    """Raises CountTooLarge for the first sum that exceeds 64 bits."""
    for key, total in zip(keys, sums, strict=True):
        if abs(total) > _MOST:
            at = np.array([key])
            measure, quarter = _SPECS[_MEASURE.get(at)[0]].name, quarter_text(int(_QUARTER.get(at)[0]))
            raise CountTooLarge(
                f"The {measure} of {quarter} come to {total:,}, and a cell holds {_MOST:,} at most; "
                "a record with a wrong count has to be withdrawn first."
            )


def summed(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns cells (`text`, `key`, `value`) added up by text and key, zeros removed. Raises CountTooLarge."""
    if _may_overflow(frame["value"].to_numpy()):
        exact = frame.group_by("text", "key").agg(pl.col("value").cast(pl.Int128).sum())
        _require_room(exact["key"], exact["value"])
    return frame.group_by("text", "key").agg(pl.col("value").sum()).filter(pl.col("value") != 0)


def summed_by_key(keys: Keys, values: Keys) -> tuple[Keys, Keys]:
    """Returns the distinct keys in order and the sum of the values of each, zeros removed.

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
    """Returns a frame of cells without rows."""
    return pl.DataFrame(schema={"text": pl.String, "key": pl.Int64, "value": pl.Int64})


def named_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns summed cells in the columns of `ledger_cells`, codes as words, in the same order."""
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
    """Returns a column of codes as words, empty for -1."""
    code = pl.col(name)
    place = pl.when(code < 0).then(len(words)).otherwise(code)
    return pl.lit(pl.Series([*words, ""], dtype=pl.String)).gather(place)


def storable(texts: pl.Series) -> pl.Series:
    """Returns free texts as any store can hold them in a key: a digest for one that is too long or has a NUL."""
    odd = (texts.str.len_bytes() > LONGEST_TEXT) | texts.str.contains("\0", literal=True)
    if not odd.any():
        return texts
    digests = [f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for text in texts.filter(odd)]
    return texts.scatter(odd.arg_true(), pl.Series(digests, dtype=pl.String))
