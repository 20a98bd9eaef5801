"""The stored tables' columns and their words."""

import pytest

from schemas import tables
from schemas.tables import Table

TABLES = tables.LEDGER_TABLES + tables.PUBLISHED_TABLES


def named(table: Table) -> str:
    return table.name


def test_the_cells_have_the_contract_s_columns_in_its_order() -> None:
    expected = [
        "measure",
        "quarter",
        "source_id",
        "region_code",
        "fuel",
        "sector",
        "meter_type",
        "operating_mode",
        "payment_mode",
        "detail",
        "value",
    ]
    assert [column.name for column in tables.CELL_COLUMNS] == expected
    assert list(tables.CELL_KEY) == expected[:-1]


def test_restricted_and_public_tables_are_told_apart_by_their_names() -> None:
    assert all(table.name.startswith("ledger_") for table in tables.LEDGER_TABLES)
    assert all(table.name.startswith("published_") for table in tables.PUBLISHED_TABLES)
    assert len({table.name for table in TABLES}) == len(TABLES)


@pytest.mark.parametrize("table", TABLES, ids=named)
def test_every_table_and_column_has_one_sentence_of_meaning(table: Table) -> None:
    for sentence in (table.row, *(column.meaning for column in table.columns)):
        assert sentence[0].isupper() or sentence.startswith("`")
        assert sentence.endswith(".")


@pytest.mark.parametrize("table", TABLES, ids=named)
def test_every_number_has_a_unit(table: Table) -> None:
    assert all(column.unit for column in table.columns if column.type == "integer")


@pytest.mark.parametrize("table", TABLES, ids=named)
def test_a_table_s_key_is_made_of_its_own_columns_and_no_column_comes_twice(table: Table) -> None:
    assert set(table.key) <= set(table.column_names)
    assert len(set(table.column_names)) == len(table.column_names)


@pytest.mark.parametrize("table", tables.LEDGER_TABLES, ids=named)
def test_a_row_of_the_ledger_names_its_run(table: Table) -> None:
    assert table.column_names[0] == "run_id"


@pytest.mark.parametrize("table", tables.PUBLISHED_TABLES, ids=named)
def test_a_published_row_names_its_vintage_and_its_marker(table: Table) -> None:
    assert {"vintage", "marker"} <= set(table.column_names)


def test_a_column_means_one_thing_wherever_it_stands() -> None:
    meanings = {(column.name, column.meaning) for table in TABLES for column in table.columns}
    by_name = {name for name, _ in meanings}
    assert len(meanings) == len(by_name), sorted(meanings)
