"""The tables of a store in SQLAlchemy, made from `schemas.tables`; every back end shares them.

The code lists of `schemas.codes` are CHECK constraints, so that no other program can insert a wrong word.
The empty string stands for a dimension that a measure does not have.
"""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from schemas import codes
from schemas.tables import LEDGER_TABLES, PUBLISHED_TABLES, RELEASE_VINTAGES, Column, Table

LAYOUT: Final = 3
UNKNOWN_STATUS: Final = "unknown"
# Replaces a NUL in a text.
NUL: Final = r"\x00"
CODE_LISTS: Final = {
    "fuel": codes.FUELS,
    "sector": codes.SECTORS,
    "meter_type": codes.METER_TYPES,
    "operating_mode": codes.OPERATING_MODES,
    "payment_mode": codes.PAYMENT_MODES,
    "status": (*codes.INTAKE_STATUSES, UNKNOWN_STATUS),
    "record_type": codes.RECORDS,
    "install_reason": codes.INSTALL_REASONS,
}


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment: an aware datetime in Python, stored in UTC. Raises ValueError for a naive datetime, our fault."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Returns the moment in UTC."""
        del dialect  # the same for all
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Returns the moment as an aware datetime in UTC."""
        del dialect  # the same for all
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def storable(text: str) -> str:
    r"""Returns the text as both back ends keep it: NULs and lone surrogates, which PostgreSQL refuses, are escaped.

    The escapes look like `\x00` and `\udc80`.
    """
    return text.replace("\0", NUL).encode("utf-8", "backslashreplace").decode()


class StoredText(sa.types.TypeDecorator[str]):
    """A text, stored as `storable` returns it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Returns the text as it is stored."""
        del dialect  # the same for all
        return None if value is None else storable(value)


TYPES: Final[dict[str, type[sa.types.TypeEngine[Any]]]] = {
    "text": StoredText,
    "integer": sa.BigInteger,
    "timestamp": UtcDateTime,
    "bytes": sa.LargeBinary,
}
METADATA: Final = sa.MetaData()


def _column(column: Column, key: tuple[str, ...]) -> sa.Column[Any]:
    return sa.Column(column.name, TYPES[column.type](), primary_key=column.name in key, nullable=False)


def _is_code(name: str) -> sa.ColumnElement[bool]:
    # No IN: SQLite would build its set again for every row, which made a run's insert three times as slow.
    return sa.or_(*(sa.column(name) == code for code in (*CODE_LISTS[name], "")))


def _checks(table: Table) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(_is_code(name), name=f"ck_{table.name}_{name}")
        for name in table.column_names
        if name in CODE_LISTS
    ]


def _stored(table: Table) -> sa.Table:
    columns = [_column(column, table.key) for column in table.columns]
    # The key is nearly all of a row, and rows are read by its first columns (a run, or a vintage and its quarters).
    # Without a rowid, SQLite keeps such a table in the key's order and needs no further index.
    return sa.Table(table.name, METADATA, *columns, *_checks(table), sqlite_with_rowid=not table.key)


STORED: Final = {table.name: _stored(table) for table in (*LEDGER_TABLES, *PUBLISHED_TABLES, RELEASE_VINTAGES)}

STORE_VERSION: Final = sa.Table(
    "store_version",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
)
RUNS: Final = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", StoredText, primary_key=True),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime, nullable=False),
    sa.Column("kind", StoredText, nullable=False),
    sa.Column("synthetic", sa.Boolean, nullable=False),
    sa.Column("as_at", UtcDateTime),
    sa.Column("as_at_basis", StoredText, nullable=False),
    sa.Column("key_id", StoredText, nullable=False),
    sa.Column("rule_version", StoredText, nullable=False),
    sa.Column("schema_version", StoredText, nullable=False),
    sa.Column("code_version", StoredText, nullable=False),
    sa.Column("inputs", StoredText, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
)
# The rows of the former run are kept, so that a reader that began before the change can finish.
CURRENT_RUN: Final = sa.Table(
    "current_run",
    METADATA,
    sa.Column("slot", sa.Integer, sa.CheckConstraint("slot = 1"), primary_key=True, autoincrement=False),
    sa.Column("run_id", StoredText, sa.ForeignKey(RUNS.c.run_id), nullable=False),
    sa.Column("former_run_id", StoredText, sa.ForeignKey(RUNS.c.run_id)),
)

# A stream's run, the bounded run that it goes on from, and whether it is still being written.
STREAMS: Final = sa.Table(
    "streams",
    METADATA,
    sa.Column("run_id", StoredText, sa.ForeignKey(RUNS.c.run_id), primary_key=True),
    sa.Column("baseline_run_id", StoredText, sa.ForeignKey(RUNS.c.run_id)),
    sa.Column("live", sa.Boolean, nullable=False),
)
# Who may write a totals key of a stream, and when it was last written; see live.py.
FENCES: Final = sa.Table(
    "fences",
    METADATA,
    sa.Column("run_id", StoredText, sa.ForeignKey(RUNS.c.run_id), primary_key=True),
    sa.Column("key", StoredText, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("written_at", UtcDateTime, nullable=False),
)
_QUARANTINE: Final = STORED["ledger_quarantine"].c
sa.Index("ix_ledger_quarantine_provenance", _QUARANTINE.run_id, _QUARANTINE.owner, _QUARANTINE.provenance)
