"""Events as they pile up: columns of numbers by record, in the order of the contract's fields.

Texts are kept as places in lists (sources, regions, areas, meter points), devices and cases as 64-bit numbers; the texts
are made when the events are written. A place of NONE is null.
"""

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
_WIDE: Final = {
    "meter_point_id": pl.Int32,
    "effective_at": pl.Int64,
    "reported_at": pl.Int64,
    "device_id": pl.UInt64,
    "hub_id": pl.UInt64,
    "appointment_id": pl.UInt64,
    "case_id": pl.UInt64,
    "duration_seconds": pl.Int32,
    "upfront_charge_pence": pl.Int32,
    "requested_on": pl.Int32,
    "offered_on": pl.Int32,
    "day": pl.Int32,
    "meters": pl.Int64,
    "numerator": pl.Int64,
    "denominator": pl.Int64,
    "quarter": pl.Int16,
    "local_authority_code": pl.Int16,
}


def fields_of(record: str) -> tuple[str, ...]:
    """The fields of a record that a batch gives: all but `event_id`, `action` and `corrects`."""
    return current()[record].field_names[3:]


def frame_schema(record: str) -> dict[str, Any]:
    """The columns of a record's frame and their types; what is not listed is a small code."""
    return {name: _WIDE.get(name, pl.Int8) for name in fields_of(record)}


@dataclass(slots=True)
class Recorder:
    """Takes batches of events and gives them back as one frame a record.

    `last_ms` is the last instant: what takes effect later is left out, what is reported later is reported then.
    """

    last_ms: int
    batches: dict[str, list[pl.DataFrame]] = field(default_factory=lambda: {record: [] for record in RECORDS})
    events: int = 0

    def add(self, record: str, **columns: npt.ArrayLike) -> None:
        """Takes a batch: a column for each of the record's fields, the longest of them or one value for all."""
        length = max(np.size(column) for column in columns.values())
        if not length or not all(np.size(column) for column in columns.values()):
            return
        schema = frame_schema(record)
        if columns.keys() != schema.keys():
            raise ValueError(f"{record} wants the columns {', '.join(schema)}.")
        series = [
            pl.Series(name, np.broadcast_to(np.asarray(columns[name]), length).copy()).cast(kind)
            for name, kind in schema.items()
        ]
        frame = pl.DataFrame(series)
        if int(frame["effective_at"].max() or 0) > self.last_ms:  # pyright: ignore[reportArgumentType]
            frame = frame.filter(pl.col("effective_at") <= self.last_ms)
        if int(frame["reported_at"].max() or 0) > self.last_ms:  # pyright: ignore[reportArgumentType]
            frame = frame.with_columns(pl.col("reported_at").clip(upper_bound=self.last_ms))
        self.batches[record].append(frame)
        self.events += frame.height

    def take(self) -> dict[str, pl.DataFrame]:
        """Everything taken so far by record, in the order in which it came; the recorder is empty afterwards."""
        frames = {record: pl.concat(batches) for record, batches in self.batches.items() if batches}
        self.batches = {record: [] for record in RECORDS}
        self.events = 0
        return frames
