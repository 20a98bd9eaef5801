"""The addresses of stores, by one rule for writers and readers.

A SQLite file is named by its path, with or without `sqlite:///` before it. The path is taken literally: no character in
it, such as `?`, `#`, `%` or a space, has a special meaning. Any other address with a scheme names a server.
"""

import re
from pathlib import Path
from typing import Final

SQLITE: Final = "sqlite:///"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+]+:")


def sqlite_path(address: str) -> str | None:
    """Returns the path of the SQLite file that an address names, as written; None if the address has another scheme."""
    if address.startswith(SQLITE):
        return address.removeprefix(SQLITE)
    return None if _SCHEME.match(address) or "://" in address else address


def names_a_file(path: str) -> bool:
    """Whether a path can name a file."""
    return bool(path.strip()) and path != ":memory:" and "\0" not in path


def absolute_sqlite(path: str) -> str:
    """Returns the address of a SQLite file with its absolute path, valid in every working folder."""
    return f"{SQLITE}{Path(path).absolute()}"
