"""Events of the builders as columns, the way a run makes them, and counts as plain mappings, as the oracle has them."""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import fastavro
import polars as pl

from pipelines.events import columns, quarantine
from pipelines.events.block import Block, Origin
from pipelines.fold import Counted, fold
from pipelines.history.copies import empty_history, with_copies
from pipelines.keys import Key, key_from_text
from pipelines.quarterly.cellkeys import named_cells
from pipelines.source.decode import decode
from pipelines.source.files import find_files, plan
from pipelines.source.reading import read
from pipelines.source.salvage import Body
from pipelines.validation.validate import identify
from schemas.registry import current, parsed
from schemas.tables import CELL_KEY
from tests.builders import Event
from tests.oracle.cells import MEASURE_NAMES
from tests.oracle.event import Outcome, sent
from tests.oracle.plain import count

KEY = key_from_text("a key for tests")


def body(events: Iterable[Event]) -> Body:
    """Events of one record as the plain bytes of an Avro block."""
    listed, stream = list(events), io.BytesIO()
    for event in listed:
        fields = {name: value for name, value in event.items() if name != "record"}
        fastavro.schemaless_writer(stream, parsed(event["record"]), fields)
    return Body(stream.getvalue(), len(listed))


def block(events: Iterable[Event], owner: str | None = None) -> Block:
    """Events of one record as one block, in the folder of an owner or of the first event's source."""
    listed = list(events)
    record = listed[0]["record"]
    frame = decode([body(listed)], current()[record]).frame.with_columns(
        origin=pl.lit(0, pl.UInt32), row=pl.int_range(pl.len())
    )
    name = owner or listed[0]["source_id"]
    return Block(record, frame, (Origin(f"{name}/{record}.avro", name),))


def identified(events: Iterable[Event], key: Key = KEY) -> pl.DataFrame:
    """Events that need no validation as one event frame, in their order."""
    piles: dict[str, list[tuple[int, Event]]] = defaultdict(list)
    for place, event in enumerate(events):
        piles[event["record"]].append((place, event))
    frames = [identify([block(event for _, event in pile)], key).events for pile in piles.values()]
    order = [place for pile in piles.values() for place, _ in pile]
    together = pl.concat([columns.empty_events(), *frames])
    return together[pl.Series(order, dtype=pl.UInt32).arg_sort()]


def identified_in(folder: Path, key: Key = KEY) -> pl.DataFrame:
    """All events of the files under a folder as one event frame, without validation."""
    packets = plan(find_files([folder])).packets
    return pl.concat([columns.empty_events(), *(identify([read(packet).block], key).events for packet in packets)])


def counted(events: Iterable[Event]) -> Counted:
    """What events amount to."""
    return fold(empty_history(), with_copies(identified(events))).deltas


def by_oracle(events: Iterable[Event]) -> Outcome:
    """The plain recount of events, each in its own source's folder."""
    return count([sent(event) for event in events])


def cells(found: Counted) -> dict[tuple[str, ...], int]:
    """Cells by their ten dimensions, of the measures that the oracle knows."""
    return cells_by_key(named_cells(found.cells))


def cells_by_key(frame: pl.DataFrame) -> dict[tuple[str, ...], int]:
    """A frame of cells as a mapping, of the measures that the oracle knows."""
    known = frame.filter(pl.col("measure").is_in(sorted(MEASURE_NAMES)))
    found = {row[:-1]: row[-1] for row in known.select(*CELL_KEY, "value").iter_rows()}
    assert len(found) == known.height
    return found


def intake(found: Counted) -> dict[tuple[str, str], int]:
    """Records by source and status, without 0."""
    rows = found.intake.select("source", "status", "records").iter_rows()
    return {(columns.SOURCE_CODES[source], status): records for source, status, records in rows}


def rejections(found: Counted) -> Counter[tuple[str, str, str]]:
    """Records that the history rules reject, by source, record and reason."""
    return by_reason(quarantine.of_rejections(found.rejections))


def by_reason(rows: pl.DataFrame) -> Counter[tuple[str, str, str]]:
    """Quarantined records by owner, record and reason codes."""
    total: Counter[tuple[str, str, str]] = Counter()
    for owner, record, reason, records in rows.select("owner", "record_type", "reason_code", "rows").iter_rows():
        total[owner, record, reason] += records
    return total


def differences(found: Counted, outcome: Outcome) -> list[str]:
    """One line for each cell, intake or rejection in which counts differ from the oracle's; none where they agree."""
    kept = {key: value for key, value in outcome.intake.items() if value and key[1] != "received"}
    return [
        *unequal("cell", cells(found), outcome.cells),
        *unequal("intake", intake(found), kept),
        *unequal("rejected", rejections(found), outcome.rejected),
    ]


def unequal(what: str, ours: Mapping[Any, int], theirs: Mapping[Any, int]) -> list[str]:
    """One line for each key under which two counts differ, sorted."""
    return [
        f"{what} {','.join(key)}: {ours.get(key, 0)}, by the oracle {theirs.get(key, 0)}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key, 0) != theirs.get(key, 0)
    ]
