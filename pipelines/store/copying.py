"""Many rows at once into PostgreSQL, by COPY of text that Polars makes."""

from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import exc

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


def merge_many(
    connection: sa.Connection, table: Table, rows: pl.DataFrame, alone: sa.ColumnElement[bool] | None = None
) -> None:
    """All rows are in the table; one whose key was there already is replaced, and not touched where it is the same.

    No other rows are left for which `alone` holds. Nobody else may write these keys at the same time.
    """
    come = f"new_{table.name}"
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {come} (LIKE {table.name}) ON COMMIT DELETE ROWS")
    copy_rows(connection, come, rows)
    source = sa.table(come, *(sa.column(name) for name in table.column_names))
    # The planner knows nothing yet of what has just come, and must not read one through for each row of the other.
    connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
    connection.exec_driver_sql(_merge(table, come))
    if alone is not None:
        kept = STORED[table.name]
        has_come = sa.exists().where(*(kept.c[name] == source.c[name] for name in table.key))
        connection.execute(sa.delete(kept).where(alone, ~has_come))
    connection.exec_driver_sql("SET LOCAL enable_nestloop = on")
    # There may be another call in the same transaction.
    connection.execute(sa.delete(source))


def _merge(table: Table, come: str) -> str:
    """Not INSERT with ON CONFLICT, which takes three times as long where most rows are there already."""
    others = [name for name in table.column_names if name not in table.key]
    return " ".join(
        (
            f"MERGE INTO {table.name} AS kept USING {come} AS come",
            f"ON {' AND '.join(f'kept.{name} = come.{name}' for name in table.key)}",
            f"WHEN MATCHED AND {' OR '.join(f'kept.{name} <> come.{name}' for name in others)}",
            f"THEN UPDATE SET {', '.join(f'{name} = come.{name}' for name in others)}",
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(table.column_names)})",
            f"VALUES ({', '.join(f'come.{name}' for name in table.column_names)})",
        )
    )


def _text(rows: pl.DataFrame) -> str:
    r"""Rows as COPY reads them: not as CSV, where a line `\.` is the end of all even inside a field."""
    escaped = pl.col(pl.String).str.replace_many(list(ESCAPES), list(ESCAPES.values()))
    return rows.with_columns(escaped).write_csv(include_header=False, separator="\t", quote_style="never")
