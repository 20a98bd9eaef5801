"""Frames into tables and back, a slice at a time, so that no more than a slice is ever Python objects."""

from dataclasses import dataclass
from functools import cache

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipelines.store.copying import copy_rows, merge_many, upsert_many
from pipelines.store.tables import NUL, STORED
from schemas.tables import LEDGER_CELLS, Table

SLICE_ROWS = 20_000
ORDERED_BY = 4
# So many rows are written sooner one by one than through a table of their own.
FEW_ROWS = 50
# So many rows are a good part of a table.
MANY_ROWS = 20_000
POSTGRESQL = "postgresql"
POLARS_TYPES: dict[str, type[pl.DataType]] = {"text": pl.String, "integer": pl.Int64}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement's text; its parameters go by position or by name."""

    text: str
    positional: bool


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
    # A frame's texts are UTF-8, so of all that no back end keeps they can only have a NUL.
    frame = frame.with_columns(pl.col(pl.String).str.replace_all("\0", NUL, literal=True))
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
    if frame.is_empty():
        return
    rows = _with_first(table, first, frame)
    if connection.dialect.name == POSTGRESQL:
        copy_rows(connection, table.name, rows)
    else:
        _execute(connection, _insert(table, connection.dialect), rows)


def upsert_rows(connection: sa.Connection, table: Table, first: tuple[str, str], frame: pl.DataFrame) -> None:
    """As `insert_rows`, but a row whose key is there already is replaced."""
    if frame.is_empty():
        return
    rows = _with_first(table, first, frame)
    if connection.dialect.name != POSTGRESQL or rows.height <= FEW_ROWS:
        _execute(connection, _upsert(table, connection.dialect), rows)
    elif rows.height <= MANY_ROWS:
        upsert_many(connection, table, rows)
    else:
        merge_many(connection, table, first, rows)


def replace_rows(
    connection: sa.Connection,
    table: Table,
    first: tuple[str, str],
    frame: pl.DataFrame,
    alone: sa.ColumnElement[bool],
) -> None:
    """All rows of a fitted frame are in the table, and no others for which `alone` holds, as it does for these."""
    many = connection.dialect.name == POSTGRESQL and frame.height > MANY_ROWS and table.key
    if many and connection.scalar(sa.select(sa.exists().where(alone))):
        merge_many(connection, table, first, _with_first(table, first, frame), alone)
        return
    connection.execute(sa.delete(STORED[table.name]).where(alone))
    insert_rows(connection, table, first, frame)


def _with_first(table: Table, first: tuple[str, str], frame: pl.DataFrame) -> pl.DataFrame:
    name, value = first
    return frame.select(pl.lit(value).alias(name), pl.all()).select(table.column_names)


@cache
def _insert(table: Table, dialect: sa.Dialect) -> Statement:
    compiled = sa.insert(STORED[table.name]).compile(dialect=dialect)
    return Statement(str(compiled), dialect.positional)


@cache
def _upsert(table: Table, dialect: sa.Dialect) -> Statement:
    insert = (postgresql if dialect.name == POSTGRESQL else sqlite).insert(STORED[table.name])
    others = {name: insert.excluded[name] for name in table.column_names if name not in table.key}
    upsert = insert.on_conflict_do_update(index_elements=table.key, set_=others)
    return Statement(str(upsert.compile(dialect=dialect, column_keys=table.column_names)), dialect.positional)


def _execute(connection: sa.Connection, statement: Statement, rows: pl.DataFrame) -> None:
    for part in rows.iter_slices(SLICE_ROWS):
        # Past SQLAlchemy's own handling of parameters, which costs several times the insert.
        connection.exec_driver_sql(statement.text, part.rows() if statement.positional else part.to_dicts())


def read_rows(
    connection: sa.Connection, table: Table, first: tuple[str, str], *further: sa.ColumnElement[bool]
) -> pl.DataFrame:
    """The rows of a table that have a value in a column, without that column; `further` conditions narrow it."""
    name, value = first
    schema = schema_of(table, name)
    stored = STORED[table.name]
    query = sa.select(*(stored.c[column] for column in schema)).where(stored.c[name] == value, *further)
    # On the query: options of a connection stay, and with these every later statement would ask for a server's cursor.
    rows = connection.execute(query.execution_options(yield_per=SLICE_ROWS))
    parts = (pl.DataFrame(list(map(tuple, part)), schema=schema, orient="row") for part in rows.partitions())
    return pl.concat([pl.DataFrame(schema=schema), *parts])
