"""Opens a store read-only and reads its newest published release into memory, once for each release."""

import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy import exc

from dashboards.errors import StoreUnreadable
from dashboards.markers import marker_bits
from dashboards.opening import engine, reason
from schemas.quarters import quarters_between
from schemas.tables import PUBLISHED_INSTALLATIONS, PUBLISHED_RELEASES, PUBLISHED_STOCK, PUBLISHED_TABLES, Table

BATCH_ROWS = 50_000
MILLISECONDS = 1_000
# No page distinguishes credit from prepayment, so the two are added up when a release is read.
STOCK_DIMENSIONS = ("quarter", "source_id", "region_code", "fuel", "sector", "meter_type", "operating_mode")
INSTALLATION_DIMENSIONS = ("quarter", "source_id", "region_code", "fuel", "sector", "meter_type", "install_reason")


@dataclass(frozen=True, slots=True)
class ReleaseKey:
    """Identifies a published state; a draft keeps its vintage, so the time is part of the key."""

    vintage: str
    published_at: str


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """One published release in memory; two are never equal, so that results can be cached by release.

    `stock` has STOCK_DIMENSIONS, `kind` (SMART_MODE, TRADITIONAL, ADVANCED, NON_SMART), meters and marker bits;
    `installations` has INSTALLATION_DIMENSIONS, installations and marker bits. `quarters` runs from the oldest
    to `last_quarter` without a gap; `suppliers` are the ids of all sources that have a meter or fitted one.
    """

    key: ReleaseKey
    title: str
    published_at: datetime
    last_quarter: str
    data_notice: str
    marker: str
    quarters: tuple[str, ...]
    suppliers: tuple[str, ...]
    stock: pl.DataFrame
    installations: pl.DataFrame


def _selectable(table: Table) -> sa.TableClause:
    return sa.table(table.name, *(sa.column(name) for name in table.column_names))


RELEASES, STOCK, INSTALLATIONS = (
    _selectable(table) for table in (PUBLISHED_RELEASES, PUBLISHED_STOCK, PUBLISHED_INSTALLATIONS)
)


def _published_at(stored: object) -> datetime:
    match stored:
        case datetime():
            moment = stored
        case int():
            moment = datetime.fromtimestamp(stored / MILLISECONDS, UTC)
        case _:
            moment = datetime.fromisoformat(str(stored))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _frame(connection: sa.Connection, query: sa.Select[tuple[object, ...]], value: str) -> pl.DataFrame:
    names = [column.name for column in query.selected_columns]
    dimensions = [name for name in names if name not in (value, "marker")]
    schema = pl.Schema({name: pl.Int64() if name == value else pl.String() for name in names})
    categories = pl.col(dimensions).cast(pl.Categorical)
    rows = connection.execute(query.execution_options(yield_per=BATCH_ROWS))
    parts: Iterator[pl.DataFrame] = (
        pl.DataFrame([tuple(row) for row in part], schema=schema, orient="row").with_columns(categories, marker_bits())
        for part in rows.partitions(BATCH_ROWS)
    )
    empty = pl.DataFrame(schema=schema).with_columns(categories, marker_bits())
    added_up = pl.col(value).sum(), pl.col("markers").bitwise_or()
    return pl.concat([empty, *parts]).group_by(dimensions).agg(*added_up).sort(dimensions)


def _query(source: sa.TableClause, dimensions: tuple[str, ...], value: str) -> sa.Select[tuple[object, ...]]:
    columns = [source.c[name] for name in dimensions]
    wanted = (source.c.vintage == sa.bindparam("vintage"), source.c.quarter <= sa.bindparam("last_quarter"))
    return sa.select(*columns, source.c[value], source.c.marker).where(*wanted)


STOCK_QUERY = _query(STOCK, STOCK_DIMENSIONS, "meters")
INSTALLATIONS_QUERY = _query(INSTALLATIONS, INSTALLATION_DIMENSIONS, "installations")


def _kind() -> pl.Expr:
    """Returns the column `kind`: how a meter counts in the headlines, by type and, for SMETS meters, operating mode."""
    kind = pl.when(pl.col("meter_type").cast(pl.String).is_in(["ADVANCED", "NON_SMART"]))
    by_mode = pl.when(pl.col("operating_mode").cast(pl.String) == "SMART").then(pl.lit("SMART_MODE"))
    by_mode = by_mode.otherwise(pl.lit("TRADITIONAL"))
    return kind.then(pl.col("meter_type").cast(pl.String)).otherwise(by_mode).cast(pl.Categorical).alias("kind")


class PublishedStore:
    """The published tables of one store. Threads may share it; it reads only `published_*`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._release: Release | None = None

    def release(self) -> Release | None:
        """Returns the newest release, or None if nothing is published yet. Raises StoreUnreadable.

        A release does not change, so it is read once and kept until another replaces it.
        """
        try:
            with self._engine.connect() as connection:
                return self._current(connection)
        except exc.SQLAlchemyError as error:
            raise StoreUnreadable(reason(error)) from error
        except ValueError as error:
            raise StoreUnreadable("The store could not be read.") from error

    def close(self) -> None:
        """Closes the store's connections."""
        self._engine.dispose()

    def check(self) -> None:
        """Raises StoreUnreadable unless every published table that exists has the columns we read, and is readable."""
        try:
            inspector = sa.inspect(self._engine)
            present = set(inspector.get_table_names()) | set(inspector.get_view_names())
            for table in PUBLISHED_TABLES:
                if table.name in present:
                    names = {column["name"] for column in inspector.get_columns(table.name)}
                    _require_columns(table, names)
            with self._engine.connect() as connection:
                for source in (RELEASES, STOCK, INSTALLATIONS):
                    if source.name in present:
                        connection.execute(sa.select(source).limit(0))
        except exc.SQLAlchemyError as error:
            raise StoreUnreadable(reason(error)) from error

    def _current(self, connection: sa.Connection) -> Release | None:
        if not sa.inspect(connection).has_table(PUBLISHED_RELEASES.name):
            return None
        # A correction of an earlier quarter does not take the place of the newest quarter.
        newest = (RELEASES.c.last_quarter.desc(), RELEASES.c.published_at.desc())
        row = connection.execute(sa.select(RELEASES).order_by(*newest).limit(1)).one_or_none()
        if row is None:
            return None
        key = ReleaseKey(row.vintage, str(row.published_at))
        with self._lock:
            if self._release is None or self._release.key != key:
                self._release = _load(connection, key, row)
            return self._release


def _require_columns(table: Table, present: set[str]) -> None:
    missing = [name for name in table.column_names if name not in present]
    if missing:
        raise StoreUnreadable(f"The store has another version: {table.name} has no column {missing[0]}.")


def _load(connection: sa.Connection, key: ReleaseKey, row: sa.Row[tuple[object, ...]]) -> Release:
    wanted = {"vintage": row.vintage, "last_quarter": row.last_quarter}
    stock = _frame(connection, STOCK_QUERY.params(wanted), "meters").with_columns(_kind())
    installations = _frame(connection, INSTALLATIONS_QUERY.params(wanted), "installations")
    first = stock["quarter"].cast(pl.String).min()
    quarters = quarters_between(str(first or row.last_quarter), row.last_quarter)
    moment = _published_at(row.published_at)
    words = (row.title, moment, row.last_quarter, row.data_notice, row.marker or "")
    suppliers = pl.concat([stock["source_id"].unique(), installations["source_id"].unique()]).cast(pl.String).unique()
    return Release(key, *words, quarters, tuple(suppliers.sort()), stock, installations)


def open_published(store_url: str) -> PublishedStore:
    """Opens the published tables of a store read-only. Raises StoreUnreadable if they cannot be read."""
    opened = engine(store_url)
    store = PublishedStore(opened)
    # Closes the connections to the server once nothing refers to the store any more.
    weakref.finalize(store, opened.dispose)
    try:
        store.check()
    except StoreUnreadable:
        store.close()
        raise
    return store
