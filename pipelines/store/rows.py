"""Writes frames into tables and reads them back, one slice at a time as Python objects."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import polars as pl
import sqlalchemy as sa

from pipelines.store.tables import FENCES, NUL, STORED
from schemas.tables import LEDGER_CELLS, Table

SLICE_ROWS = 20_000
ORDERED_BY = 4
# The `insert` of a SQLAlchemy dialect; the dialects share no class that knows ON CONFLICT.
Insert = Callable[[sa.Table], Any]
POLARS_TYPES: dict[str, type[pl.DataType]] = {"text": pl.String, "integer": pl.Int64}


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of a statement, and whether its parameters are positional or named."""

    text: str
    positional: bool


def schema_of(table: Table, without: str) -> dict[str, type[pl.DataType]]:
    """Returns the names and Polars types of all but one of a table's columns."""
    return {column.name: POLARS_TYPES[column.type] for column in table.columns if column.name != without}


def fitted(table: Table, frame: pl.DataFrame, without: str) -> pl.DataFrame:
    """Returns the frame in the table's columns and types, its rows nearly in the order of the key.

    Raises ValueError for other columns, an empty field, a repeated key or a cell of value 0: all of them our fault.
    """
    schema = schema_of(table, without)
    if set(frame.columns) != set(schema):
        raise ValueError(f"{table.name} wants the columns {', '.join(schema)}, not {', '.join(frame.columns)}")
    frame = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    # A frame's texts are valid UTF-8, so the only character in them that a back end may refuse is NUL.
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
    """Sorts rows by the first columns of their key, so that neighbours in the table are written together."""
    if not key:
        return frame
    orders = {name: pl.Enum(frame[name].unique().sort()) for name in key}
    return frame.sort([pl.col(name).cast(order).to_physical() for name, order in orders.items()])


def with_first(table: Table, first: tuple[str, str], frame: pl.DataFrame) -> pl.DataFrame:
    """Returns a fitted frame in all columns of its table; `first` is the missing column's name and its one value."""
    name, value = first
    return frame.select(pl.lit(value).alias(name), pl.all()).select(table.column_names)


def execute(connection: sa.Connection, statement: Statement, rows: pl.DataFrame) -> None:
    """Executes a statement for every row, a slice at a time."""
    for part in rows.iter_slices(SLICE_ROWS):
        # Bypasses SQLAlchemy's handling of parameters, which takes several times as long as the insert.
        connection.exec_driver_sql(statement.text, part.rows() if statement.positional else part.to_dicts())


@cache
def insertion(table: Table, dialect: sa.Dialect) -> Statement:
    """Returns the statement that inserts a row."""
    compiled = sa.insert(STORED[table.name]).compile(dialect=dialect)
    return Statement(str(compiled), dialect.positional)


@cache
def upsertion(table: Table, insert: Insert, dialect: sa.Dialect) -> Statement:
    """Returns the statement that inserts a row or replaces the one with its key; `insert` is the dialect's own."""
    upsert = or_replaced(table, insert(STORED[table.name]))
    return Statement(str(upsert.compile(dialect=dialect, column_keys=table.column_names)), dialect.positional)


def or_replaced(table: Table, inserted: Any) -> sa.Insert:
    """Returns a dialect's insertion with a clause that replaces a row of the same key."""
    others = {name: inserted.excluded[name] for name in table.column_names if name not in table.key}
    return inserted.on_conflict_do_update(index_elements=table.key, set_=others)


def next_number(run_id: str, key: str, now: datetime, insert: Insert) -> sa.Executable:
    """Returns the statement that takes a key's next fencing number; it locks the key until the transaction ends."""
    first = insert(FENCES).values(run_id=run_id, key=key, number=1, written_at=now)
    next_one = {"number": FENCES.c.number + 1, "written_at": now}
    taken = first.on_conflict_do_update(index_elements=["run_id", "key"], set_=next_one)
    return taken.returning(FENCES.c.number)


def read_rows(
    connection: sa.Connection, table: Table, first: tuple[str, str], *further: sa.ColumnElement[bool]
) -> pl.DataFrame:
    """Reads the rows that have a value in a column (`first`), without that column; `further` conditions narrow them."""
    name, value = first
    schema = schema_of(table, name)
    stored = STORED[table.name]
    query = sa.select(*(stored.c[column] for column in schema)).where(stored.c[name] == value, *further)
    # Set on the query only: on the connection, it would make every later statement use a server-side cursor.
    rows = connection.execute(query.execution_options(yield_per=SLICE_ROWS))
    parts = (pl.DataFrame(list(map(tuple, part)), schema=schema, orient="row") for part in rows.partitions())
    return pl.concat([pl.DataFrame(schema=schema), *parts])
