"""Many rows at once into PostgreSQL, by COPY of text that Polars makes."""

from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql

from pipelines.store.tables import STORED
from schemas.tables import Table

SLICE_ROWS: Final = 20_000
# How COPY reads a character that has a meaning of its own; PostgreSQL keeps no NUL in a text.
ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\ufffd"}


def copy_rows(connection: sa.Connection, into: str, rows: pl.DataFrame) -> None:
    """All rows are in a table that has their columns. Raises what SQLAlchemy raises for its own statements."""
    statement = f"COPY {into} ({', '.join(rows.columns)}) FROM STDIN"
    # Not by import: who keeps a store in SQLite needs no driver.
    driver: Any = connection.connection.driver_connection
    fault = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for part in rows.iter_slices(SLICE_ROWS):
                copy.write(_text(part))
    except fault as error:
        raise exc.DBAPIError.instance(statement, None, error, fault, dialect=connection.dialect) from error


def upsert_many(connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
    """All rows are in the table; one whose key was there already is replaced."""
    copied = f"new_{table.name}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {copied} (LIKE {table.name}) ON COMMIT DELETE ROWS"
    )
    copy_rows(connection, copied, rows)
    source = sa.table(copied, *(sa.column(name) for name in table.column_names))
    insert = postgresql.insert(STORED[table.name]).from_select(table.column_names, sa.select(source))
    others = {name: insert.excluded[name] for name in table.column_names if name not in table.key}
    connection.execute(insert.on_conflict_do_update(index_elements=table.key, set_=others))
    # There may be another call in the same transaction.
    connection.execute(sa.delete(source))


def _text(rows: pl.DataFrame) -> str:
    r"""Rows as COPY reads them: not as CSV, where a line `\.` is the end of all even inside a field."""
    escaped = pl.col(pl.String).str.replace_many(list(ESCAPES), list(ESCAPES.values()))
    return rows.with_columns(escaped).write_csv(include_header=False, separator="\t", quote_style="never")
