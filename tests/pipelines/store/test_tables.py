from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from pipelines.store import open_store
from pipelines.store.tables import CODE_LISTS, STORED
from schemas import codes
from schemas.tables import LEDGER_TABLES, PUBLISHED_TABLES, Table
from tests.pipelines.store.runs import Cell, write

PLAIN: dict[str, object] = {"text": "", "integer": 1, "timestamp": datetime(2026, 10, 1, tzinfo=UTC)}
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
}
WORDS = {"", "STEAM", "electricity", *(word for words in LISTS.values() for word in words)}
CHECKED = [(table, name) for table in TABLES for name in table.column_names if name in LISTS]


@pytest.fixture
def database(url: str, beside: sa.Engine) -> Iterator[sa.Connection]:
    write(open_store(url, create=True), "first", Cell())
    with beside.connect() as connection:
        yield connection


def is_accepted(database: sa.Connection, table: Table, row: dict[str, object]) -> bool:
    with database.begin_nested() as attempt:
        try:
            database.execute(sa.insert(STORED[table.name]), row)
        except IntegrityError:
            return False
        finally:
            attempt.rollback()
    return True


@pytest.mark.parametrize(("table", "name"), CHECKED, ids=lambda part: getattr(part, "name", part))
def test_the_database_accepts_exactly_the_code_list(database: sa.Connection, table: Table, name: str) -> None:
    row = {column.name: PLAIN[column.type] for column in table.columns}
    accepted = {word for word in WORDS if is_accepted(database, table, row | {name: word})}
    assert accepted == {"", *LISTS[name]}


def test_no_column_has_a_code_list_that_no_table_knows() -> None:
    assert set(CODE_LISTS) == {name for _, name in CHECKED}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_stored_table_has_the_columns_of_the_contract_in_order(database: sa.Connection, table: Table) -> None:
    assert tuple(database.execute(sa.text(f"SELECT * FROM {table.name}")).keys()) == table.column_names


@pytest.mark.parametrize("table", [table for table in TABLES if "quarter" in table.key and "vintage" in table.key])
def test_a_quarter_of_a_vintage_is_found_without_reading_the_others(database: sa.Connection, table: Table) -> None:
    query = f"SELECT * FROM {table.name} WHERE vintage = 'draft' AND quarter = ''"
    if database.dialect.name == "sqlite":
        plan = database.execute(sa.text(f"EXPLAIN QUERY PLAN {query}")).one()[-1]
        assert "SEARCH" in plan
    else:
        # A table of a few rows is read through whatever indexes it has.
        database.execute(sa.text("SET LOCAL enable_seqscan = off"))
        assert "Index Cond: ((vintage = 'draft'::text) AND (quarter" in "\n".join(
            database.execute(sa.text(f"EXPLAIN {query}")).scalars()
        )


def test_there_is_one_current_run(database: sa.Connection) -> None:
    with pytest.raises(IntegrityError):
        database.execute(sa.text("INSERT INTO current_run SELECT slot + 1, run_id, NULL FROM current_run"))
