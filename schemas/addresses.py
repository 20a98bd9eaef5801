"""How a store is named: the one rule that whoever writes a store and whoever reads one share.

A SQLite file is named by its path, with `sqlite:///` before it or without. The path is taken letter for letter: no sign
in it, such as `?`, `#`, `%` or a space, has a meaning of its own. What else begins with a scheme names a server.
"""

import re
from pathlib import Path
from typing import Final

SQLITE: Final = "sqlite:///"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+]+:")


def sqlite_path(address: str) -> str | None:
    """The path of the SQLite file that an address names, as it is written; None if it names none, but has a scheme."""
    if address.startswith(SQLITE):
        return address.removeprefix(SQLITE)
    return None if _SCHEME.match(address) or "://" in address else address


def names_a_file(path: str) -> bool:
    """Whether a path can be that of a file."""
    return bool(path.strip()) and path != ":memory:" and "\0" not in path


def absolute_sqlite(path: str) -> str:
    """The address of a SQLite file that means the same in every working folder."""
    return f"{SQLITE}{Path(path).absolute()}"
