"""Frames into tables and back, a slice at a time, so that no more than a slice is ever Python objects."""

from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipelines.store.tables import STORED
from schemas.tables import LEDGER_CELLS, Table

SLICE_ROWS = 20_000
ORDERED_BY = 4
# So many rows are written sooner one by one than through a table of their own.
FEW_ROWS = 200
POLARS_TYPES: dict[str, type[pl.DataType]] = {"text": pl.String, "integer": pl.Int64}


def schema_of(table: Table, without: str) -> dict[str, type[pl.DataType]]:
    """Names and types of a table's columns as a frame has them, all but one."""
    return {column.name: POLARS_TYPES[column.type] for column in table.columns if column.name != without}


def fitted(table: Table, frame: pl.DataFrame, without: str) -> pl.DataFrame:
    """The frame in the table's columns and types, its rows nearly in the order of the key.

    Raises ValueError for other columns, an empty field, a key twice or, among cells, a 0: all of them our fault.
    """
    schema = schema_of(table, without)
    if set(frame.columns) != set(schema):
        raise ValueError(f"{table.name} wants the columns {', '.join(schema)}, not {', '.join(frame.columns)}")
    frame = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    if any(frame.null_count().row(0)):
        raise ValueError(f"{table.name} has a row with an empty field")
    key = [name for name in table.key if name != without]
    if key and frame.select(pl.struct(key).is_duplicated().any()).item():
        raise ValueError(f"{table.name} has two rows with one key")
    if table is LEDGER_CELLS and frame.select((pl.col("value") == 0).any()).item():
        raise ValueError(f"{table.name} has a cell of value 0")
    return _nearly_in_order(frame, key[:ORDERED_BY])


def _nearly_in_order(frame: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Rows by the first columns of their key: rows that lie together in the table are then written together."""
    if not key:
        return frame
    orders = {name: pl.Enum(frame[name].unique().sort()) for name in key}
    return frame.sort([pl.col(name).cast(order).to_physical() for name, order in orders.items()])


def insert_rows(connection: sa.Connection, table: Table, first: tuple[str, str], frame: pl.DataFrame) -> None:
    """All rows of a fitted frame are in the table; `first` is a column's name and the value all rows have in it."""
    rows = _with_first(table, first, frame)
    if connection.dialect.name == "postgresql":
        copy_rows(connection, table, table.name, rows)
        return
    _execute(connection, sa.insert(STORED[table.name]), rows)


def upsert_rows(connection: sa.Connection, table: Table, first: tuple[str, str], frame: pl.DataFrame) -> None:
    """As `insert_rows`, but a row whose key is there already takes its place."""
    rows, stored = _with_first(table, first, frame), STORED[table.name]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    if dialect is sqlite or rows.height <= FEW_ROWS:
        insert = dialect.insert(stored)
        _execute(
            connection,
            insert.on_conflict_do_update(index_elements=table.key, set_=_others(table, insert.excluded)),
            rows,
        )
        return
    copied = f"new_{table.name}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {copied} (LIKE {table.name}) ON COMMIT DELETE ROWS"
    )
    copy_rows(connection, table, copied, rows)
    source = sa.table(copied, *(sa.column(name) for name in table.column_names))
    insert = postgresql.insert(stored).from_select(table.column_names, sa.select(source))
    connection.execute(insert.on_conflict_do_update(index_elements=table.key, set_=_others(table, insert.excluded)))
    connection.execute(sa.delete(source))


def _with_first(table: Table, first: tuple[str, str], frame: pl.DataFrame) -> pl.DataFrame:
    name, value = first
    return frame.select(pl.lit(value).alias(name), pl.all()).select(table.column_names)


def _others(table: Table, excluded: Any) -> dict[str, Any]:
    return {name: excluded[name] for name in table.column_names if name not in table.key}


def _execute(connection: sa.Connection, statement: Any, rows: pl.DataFrame) -> None:
    compiled = statement.compile(dialect=connection.dialect, column_keys=rows.columns)
    for part in rows.iter_slices(SLICE_ROWS):
        # Past SQLAlchemy's own handling of parameters, which costs several times the insert.
        connection.exec_driver_sql(str(compiled), part.rows() if compiled.positional else part.to_dicts())


def copy_rows(connection: sa.Connection, table: Table, into: str, rows: pl.DataFrame) -> None:
    """All rows are in a table of PostgreSQL that has the columns of `table`, by COPY."""
    texts = ", ".join(column.name for column in table.columns if column.type == "text")
    names = ", ".join(table.column_names)
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        # An empty text is a text: only NULL would be no value, and none is written.
        cursor.copy(f"COPY {into} ({names}) FROM STDIN WITH (FORMAT csv, FORCE_NOT_NULL ({texts}))") as copy,
    ):
        for part in rows.iter_slices(SLICE_ROWS):
            copy.write(part.write_csv(include_header=False))


def read_rows(
    connection: sa.Connection, table: Table, first: tuple[str, str], *further: sa.ColumnElement[bool]
) -> pl.DataFrame:
    """The rows of a table that have a value in a column, without that column; `further` conditions narrow it."""
    name, value = first
    schema = schema_of(table, name)
    stored = STORED[table.name]
    query = sa.select(*(stored.c[column] for column in schema)).where(stored.c[name] == value, *further)
    rows = connection.execution_options(yield_per=SLICE_ROWS).execute(query)
    parts = (pl.DataFrame(list(map(tuple, part)), schema=schema, orient="row") for part in rows.partitions())
    return pl.concat([pl.DataFrame(schema=schema), *parts])
