"""Opens the store at an address, or raises an error of one sentence that says why not."""

import os
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import exc

from pipelines.store.backend import Backend
from pipelines.store.errors import StoreError, StoreMissing
from pipelines.store.postgres import EXAMPLE as POSTGRES
from pipelines.store.postgres import PostgresBackend
from pipelines.store.sqlite import SqliteBackend
from pipelines.store.store import Store
from schemas.addresses import absolute_sqlite, names_a_file, sqlite_path

EXAMPLE = "sqlite:///rollout.db"
# The parameters of a PostgreSQL address whose values are paths.
FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "passfile")
# A word that libpq accepts in place of a path.
SYSTEM: Final = "system"


def open_store(url: str, create: bool = False) -> Store:
    """Opens a store and checks its layout. No file is made before the first run is written.

    `url` is an address such as sqlite:///rollout.db, the plain path of a SQLite file, or
    postgresql://user@host/database; with `create` the file need not exist yet. Raises StoreError, and StoreMissing if
    there is no store.
    """
    store = Store(_backend(url, create))
    store.require_layout()
    return store


def server(url: str) -> PostgresBackend | None:
    """Returns the PostgreSQL database that an address names, None if it names another store. Raises StoreError."""
    return PostgresBackend(_understood(url)) if _names_postgresql(url) else None


def _names_postgresql(url: str) -> bool:
    return sqlite_path(url) is None and url.startswith("postgresql")


def absolute(url: str) -> str:
    """Returns the address with absolute paths, valid in every working folder; one without a store stays as it is."""
    path = sqlite_path(url)
    if path is not None:
        return absolute_sqlite(path) if names_a_file(path) else url
    return _with_absolute_files(url) if _names_postgresql(url) else url


def _with_absolute_files(url: str) -> str:
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        return url
    given = {name: parsed.query[name] for name in FILES if name in parsed.query}
    paths = {
        name: str(Path(path).absolute()) for name, path in given.items() if isinstance(path, str) and path != SYSTEM
    }
    return parsed.update_query_dict(paths).render_as_string(hide_password=False) if paths else url


def _backend(url: str, create: bool) -> Backend:
    named = server(url)
    if named is not None:
        return named
    path = _file_of(url)
    _require_file(path, create)
    return SqliteBackend(path, create)


def _file_of(url: str) -> Path:
    path = sqlite_path(url)
    if path is None:
        name = "sqlite" if url.startswith("sqlite") else _understood(url).get_backend_name()
        if name != "sqlite":
            raise StoreError(f"A store in {name} is not supported; give a SQLite file as {EXAMPLE}.")
        raise StoreError(f"The store's address is not understood; write it as {EXAMPLE}, with three slashes.")
    if not names_a_file(path):
        raise StoreError(f"The store's address names no file; write it as {EXAMPLE}.")
    return Path(path)


def _understood(text: str) -> sa.URL:
    try:
        return sa.make_url(text)
    except (exc.ArgumentError, ValueError) as error:
        raise StoreError(f"The store's address is not understood; write it as {EXAMPLE} or {POSTGRES}.") from error


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
        raise StoreMissing(f"There is no store at {path}; write one with `rollout run`.")
    if not folder_exists:
        raise StoreError(f"The folder {path.parent} for the store does not exist; make it first.")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StoreError(f"The store {path} may not be written; check who owns its folder.")
