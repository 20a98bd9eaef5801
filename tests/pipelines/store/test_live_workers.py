"""Two workers of one stream write, start again and overtake each other; plain dictionaries say what must stand."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.store import Fenced, Store
from tests.pipelines.store.runs import Cell, cells, intake, quarantine, run
from tests.pipelines.store.streams import ACME, BOLT, NO_SOURCE, SENTENCE, begun, by_key, portion, provenances

Totals = dict[tuple[str, ...], int]
Says = dict[str, dict[str, int]]

KEYS = (ACME, BOLT, NO_SOURCE)
NAMES = {"cells": ("a", "b", "c"), "intake": ("received", "pending"), "rejected": ("R", "S")}
NUMBERS = count()
BASELINE: dict[str, Totals] = {
    "cells": {(ACME, "a"): 3, (BOLT, "b"): -2, (NO_SOURCE, "c"): 1},
    "intake": {(ACME, "received"): 5, (BOLT, "pending"): 1},
    "rejected": {(ACME, "R"): 2},
}


@dataclass(frozen=True, slots=True)
class Step:
    """One worker writes what it says of each of its keys, after a start of its own or without."""

    worker: int
    starts: bool
    says: dict[str, Says]
    offsets: frozenset[int]


@dataclass(slots=True)
class Oracle:
    """What stands, by table, key and name; the newest number of each key; and the numbers that each worker holds."""

    stands: dict[str, Totals] = field(default_factory=lambda: {table: {} for table in NAMES})
    newest: Counter[str] = field(default_factory=Counter)
    held: tuple[dict[str, int], dict[str, int]] = field(default_factory=lambda: ({}, {}))
    kept: set[tuple[str, int]] = field(default_factory=set)

    def refuses(self, step: Step) -> bool:
        """Whether another worker has begun with one of the keys since."""
        held = self.held[step.worker]
        return any(held.get(key, self.newest[key]) != self.newest[key] for key in step.says)

    def take(self, step: Step) -> None:
        """A worker's first write leaves what it says alone; a later one changes what it names."""
        held = self.held[step.worker]
        for key, says in step.says.items():
            first = key not in held
            self.newest[key] += first
            held[key] = self.newest[key]
            for table, named in says.items():
                others = {at: number for at, number in self.stands[table].items() if not (first and at[0] == key)}
                self.stands[table] = others | {(key, name): number for name, number in named.items()}
            self.kept |= {(key, offset) for offset in step.offsets}

    def standing(self, table: str) -> Totals:
        """Baseline and stream added, without what comes to 0."""
        added = Counter(BASELINE[table])
        for at, number in self.stands[table].items():
            added[at] += number
        return {at: number for at, number in added.items() if number}


says = st.fixed_dictionaries(
    {table: st.dictionaries(st.sampled_from(names), st.integers(-3, 3), max_size=3) for table, names in NAMES.items()}
)
steps = st.builds(
    Step,
    worker=st.integers(0, 1),
    starts=st.integers(0, 4).map(lambda number: number == 0),
    says=st.dictionaries(st.sampled_from(KEYS), says, min_size=1),
    offsets=st.frozensets(st.integers(0, 5), max_size=2),
)


def with_baseline(store: Store) -> None:
    counted = [Cell(number, source_id=key, detail=name) for (key, name), number in BASELINE["cells"].items()]
    received = [(key, status, number) for (key, status), number in BASELINE["intake"].items()]
    rejected = [(key, "MeterInstalled", why, SENTENCE, "", rows) for (key, why), rows in BASELINE["rejected"].items()]
    store.write_run(run("base"), cells(*counted), intake(*received), quarantine(*rejected))


def write(store: Store, run_id: str, step: Step, held: dict[str, int]) -> dict[str, int]:
    portions = [
        portion(
            key,
            held.get(key),
            tuple(Cell(number, detail=name) for name, number in named["cells"].items()),
            named["intake"],
            named["rejected"],
            {f"supplier.{key}/0/{offset}": "NO" for offset in step.offsets},
        )
        for key, named in step.says.items()
    ]
    return store.write_portions(run_id, portions)


def take(store: Store, run_id: str, oracle: Oracle, step: Step) -> None:
    """The step is taken, unless another worker has overtaken this one."""
    held = oracle.held[step.worker]
    if step.starts:
        held.clear()
    if oracle.refuses(step):
        with pytest.raises(Fenced):
            write(store, run_id, step, held)
    else:
        fences = write(store, run_id, step, held)
        oracle.take(step)
        assert fences == {key: oracle.newest[key] for key in step.says}


def standing(store: Store) -> dict[str, Totals]:
    rejected = store.quarantine().filter(provenance="")
    return {
        "cells": by_key(store.cells().select("source_id", "detail", "value")),
        "intake": by_key(store.intake().select("owner", "status", "records")),
        "rejected": by_key(rejected.select("owner", "reason_code", "rows")),
    }


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(taken=st.lists(steps, min_size=1, max_size=10))
def test_what_stands_is_the_baseline_and_the_newest_word_on_each_total(store: Store, taken: list[Step]) -> None:
    # One store for all examples, a stream for each: they all go on from the same run.
    if not store.keeps("base"):
        with_baseline(store)
    run_id, oracle = f"live-{next(NUMBERS)}", Oracle()
    begun(store, run_id, "base")
    try:
        for step in taken:
            take(store, run_id, oracle, step)
    finally:
        store.end_stream(run_id)
    assert standing(store) == {table: oracle.standing(table) for table in NAMES}
    assert sorted(provenances(store)) == sorted(f"supplier.{key}/0/{offset}" for key, offset in oracle.kept)
