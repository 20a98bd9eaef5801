"""What the recount passes around: an event, a cell, and what came out in the end."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

ENVELOPE = (
    "event_id",
    "action",
    "corrects",
    "source_id",
    "fuel",
    "meter_point_id",
    "effective_at",
    "reported_at",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One record as it was sent: its owner, its name, its envelope and its further fields.

    Times are milliseconds since 1970 in UTC; days among the further fields are ISO dates. `received_at` is None
    where the container does not say when it came.
    """

    owner: str
    record: str
    event_id: str
    action: str
    corrects: str | None
    source_id: str
    fuel: str
    meter_point_id: str
    effective_at: int
    reported_at: int
    details: Mapping[str, Any]
    received_at: int | None = None

    @property
    def is_correction(self) -> bool:
        """Whether the event amends or withdraws another."""
        return self.action in {"AMEND", "VOID"}

    def content(self) -> str:
        """The record name and every field but the meter point, as canonical JSON."""
        fields = {name: getattr(self, name) for name in ENVELOPE if name != "meter_point_id"}
        return json.dumps({**fields, **self.details, "record": self.record}, sort_keys=True, separators=(",", ":"))


class Cell(NamedTuple):
    """The ten dimensions of a cell; the empty string where the measure has no such dimension."""

    measure: str
    quarter: str
    source_id: str = ""
    region_code: str = ""
    fuel: str = ""
    sector: str = ""
    meter_type: str = ""
    operating_mode: str = ""
    payment_mode: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """Records that could not be read; `records` is None where the block's header does not say how many."""

    owner: str
    record: str
    reason: str
    records: int | None
    received_at: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a recount.

    `cells` holds no zero. `intake` is by (owner, status) and holds all six statuses of every owner that sent
    something. `rejected` is by (owner, record name, reason codes sorted and joined by a semicolon). `unknown`
    counts, by owner, the unreadable stretches of which nobody can say how many records they held.
    """

    cells: dict[tuple[str, ...], int]
    intake: dict[tuple[str, str], int]
    rejected: Counter[tuple[str, str, str]]
    unknown: Counter[str]


def milliseconds(value: datetime | int) -> int:
    """Milliseconds since 1970 in UTC of an aware time."""
    if isinstance(value, int):
        return value
    seconds = value.timestamp()
    return int(seconds // 1) * 1000 + value.microsecond // 1000


def sent(fields: Mapping[str, Any], owner: str | None = None, received_at: int | None = None) -> Event:
    """The event of a mapping of all fields plus `record`; the owner is its source unless another is named."""
    values = dict(fields)
    record = values.pop("record")
    envelope = {name: values.pop(name) for name in ENVELOPE}
    envelope["effective_at"] = milliseconds(envelope["effective_at"])
    envelope["reported_at"] = milliseconds(envelope["reported_at"])
    details = {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
    sender = envelope["source_id"] if owner is None else owner
    return Event(owner=sender, record=record, details=details, received_at=received_at, **envelope)
