"""Absolute totals, one set for each source: signed changes come in as shares, due rows go out as portions.

A totals key is a source's id, or the empty string for cells that belong to no source. Changes of one fold reach
several keys; each key gets a share, even an empty one, so that after a restart every key whose rows in the store may
be stale is written again (see docs/streaming.md, "What a restart may leave").
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.events import quarantine
from pipelines.events.columns import SOURCE_CODES
from pipelines.events.outcome import INTAKE_TYPES, Outcome
from pipelines.fold import Counted
from pipelines.history.state import PARTS
from pipelines.log.topics import owner_of
from pipelines.quarterly.cellkeys import empty_cells, named_cells
from pipelines.store.live import Portion
from pipelines.stream.dealing import key_of_totals
from schemas.codes import RECORDS

NO_SOURCE: Final = ""
K = TypeVar("K")
Ints = npt.NDArray[np.int64]
# Owner, record type, reason codes, provenance and number of rows of rejected records (quarantine.ROW_TYPES).
QuarantineRow = tuple[str, str, str, str, int]


@dataclass(frozen=True, slots=True)
class Share:
    """Signed changes of one totals key: cells (with the text of each, if any), intake by status, rejections.

    `rejections` are record type, reason and number by history rules; `quarantined` are rows rejected by validation.
    `wait` is how many seconds the change may wait to be written, 0 if its events have only just arrived. `read` are
    partitions of the source's topic, each with the newest offset whose records are in the share.
    """

    keys: Ints
    values: Ints
    texts: tuple[str | None, ...] | None = None
    intake: tuple[tuple[str, int], ...] = ()
    rejections: tuple[tuple[str, str, int], ...] = ()
    quarantined: tuple[QuarantineRow, ...] = ()
    wait: float = 0.0
    read: tuple[tuple[int, int], ...] = ()


_NOTHING: Final = np.empty(0, dtype=np.int64)


def shares_of_fold(counted: Counted, named: Iterable[int], wait: float) -> dict[str, Share]:
    """Returns the shares of a fold's changes; `named` are the codes of all sources in the touched meters' events."""
    sources = PARTS["source_id"].get(counted.cells["key"].to_numpy())
    words = np.array([*SOURCE_CODES, NO_SOURCE])[sources]
    cells = _by_source(counted.cells.with_columns(totals_key=pl.Series(words, dtype=pl.String)))
    intake = _by_source(_with_source(counted.intake).select("totals_key", "status", "records"))
    record = pl.Series(RECORDS, dtype=pl.String).gather(counted.rejections["record"])
    rejections = _by_source(
        _with_source(counted.rejections).select("totals_key", record.alias("record_type"), "reason", "records")
    )
    wanted = {SOURCE_CODES[code] for code in named} | {NO_SOURCE} | cells.keys() | intake.keys() | rejections.keys()
    return {
        key: Share(
            *_columns_of(cells.get(key, empty_cells())),
            tuple(intake[key].iter_rows()) if key in intake else (),
            tuple(rejections[key].iter_rows()) if key in rejections else (),
            wait=wait,
        )
        for key in wanted
    }


def _with_source(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(totals_key=pl.Series(SOURCE_CODES, dtype=pl.String).gather(frame["source"]))


def _by_source(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    parts = frame.partition_by("totals_key", as_dict=True, include_key=False)
    return {str(key): part for (key,), part in parts.items()}


def _columns_of(cells: pl.DataFrame) -> tuple[Ints, Ints, tuple[str | None, ...] | None]:
    texts = None if cells["text"].null_count() == cells.height else tuple(cells["text"].to_list())
    return cells["key"].to_numpy(), cells["value"].to_numpy(), texts


def shares_of_outcome(outcome: Outcome, wait: float) -> dict[str, Share]:
    """Returns the shares of a validation's outcome, one for each owner."""
    intake = outcome.intake.partition_by("owner", as_dict=True, include_key=False)
    rows = outcome.quarantined.partition_by("owner", as_dict=True)
    return {
        str(owner): Share(
            _NOTHING,
            _NOTHING,
            intake=tuple(counts.iter_rows()),
            quarantined=tuple(rows[owner,].iter_rows()) if (owner,) in rows else (),
            wait=wait,
        )
        for (owner,), counts in intake.items()
    }


def with_offsets(shares: Mapping[str, Share], newest: Mapping[tuple[str, int], int], wait: float) -> dict[str, Share]:
    """Adds the newest offset of each topic and partition to the shares; an owner without a share gets an empty one."""
    read: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (topic, partition), offset in newest.items():
        read[owner_of(topic)].append((partition, offset))
    none = Share(_NOTHING, _NOTHING, wait=wait)
    return {**shares, **{owner: replace(shares.get(owner, none), read=tuple(at)) for owner, at in read.items()}}


def dealt(shares: Mapping[str, Share]) -> dict[int, dict[str, Share]]:
    """Groups shares by the key under which their sources' totals are kept."""
    by_key: dict[int, dict[str, Share]] = defaultdict(dict)
    for source, share in shares.items():
        by_key[key_of_totals(source)][source] = share
    return by_key


@dataclass(frozen=True, slots=True)
class Due:
    """Totals of one key that have to be written.

    `cells` are by text and key, `intake` by status, `rejections` by record type and reason.
    """

    key: str
    fence: int | None
    cells: Mapping[tuple[str | None, int], int]
    intake: Mapping[str, int]
    rejections: Mapping[tuple[str, str], int]


def portions_of(due: Sequence[Due], turned_away: Mapping[str, Sequence[QuarantineRow]]) -> list[Portion]:
    """Returns the due totals as portions for the store, with each key's rows rejected by validation."""
    # The cells of all keys are named in one call, which costs more than the few cells of one key.
    cells = _named([cell for one in due for cell in one.cells.items()])
    ends = accumulate(len(one.cells) for one in due)
    return [
        Portion(
            one.key,
            one.fence,
            cells.slice(end - len(one.cells), len(one.cells)),
            _intake(one.key, one.intake),
            _quarantine([(one.key, record, reason, "", n) for (record, reason), n in one.rejections.items()]),
            _quarantine(turned_away.get(one.key, ())),
        )
        for one, end in zip(due, ends, strict=True)
    ]


@dataclass(slots=True)
class Totals:
    """The sum of all shares of one source, and which of its parts have changed since they were last written.

    `fence` is the number under which they are written, None until the first write since they were loaded. `read` is the
    newest offset of each partition whose records are in them.
    """

    key: str
    fence: int | None = None
    read: dict[int, int] = field(default_factory=dict)
    _cells: dict[tuple[str | None, int], int] = field(default_factory=dict)
    _intake: dict[str, int] = field(default_factory=dict)
    _rejections: dict[tuple[str, str], int] = field(default_factory=dict)
    _changed: set[tuple[str | None, int]] = field(default_factory=set)
    _changed_intake: set[str] = field(default_factory=set)
    _changed_rejections: set[tuple[str, str]] = field(default_factory=set)
    _told: dict[tuple[str, str], int] = field(default_factory=dict)
    _reads_on: bool = False

    def add(self, share: Share) -> None:
        """Adds a share to the totals."""
        texts = share.texts or (None,) * len(share.keys)
        cells = zip(texts, share.keys.tolist(), strict=True)
        self._changed.update(_added(self._cells, zip(cells, share.values.tolist(), strict=True)))
        self._changed_intake.update(_added(self._intake, share.intake))
        rejected = (((record, reason), records) for record, reason, records in share.rejections)
        self._changed_rejections.update(_added(self._rejections, rejected))
        self.read.update(share.read)
        self._reads_on = self._reads_on or bool(share.read)

    def as_share(self) -> Share:
        """Returns all of the totals as one share."""
        texts = tuple(text for text, _ in self._cells)
        return Share(
            np.array([key for _, key in self._cells], dtype=np.int64),
            np.array(list(self._cells.values()), dtype=np.int64),
            texts if any(text is not None for text in texts) else None,
            tuple(self._intake.items()),
            tuple((*names, records) for names, records in self._rejections.items()),
            read=tuple(self.read.items()),
        )

    def forget_changes(self) -> None:
        """Notes that all changes so far are written."""
        self._told.update((at, self._rejections.get(at, 0)) for at in self._changed_rejections)
        self._changed, self._changed_intake, self._changed_rejections = set(), set(), set()
        self._reads_on = False

    @property
    def may_be_stale(self) -> bool:
        """Whether the store may differ from the totals."""
        changed = self._changed or self._changed_intake or self._changed_rejections
        return self.fence is None or bool(changed) or self._reads_on

    def due(self, *, totals: bool) -> "Due":
        """Returns what has to be written: changes (if `totals`), or everything if there is no fencing number."""
        if self.fence is None:
            return Due(self.key, self.fence, self._cells, self._intake, self._rejections)
        if not totals:
            return Due(self.key, self.fence, {}, {}, {})
        return Due(
            self.key,
            self.fence,
            {at: self._cells.get(at, 0) for at in self._changed},
            {at: self._intake.get(at, 0) for at in self._changed_intake},
            {at: self._rejections.get(at, 0) for at in self._changed_rejections},
        )

    def told(self, record: str, reason: str) -> int:
        """Returns how many records of a type the history rules rejected for a reason at the last write."""
        return self._told.get((record, reason), 0)


def _added(totals: dict[K, int], changes: Iterable[tuple[K, int]]) -> list[K]:
    """Adds changes to totals, removes those that become 0, and returns the keys of the changes."""
    named = []
    for key, change in changes:
        total = totals.get(key, 0) + change
        if total:
            totals[key] = total
        else:
            totals.pop(key, None)
        named.append(key)
    return named


def _named(cells: Sequence[tuple[tuple[str | None, int], int]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "text": pl.Series([text for (text, _), _ in cells], dtype=pl.String),
            "key": pl.Series([key for (_, key), _ in cells], dtype=pl.Int64),
            "value": pl.Series([value for _, value in cells], dtype=pl.Int64),
        }
    )
    return named_cells(frame)


def _intake(key: str, intake: Mapping[str, int]) -> pl.DataFrame:
    columns = {"owner": [key] * len(intake), "status": list(intake), "records": list(intake.values())}
    return pl.DataFrame(columns, schema=INTAKE_TYPES)


def _quarantine(rows: Sequence[QuarantineRow]) -> pl.DataFrame:
    if not rows:
        return _NONE_TURNED_AWAY
    return quarantine.with_sentences(pl.DataFrame(list(rows), schema=quarantine.ROW_TYPES, orient="row"))


_NONE_TURNED_AWAY: Final = quarantine.with_sentences(pl.DataFrame(schema=quarantine.ROW_TYPES))
