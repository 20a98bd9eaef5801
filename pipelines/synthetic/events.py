"""Collects events: columns of numbers by record, in the order of the contract's fields.

Texts are kept as places in lists (sources, regions, areas, meter points), devices and cases as 64-bit numbers; the
texts are made when the events are written. The place NONE means null.
"""

import functools
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.codes import RECORDS
from schemas.registry import current

Array = npt.NDArray[Any]

NONE: Final = -1
NO_METER_POINT: Final = -1
ENVELOPE: Final = ("source_id", "fuel", "meter_point_id", "effective_at", "reported_at")
_WIDE: Final[dict[str, type[np.generic]]] = {
    "meter_point_id": np.int32,
    "effective_at": np.int64,
    "reported_at": np.int64,
    "device_id": np.uint64,
    "hub_id": np.uint64,
    "appointment_id": np.uint64,
    "case_id": np.uint64,
    "duration_seconds": np.int32,
    "upfront_charge_pence": np.int32,
    "requested_on": np.int32,
    "offered_on": np.int32,
    "day": np.int32,
    "meters": np.int64,
    "numerator": np.int64,
    "denominator": np.int64,
    "quarter": np.int16,
    "local_authority_code": np.int16,
}


def fields_of(record: str) -> tuple[str, ...]:
    """Returns the fields of a record that a batch has: all but `event_id`, `action` and `corrects`."""
    return current()[record].field_names[3:]


@functools.cache
def column_types(record: str) -> dict[str, type[np.generic]]:
    """Returns the columns of a record's frame and their types: int8 codes unless listed in `_WIDE`."""
    return {name: _WIDE.get(name, np.int8) for name in fields_of(record)}


@dataclass(slots=True)
class Recorder:
    """Collects batches of events and returns them as one frame for each record.

    `last_ms` is the last instant: events that take effect later are dropped, later reporting times are set to it.
    """

    last_ms: int
    batches: dict[str, list[list[Array]]] = field(default_factory=lambda: {record: [] for record in RECORDS})
    events: int = 0

    def add(self, record: str, **columns: npt.ArrayLike) -> None:
        """Adds a batch: a column for each of the record's fields, arrays of one length or one value for all rows.

        Raises ValueError for other columns.
        """
        types = column_types(record)
        if columns.keys() != types.keys():
            raise ValueError(f"{record} wants the columns {', '.join(types)}.")
        length = np.size(columns["reported_at"])
        if length:
            arrays = [_column(columns[name], length, kind) for name, kind in types.items()]
            self._keep(record, arrays, list(types))

    def _keep(self, record: str, arrays: list[Array], names: list[str]) -> None:
        effective, reported = names.index("effective_at"), names.index("reported_at")
        if arrays[effective].max() > self.last_ms:
            within = arrays[effective] <= self.last_ms
            arrays = [array[within] for array in arrays]
        arrays[reported] = np.minimum(arrays[reported], self.last_ms)
        self.batches[record].append(arrays)
        self.events += len(arrays[effective])

    def take(self) -> dict[str, pl.DataFrame]:
        """Returns all events so far by record, in the order in which they were added, and empties the recorder."""
        frames = {}
        for record, batches in self.batches.items():
            columns = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
            if columns and len(columns[0]):
                frames[record] = pl.DataFrame(dict(zip(fields_of(record), columns, strict=True)))
            batches.clear()
        self.events = 0
        return frames


def _column(values: npt.ArrayLike, length: int, kind: type[np.generic]) -> Array:
    if np.ndim(values) == 0:
        return np.full(length, values, dtype=kind)
    return np.asarray(values).astype(kind, copy=False)
