"""From an address to a store, or one sentence that says why not."""

import os
import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from pipelines.store.backend import Backend
from pipelines.store.errors import StoreError
from pipelines.store.postgres import EXAMPLE as POSTGRES
from pipelines.store.postgres import PostgresBackend
from pipelines.store.sqlite import SqliteBackend
from pipelines.store.store import Store

EXAMPLE = "sqlite:///rollout.db"
SCHEME = re.compile(r"[a-z][a-z0-9+]+:")


def open_store(url: str, create: bool = False) -> Store:
    """A store whose layout we know. No file is made before the first run is written.

    `url` is such as sqlite:///rollout.db, the plain path of a SQLite file, or postgresql://user@host/database; with
    `create` the file need not be there yet. Raises StoreError.
    """
    store = Store(_backend(url, create))
    store.require_layout()
    return store


def server(url: str) -> PostgresBackend | None:
    """The database of PostgreSQL that an address names; None where it names none. Raises StoreError."""
    return PostgresBackend(_understood(url)) if url.startswith("postgresql") else None


def _backend(url: str, create: bool) -> Backend:
    named = server(url)
    if named is not None:
        return named
    path = _sqlite_path(url)
    _require_file(path, create)
    return SqliteBackend(path, create)


def _sqlite_path(text: str) -> Path:
    if "://" not in text and not SCHEME.match(text):
        return _named(text)
    url = _understood(text)
    if url.get_backend_name() != "sqlite":
        raise StoreError(f"A store in {url.get_backend_name()} is not supported; give a SQLite file as {EXAMPLE}.")
    if url.host or url.query or url.drivername != "sqlite":
        raise StoreError(f"The store's address is not understood; write it as {EXAMPLE}, with three slashes.")
    return _named(url.database or "")


def _understood(text: str) -> sa.URL:
    try:
        return sa.make_url(text)
    except (exc.ArgumentError, ValueError) as error:
        raise StoreError(f"The store's address is not understood; write it as {EXAMPLE} or {POSTGRES}.") from error


def _named(path: str) -> Path:
    if not path.strip() or path == ":memory:" or "\0" in path:
        raise StoreError(f"The store's address names no file; write it as {EXAMPLE}.")
    return Path(path)


def _require_file(path: Path, create: bool) -> None:
    try:
        is_folder, exists = path.is_dir(), path.exists()
        folder_exists = path.absolute().parent.is_dir()
    except OSError as error:
        raise StoreError(f"The store {path} cannot be opened: {error.strerror}.") from error
    if is_folder:
        raise StoreError(f"{path} is a folder, not a store; give the path of a file in it.")
    if exists:
        return
    if not create:
        raise StoreError(f"There is no store at {path}; write one with `rollout run`.")
    if not folder_exists:
        raise StoreError(f"The folder {path.parent} for the store does not exist; make it first.")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StoreError(f"The store {path} may not be written; check who owns its folder.")
