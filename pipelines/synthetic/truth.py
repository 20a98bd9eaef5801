"""The truth: true counts at each quarter's end and in each quarter, from the meters themselves and not from events."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.synthetic.changes import Fitted
from pipelines.synthetic.state import SOURCES, Array, Ints, Meters
from pipelines.synthetic.targets import fuel_of, sector_of
from schemas.codes import FUELS, INSTALL_REASONS, METER_TYPES, OPERATING_MODES, PAYMENT_MODES, SECTORS
from schemas.geography import region_codes
from schemas.quarters import quarter_text

DIMENSIONS: Final = {
    "source_id": SOURCES,
    "region_code": region_codes(),
    "fuel": FUELS,
    "sector": SECTORS,
    "meter_type": METER_TYPES,
    "operating_mode": OPERATING_MODES,
    "payment_mode": PAYMENT_MODES,
}
_SIZES: Final = tuple(len(words) for words in DIMENSIONS.values())
_WITH_REASON: Final = (*_SIZES, len(INSTALL_REASONS))


def keys_of(meters: Meters, places: Ints, now: tuple[Array, Array, Array, Array]) -> npt.NDArray[np.int32]:
    """Returns each meter's cell as one number; `now` is supplier, type, mode and payment."""
    supplier, kind, mode, payment = now
    segment = meters.segment[places]
    parts = (supplier, meters.region[places], fuel_of(segment), sector_of(segment), kind, mode, payment)
    keys = np.zeros(len(places), dtype=np.int32)
    for size, part in zip(_SIZES, parts, strict=True):
        keys *= size
        keys += part
    return keys


def _counted(keys: npt.NDArray[np.int32]) -> tuple[Ints, Ints]:
    counts = np.bincount(keys)
    found = np.flatnonzero(counts)
    return found, counts[found]


@dataclass(slots=True)
class Truth:
    """Counts by quarter, each a pair of keys and values: `stock` at the quarter's end, `installations` in it."""

    stock: dict[int, tuple[Ints, Ints]] = field(default_factory=dict)
    installations: dict[int, tuple[Ints, Ints]] = field(default_factory=dict)

    def close(self, quarter: int, meters: Meters) -> None:
        """Counts the meters in place at a quarter's end."""
        places = np.flatnonzero(meters.present)
        now = (meters.supplier[places], meters.kind[places], meters.mode[places], meters.payment[places])
        self.stock[quarter] = _counted(keys_of(meters, places, now))

    def fit(self, quarter: int, meters: Meters, batch: Fitted) -> None:
        """Counts a quarter's installations by cell and reason."""
        keys = keys_of(meters, batch.meter, (batch.supplier, batch.kind, batch.mode, batch.payment))
        self.installations[quarter] = _counted(keys * len(INSTALL_REASONS) + batch.reason)

    def cells(self) -> pl.DataFrame:
        """Returns the measures `meters` (as changes of the stock) and `installations` as cells, zeros removed."""
        changes = {q: _difference(self.stock.get(q - 1), counted) for q, counted in self.stock.items()}
        return pl.concat([_named("meters", changes, _SIZES), _named("installations", self.installations, _WITH_REASON)])


def _difference(before: tuple[Ints, Ints] | None, after: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    if before is None:
        return after
    keys, where = np.unique(np.concatenate([before[0], after[0]]), return_inverse=True)
    values = np.bincount(where, weights=np.concatenate([-before[1], after[1]]), minlength=len(keys)).astype(np.int64)
    return keys[values != 0], values[values != 0]


def _words(texts: Iterable[str], places: Ints) -> pl.Series:
    return pl.Series(list(texts), dtype=pl.String).gather(places)


def _named(measure: str, counted: dict[int, tuple[Ints, Ints]], sizes: tuple[int, ...]) -> pl.DataFrame:
    codes = np.unravel_index(np.concatenate([keys for keys, _ in counted.values()]), sizes)
    words = {name: _words(texts, codes[place]) for place, (name, texts) in enumerate(DIMENSIONS.items())}
    quarters = np.repeat(np.arange(len(counted)), [len(keys) for keys, _ in counted.values()])
    return pl.DataFrame(words).with_columns(
        measure=pl.lit(measure),
        quarter=_words(map(quarter_text, counted), quarters),
        detail=_words(INSTALL_REASONS, codes[7]) if sizes is _WITH_REASON else pl.lit(""),
        value=np.concatenate([values for _, values in counted.values()]),
    )
