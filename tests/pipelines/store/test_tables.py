import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.store.tables import CODE_LISTS
from schemas import codes
from schemas.tables import LEDGER_TABLES, PUBLISHED_TABLES, Table
from tests.pipelines.store.runs import Cell, new_store, write

TABLES = (*LEDGER_TABLES, *PUBLISHED_TABLES)
# What the contract says each column may hold; the empty string stands for "not named by the measure".
LISTS = {
    "fuel": codes.FUELS,
    "sector": codes.SECTORS,
    "meter_type": codes.METER_TYPES,
    "operating_mode": codes.OPERATING_MODES,
    "payment_mode": codes.PAYMENT_MODES,
    "status": (*codes.INTAKE_STATUSES, "unknown"),
    "record_type": codes.RECORDS,
    "install_reason": codes.INSTALL_REASONS,
    "marker": codes.MARKERS,
}
WORDS = {"", "STEAM", "electricity", *(word for words in LISTS.values() for word in words)}
CHECKED = [(table, name) for table in TABLES for name in table.column_names if name in LISTS]


@pytest.fixture
def database(tmp_path: Path) -> Generator[sqlite3.Connection]:
    write(new_store(tmp_path), "first", Cell())
    with closing(sqlite3.connect(tmp_path / "rollout.db", isolation_level=None)) as connection:
        yield connection


def is_accepted(database: sqlite3.Connection, table: Table, row: dict[str, object]) -> bool:
    statement = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(row))})"
    try:
        database.execute(statement, tuple(row.values()))
    except sqlite3.IntegrityError:
        return False
    database.execute(f"DELETE FROM {table.name}")
    return True


@pytest.mark.parametrize(("table", "name"), CHECKED, ids=lambda part: getattr(part, "name", part))
def test_the_database_accepts_exactly_the_code_list(database: sqlite3.Connection, table: Table, name: str) -> None:
    row: dict[str, object] = {column.name: 1 if column.type == "integer" else "" for column in table.columns}
    accepted = {word for word in WORDS if is_accepted(database, table, row | {name: word})}
    assert accepted == {"", *LISTS[name]}


def test_no_column_has_a_code_list_that_no_table_knows() -> None:
    assert set(CODE_LISTS) == {name for _, name in CHECKED}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_stored_table_has_the_columns_of_the_contract_in_order(database: sqlite3.Connection, table: Table) -> None:
    columns = database.execute(f"SELECT * FROM {table.name}").description
    assert tuple(column[0] for column in columns) == table.column_names


@pytest.mark.parametrize("table", [table for table in TABLES if "quarter" in table.key and "vintage" in table.key])
def test_a_quarter_of_a_vintage_is_found_without_reading_the_others(database: sqlite3.Connection, table: Table) -> None:
    plan = database.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {table.name} WHERE vintage = 'draft' AND quarter = ''")
    assert "SEARCH" in plan.fetchone()[-1]


def test_there_is_one_current_run(database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO current_run SELECT slot + 1, run_id, NULL FROM current_run")
