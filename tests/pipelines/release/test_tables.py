"""Each table held to a recount in DuckDB that was written from its definition, and to an example worked by hand."""

import random
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import polars as pl
import pytest

from pipelines.release.atoms import FIRST_QUARTER, IDENTITY, Scope, exact_atoms
from pipelines.release.catalogue import TABLES
from pipelines.release.figures import PLACE, SIZE, Table, figures_of, tidy_of
from pipelines.release.marking import marked
from pipelines.release.shapes import shape_of
from pipelines.release.suppliers import Membership, group_of
from schemas import codes
from schemas.quarters import quarter_number, quarters_between
from schemas.sources import sources
from schemas.tables import CELL_KEY
from tests.pipelines.store.runs import Cell, cells

LAST = "2026Q3"
Database = duckdb.DuckDBPyConnection
SOURCES = ("BGAS", "BUSI", "MRCY", "LORM", "PURE", "FUSE")
DETAILS = {
    "installations": codes.INSTALL_REASONS[1:],
    "removals": (*codes.REMOVAL_REASONS, codes.EXCHANGED),
    "mode_losses": codes.MODE_CAUSES,
    "mode_recoveries": codes.MODE_CAUSES,
    "switches": codes.SUPPLY_REASONS,
    "displays": codes.IN_HOME_DISPLAY_ANSWERS,
    "mode_disagreements": codes.SMETS_OPERATING_MODES,
}
SENT = {
    "visits": codes.VISIT_OUTCOMES,
    "visits_supported": codes.VISIT_SUPPORT,
    "reporting_delay": codes.REPORTING_DELAYS,
    "commissionings": codes.COMMISSIONING_RESULTS,
    "credentials_changes": codes.RESULTS,
    "service_numerator": ("NORTH/SMETS2/FIRMWARE",),
    "service_denominator": ("NORTH/SMETS2/FIRMWARE",),
}
# A column of a table in SQL, over `stock` or `flows`.
COUNTED = "SUM(value) FILTER (WHERE {which})"
STOCK = f"SELECT quarter, {{rows}} {COUNTED} FROM stock WHERE measure = '{{measure}}' AND {{where}} GROUP BY ALL"
FLOW = f"SELECT {{quarter}}, {{rows}} {COUNTED} FROM flows WHERE measure = '{{measure}}' AND {{where}} GROUP BY ALL"
SMART = "meter_type IN ('SMETS1', 'SMETS2')"
SMART_OR_ADVANCED = "meter_type IN ('SMETS1', 'SMETS2', 'ADVANCED')"
WORKING = f"(({SMART}) AND operating_mode = 'SMART') OR meter_type = 'ADVANCED'"
BY_HAND = f"(({SMART}) AND operating_mode = 'TRADITIONAL') OR meter_type = 'NON_SMART'"
COMPARABLE = "meter_type <> 'NON_SMART' AND detail IN ('SMART_FOR_NON_SMART', 'NEW_CONNECTION')"
DECEMBER, MARCH, NEWEST = "quarter LIKE '%Q4'", "quarter LIKE '%Q1'", f"quarter = '{LAST}'"
HOMES, OTHERS = "sector = 'DOMESTIC'", "sector = 'NON_DOMESTIC'"
GAS, POWER = "fuel = 'GAS'", "fuel = 'ELECTRICITY'"
CASES = [
    (
        "1",
        "Gas: smart mode",
        "meters",
        f"{GAS} AND {SMART} AND operating_mode = 'SMART'",
        f"{HOMES} AND large",
    ),
    (
        "1",
        "Electricity: not smart",
        "meters",
        f"{POWER} AND meter_type = 'NON_SMART'",
        f"{HOMES} AND large",
    ),
    (
        "1",
        "Gas: smart and advanced",
        "meters",
        f"{GAS} AND {SMART_OR_ADVANCED}",
        f"{HOMES} AND large",
    ),
    ("2", "Gas: advanced", "meters", f"{GAS} AND meter_type = 'ADVANCED'", f"{OTHERS} AND large"),
    (
        "3",
        "Gas: SMETS2",
        "installations",
        f"{GAS} AND meter_type = 'SMETS2' AND {COMPARABLE}",
        f"{HOMES} AND large",
    ),
    ("4", "Electricity and gas", "installations", COMPARABLE, f"{OTHERS} AND large"),
    ("8", "All meters", "meters", "TRUE", "TRUE"),
    ("8", "Smart mode and advanced", "meters", WORKING, "TRUE"),
    ("8", "Manually read", "meters", BY_HAND, "TRUE"),
    ("9", "Smart", "meters", SMART, NEWEST),
    ("10", "Traditional mode", "meters", f"{SMART} AND operating_mode = 'TRADITIONAL'", NEWEST),
    ("11", "Smart and advanced", "meters", SMART_OR_ADVANCED, NEWEST),
    ("12", "Manually read", "meters", BY_HAND, "TRUE"),
    ("13", "Smart mode and advanced", "meters", WORKING, "TRUE"),
    ("14", "Smart for smart", "installations", "detail = 'SMART_FOR_SMART'", NEWEST),
    ("14", "Comparable", "installations", COMPARABLE, NEWEST),
    ("15", "Comparable", "installations", COMPARABLE, "TRUE"),
    ("16", "wan", "mode_losses", "detail = 'WAN'", "TRUE"),
    ("17", "all", "mode_recoveries", "TRUE", "TRUE"),
    ("18", "Lost smart mode", "mode_losses", "detail = 'CHURN'", "TRUE"),
    ("18", "Gained", "switches", "TRUE", "TRUE"),
    ("19", "exchanged", "removals", "detail = 'EXCHANGED'", "TRUE"),
    ("20", "not offered", "displays", "detail = 'NOT_OFFERED'", "TRUE"),
    ("21", "no access", "visits", "detail = 'NO_ACCESS'", "TRUE"),
    ("22", "none", "visits_supported", "detail = 'NONE'", "TRUE"),
    ("23", "timeout", "commissionings", "detail = 'TIMEOUT'", "TRUE"),
    ("26", "fail", "credentials_changes", "detail = 'FAIL'", "TRUE"),
    ("27", "Tried", "service_denominator", "TRUE", "TRUE"),
    ("28", "d92+", "reporting_delay", "detail = 'D92+'", "TRUE"),
    ("29", "Contradicted", "mode_disagreements", "TRUE", NEWEST),
]
ANNUAL = [
    ("5a", "Gas: all meters", "meters", GAS, f"{HOMES} AND {DECEMBER}"),
    (
        "5b",
        "Electricity: smart",
        "meters",
        f"{POWER} AND {SMART}",
        f"{OTHERS} AND {DECEMBER}",
    ),
    ("6a", "Electricity and gas", "installations", COMPARABLE, HOMES),
    (
        "6b",
        "Gas: ADVANCED",
        "installations",
        f"{GAS} AND meter_type = 'ADVANCED' AND {COMPARABLE}",
        OTHERS,
    ),
]


def a_ledger(seed: int) -> pl.DataFrame:
    """Random cells of every published measure; what is taken away was put there before."""
    chance = random.Random(seed)
    rows = [_stock_or_flow(chance) for _ in range(2_500)] + [_sent(chance) for _ in range(800)]
    return cells(*rows).group_by(CELL_KEY).agg(pl.col("value").sum()).filter(pl.col("value") != 0)


def _quarter(chance: random.Random) -> str:
    return chance.choice(quarters_between("2024Q2", LAST))


def _stock_or_flow(chance: random.Random) -> Cell:
    measure = chance.choice(["meters", "meters", *DETAILS])
    kind = chance.choice(codes.METER_TYPES)
    mode = chance.choice(("SMART", "TRADITIONAL")) if kind in codes.SMETS_TYPES else "NOT_APPLICABLE"
    place = (chance.choice(SOURCES), chance.choice(("E12000001", "E12000007", "S92000003")), chance.choice(codes.FUELS))
    words = (chance.choice(codes.SECTORS), kind, mode, chance.choice(codes.PAYMENT_MODES))
    detail = chance.choice(DETAILS[measure]) if measure in DETAILS else ""
    return Cell(chance.randint(1, 50), measure, _quarter(chance), *place, *words, detail)


def _sent(chance: random.Random) -> Cell:
    measure = chance.choice(list(SENT))
    supplier = "SDCC" if measure.startswith(("comm", "cred", "serv")) else chance.choice(SOURCES)
    plain = ("", chance.choice(codes.FUELS), "", "", "", "")
    return Cell(chance.randint(1, 50), measure, _quarter(chance), supplier, *plain, chance.choice(SENT[measure]))


@pytest.fixture(scope="module")
def ledger() -> pl.DataFrame:
    return a_ledger(7)


@pytest.fixture(scope="module")
def atoms(ledger: pl.DataFrame) -> pl.DataFrame:
    """Exact atoms, so that a table's figures are exact too."""
    number = quarter_number(LAST)
    exact = exact_atoms(ledger, Scope(number, Membership().until(number, FIRST_QUARTER)))
    return exact.group_by(*IDENTITY, "quarter").agg(pl.col("value").sum(), pl.col("estimated").any())


@pytest.fixture(scope="module")
def database(ledger: pl.DataFrame) -> Iterator[Database]:
    """Stock and flows as small suppliers report them: to the end of 2025, from where their stock stands still."""
    names = [(one.source_id, group_of()[one.source_id], one.size_class != "SMALL") for one in sources().values()]
    known = pl.DataFrame(names, schema=["source_id", "own", "large"], orient="row")
    quarters = pl.DataFrame({"ending": list(quarters_between("2012Q4", LAST))})
    connection = duckdb.connect()
    connection.register("ledger", ledger)
    connection.register("known", known)
    connection.register("quarters", quarters)
    connection.execute("""
        CREATE VIEW named AS SELECT ledger.*, large, CASE WHEN large THEN own ELSE 'SMALL' END AS supplier,
            region_code AS region FROM ledger JOIN known USING (source_id);
        CREATE VIEW stock AS SELECT named.* EXCLUDE (quarter), ending AS quarter FROM named, quarters
            WHERE measure IN ('meters', 'mode_disagreements') AND quarter <= ending AND (large OR quarter <= '2025Q4');
        CREATE VIEW flows AS SELECT * FROM named
            WHERE measure NOT IN ('meters', 'mode_disagreements') AND (large OR quarter <= '2025Q4');
    """)
    yield connection
    connection.close()


def table_of(name: str) -> Table:
    return next(one for one in TABLES if one.name == name)


def counted(atoms: pl.DataFrame, table: Table, label: str) -> dict[tuple[object, ...], int]:
    figures = figures_of(atoms, table, quarter_number(LAST))
    texts = pl.format("{}Q{}", pl.col("quarter") // 4, pl.col("quarter") % 4 + 1)
    rows = figures.select(texts.alias("at"), *table.rows, label).filter(pl.col(label) != 0)
    return {row[:-1]: row[-1] for row in rows.iter_rows()}


@pytest.mark.parametrize(("name", "label", "measure", "which", "where"), CASES)
def test_a_table_is_what_duckdb_counts_from_its_definition(
    atoms: pl.DataFrame,
    database: Database,
    name: str,
    label: str,
    measure: str,
    which: str,
    where: str,
) -> None:
    table = table_of(name)
    rows = "".join(f"{row}, " for row in table.rows)
    form = STOCK if measure in ("meters", "mode_disagreements") else FLOW
    query = form.format(rows=rows, which=which, where=where, measure=measure, quarter="quarter")
    found = {row[:-1]: int(row[-1]) for row in database.execute(query).fetchall() if row[-1]}
    assert counted(atoms, table, label) == found
    assert found


@pytest.mark.parametrize(("name", "label", "measure", "which", "where"), ANNUAL)
def test_an_annual_table_has_large_and_small_suppliers_and_all(
    atoms: pl.DataFrame,
    database: Database,
    name: str,
    label: str,
    measure: str,
    which: str,
    where: str,
) -> None:
    size = "CASE WHEN large THEN 'LARGE' ELSE 'SMALL' END"
    form, quarter = (STOCK, "quarter") if measure == "meters" else (FLOW, "quarter[1:4] || 'Q4' AS quarter")
    found: dict[tuple[object, ...], int] = {}
    for of in (f"{size},", "'',"):
        query = form.format(rows=of, which=which, where=where, measure=measure, quarter=quarter)
        found |= {row[:-1]: int(row[-1]) for row in database.execute(query).fetchall() if row[-1]}
    table = table_of(name)
    # 2026 is not over.
    assert counted(atoms, table, label) == {key: value for key, value in found.items() if str(key[0]) < "2026"}
    assert table.rows == (SIZE,)


def test_table_7a_has_the_regions_and_england(atoms: pl.DataFrame, database: Database) -> None:
    where = f"fuel = 'ELECTRICITY' AND sector = 'DOMESTIC' AND {MARCH}"
    found: dict[tuple[object, ...], int] = {}
    for place in ("region,", "'E92000001',"):
        only = "region LIKE 'E12%'" if place.startswith("'") else "TRUE"
        query = STOCK.format(rows=place, which=SMART, where=f"{where} AND {only}", measure="meters")
        found |= {row[:-1]: int(row[-1]) for row in database.execute(query).fetchall() if row[-1]}
    table = table_of("7a")
    assert table.rows == (PLACE,)
    assert counted(atoms, table, "Smart meters") == found


def test_local_authorities_have_domestic_electricity_of_the_newest_march() -> None:
    here = Cell(7, "meters_local", "2024Q2", "", "E06000001", payment_mode="")
    unknown = replace(here, value=2, quarter="2025Q3", region_code="", meter_type="NON_SMART")
    later, gas = replace(here, value=9, quarter="2026Q2"), replace(here, value=5, fuel="GAS")
    ledger = cells(here, later, gas, replace(unknown, operating_mode="NOT_APPLICABLE"))
    number = quarter_number(LAST)
    exact = exact_atoms(ledger, Scope(number, Membership().until(number, FIRST_QUARTER)))
    figures = figures_of(exact, table_of("7b"), number)
    assert figures.select("region", "Meters", "Smart meters").sort("region").rows() == [("", 2, 0), ("E06000001", 7, 7)]


def test_shares_are_quotients_of_the_counts_beside_them() -> None:
    """By hand: 300 in smart mode, 100 in traditional mode and 200 that are not smart, all of one large supplier."""
    ledger = cells(
        Cell(300, quarter="2026Q1"),
        Cell(100, quarter="2026Q2", operating_mode="TRADITIONAL"),
        Cell(200, quarter="2026Q2", meter_type="NON_SMART", operating_mode="NOT_APPLICABLE"),
    )
    number = quarter_number(LAST)
    exact = exact_atoms(ledger, Scope(number, Membership().until(number, FIRST_QUARTER)))
    figures = marked(tidy_of(exact, TABLES, number), number, "provisional", None)
    shape = shape_of(table_of("8"), figures)
    newest = shape.frame.filter(pl.col("Quarter") == LAST).row(0, named=True)
    assert (newest["All meters"], newest["Smart and advanced"], newest["Manually read"]) == (600, 400, 300)
    shares = [newest[name] for name in shape.names("share")]
    # 400 / 600, 300 / 600, 100 / 400, 300 / 600.
    assert shares == [66.7, 50.0, 25.0, 50.0]
    assert newest["Marker"] == "[p]"
    first = shape.frame.filter(pl.col("Quarter") == "2025Q4").row(0, named=True)
    assert (first["All meters"], first["Smart and advanced (%)"], first["Marker"]) == (0, None, "")
