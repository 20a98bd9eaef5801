"""Two workers' random portions against a plain dict: readers see baseline and stream summed, whatever was written."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.store import open_store
from tests.pipelines.store.runs import Cell, cells, intake, quarantine, run
from tests.pipelines.store.streams import ACME, BOLT, begun, by_key, portion
from tests.postgres import Server

DETAILS: tuple[str, ...] = ("a", "b", "c")
Totals = dict[str, int]
Writes = list[tuple[str, bool, Totals, Totals, Totals]]
small = st.integers(-2, 2)
totals = st.dictionaries(st.sampled_from(DETAILS), small, max_size=3)
# A key, whether its worker has just started, and its totals of cells, intake and rejections.
writes = st.lists(st.tuples(st.sampled_from((ACME, BOLT)), st.booleans(), totals, totals, totals), max_size=6)
STATUSES: dict[str, str] = dict(zip(DETAILS, ("received", "accepted", "pending"), strict=True))


def added(baseline: Totals, since: Totals) -> Totals:
    return {at: n for at in {**baseline, **since} if (n := baseline.get(at, 0) + since.get(at, 0))}


def check(url: str, baseline: Totals, written: Writes) -> None:
    store, fences = open_store(url, create=True), dict[str, int]()
    kept = {at: n for at, n in baseline.items() if n}
    stood = cells(*(Cell(n, detail=at, source_id=ACME) for at, n in kept.items()))
    rejected = [(ACME, "MeterInstalled", why, "The meter is there already.", "", n) for why, n in kept.items()]
    store.write_run(
        run("base"), stood, intake(*((ACME, STATUSES[at], n) for at, n in kept.items())), quarantine(*rejected)
    )
    begun(store, baseline="base")
    expected: dict[str, list[Totals]] = {ACME: [{}, {}, {}], BOLT: [{}, {}, {}]}
    for key, starts, *three in written:
        fence = None if starts else fences.get(key)
        numbers, statuses, reasons = three
        told = {STATUSES[at]: n for at, n in statuses.items()}
        one = portion(key, fence, tuple(Cell(n, detail=at) for at, n in numbers.items()), told, reasons)
        fences |= store.write_portions("live", [one])
        before = expected[key]
        expected[key] = [new if fence is None else old | new for old, new in zip(before, three, strict=True)]
    bases = {ACME: kept, BOLT: dict[str, int]()}
    seen = {(row[2], row[9]): n for row, n in by_key(store.cells()).items()}
    assert seen == {(key, at): n for key in bases for at, n in added(bases[key], expected[key][0]).items()}
    assert by_key(store.intake()) == {
        (key, STATUSES[at]): n for key in bases for at, n in added(bases[key], expected[key][1]).items()
    }
    turned = {(row[0], row[2]): n for row, n in by_key(store.quarantine()).items()}
    assert turned == {(key, at): n for key in bases for at, n in added(bases[key], expected[key][2]).items()}


@settings(max_examples=15)
@given(baseline=totals, written=writes)
def test_sqlite_adds_up_as_a_dict_does(baseline: Totals, written: Writes) -> None:
    with TemporaryDirectory() as folder:
        check(f"sqlite:///{Path(folder) / 'rollout.db'}", baseline, written)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(baseline=totals, written=writes)
def test_postgresql_adds_up_as_a_dict_does(postgres_server: Server, baseline: Totals, written: Writes) -> None:
    check(postgres_server.empty_store(), baseline, written)
