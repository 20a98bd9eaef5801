"""Opens a store's address as a read-only engine, in SQLite or PostgreSQL."""

import os
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import event, exc

from dashboards.errors import StoreUnreadable
from schemas.addresses import names_a_file, sqlite_path

EXAMPLE: Final = "sqlite:///rollout.db"
POSTGRESQL: Final = ("postgresql", "postgresql+psycopg")
CONNECT_SECONDS: Final = 10
UNREADABLE: Final = "The store could not be read: it is damaged, is no store, or refused us."
AWAY: Final = "The server of the store cannot be reached, or went away; check that it runs."
NOT_LET_IN: Final = "The store does not take that name and password."
REASONS: Final = {
    "28P01": NOT_LET_IN,
    "28000": NOT_LET_IN,
    "3D000": "The server of the store has no such database.",
    "42501": "The store does not let that name read what is published; use one that has the role dashboard.",
}
# Before a connection exists, the server's answer has only words and no code.
WORDS: Final = (
    ("password", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("authentication failed", "28000"),
    ("is not permitted to log in", "28000"),
    ("permission denied", "42501"),
    ('role "', "28000"),
    ('database "', "3D000"),
)


class _StoreEnvironment(BaseSettings):
    """ROLLOUT_STORE_PASSWORD or ROLLOUT_STORE_PASSWORD_FILE; libpq's own variables, such as PGPASSWORD, work too."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_STORE_")

    password: SecretStr | None = None
    password_file: Path | None = None


def engine(address: str) -> sa.Engine:
    """Returns an engine whose connections read the store as at one moment and cannot write. Raises StoreUnreadable."""
    path = sqlite_path(address)
    return _postgresql(_understood(address)) if path is None else _sqlite(path)


def _understood(address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
    except (exc.ArgumentError, ValueError) as error:
        raise StoreUnreadable(f"The store's address is not understood; it looks like {EXAMPLE}.") from error
    if url.get_backend_name() == "sqlite":
        raise StoreUnreadable(f"The store's address is not understood; it looks like {EXAMPLE}, with three slashes.")
    if url.drivername not in POSTGRESQL:
        raise StoreUnreadable(f"A store is a sqlite or postgresql address, not {url.drivername}.")
    if not url.database:
        raise StoreUnreadable("The store's address names no database; it looks like postgresql://user@host/database.")
    return url


def reason(error: exc.SQLAlchemyError) -> str:
    """Says why a store cannot be read, in one sentence without its address."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else None
    if cause is None or isinstance(cause, sqlite3.Error):
        return UNREADABLE
    code = getattr(cause, "sqlstate", None) or next((code for words, code in WORDS if words in str(cause)), None)
    return REASONS.get(code or "", AWAY if isinstance(error, exc.OperationalError) else UNREADABLE)


def _sqlite(path: str) -> sa.Engine:
    if not names_a_file(path):
        raise StoreUnreadable(f"The store's address names no file; it looks like {EXAMPLE}.")
    if not Path(path).is_file():
        raise StoreUnreadable(f"There is no store at {path}.")
    address = f"file:{quote(os.fsencode(Path(path).resolve()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        # isolation_level None: SQLAlchemy's "begin" below opens the transaction, so that a release is read as at
        # one moment, whatever is published meanwhile.
        return sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)

    made = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool)
    event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return made


def _postgresql(url: sa.URL) -> sa.Engine:
    # The dashboard's role may only read; this stops a name with more rights from writing.
    options = {
        "options": "-c default_transaction_read_only=on",
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "rollout dashboard",
    }
    password = url.password or (None if "password" in url.query else _password())
    try:
        made = sa.create_engine(
            url.set(drivername="postgresql+psycopg", password=password),
            isolation_level="REPEATABLE READ",
            # Replaces a connection that a restart of the server has cut.
            pool_pre_ping=True,
            connect_args=options,
        )
    except ImportError as error:
        raise StoreUnreadable("The driver for postgresql is not installed.") from error
    # Runs before SQLAlchemy queries the server, since answers in another encoding may not be readable as text.
    event.listen(made, "connect", _require_utf8, insert=True)
    return made


def _require_utf8(connection: Any, _record: object) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreUnreadable(f"The store is in a database of the encoding {encoding}, and is not one that we wrote.")


def _password() -> str | None:
    environment = _StoreEnvironment()
    if environment.password is not None:
        return environment.password.get_secret_value()
    if environment.password_file is None:
        return None
    try:
        return environment.password_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnreadable(f"The password file {environment.password_file} cannot be read.") from error
