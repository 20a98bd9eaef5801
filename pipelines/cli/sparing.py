"""Protects files that an output must not overwrite: a store, the files beside it, and what suppliers sent."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipelines.store.errors import OutputError

STORE_BEGINS: Final = b"SQLite format 3\0"
EVENTS_BEGIN: Final = b"Obj\x01"
SIDES: Final = ("-wal", "-shm", "-journal")


def spare(out: Path, store: str = "", inputs: Sequence[Path] = ()) -> None:
    """Raises OutputError if an output would overwrite a store, a file beside it, an input or an event file.

    `store` is the name of the store that is read; a store in PostgreSQL has no file.
    """
    target = _resolved(out)
    if is_store(target) or (store and target == _resolved(Path(store))):
        raise OutputError(f"{out} is a store, which the output would overwrite; name another file.")
    if any(_is_side(target, side, store) for side in SIDES):
        raise OutputError(f"{out} goes with a store, which the output would damage; name another file.")
    if _begins(target, EVENTS_BEGIN):
        raise OutputError(f"{out} is a file of events, which the output would overwrite; name another file.")
    if target in map(_resolved, inputs):
        raise OutputError(f"{out} is an input, which the output would overwrite; name another file.")


def is_store(path: Path) -> bool:
    """Whether a file is an SQLite database, ours or another."""
    return _begins(path, STORE_BEGINS)


def _is_side(target: Path, side: str, store: str) -> bool:
    if not target.name.endswith(side) or target.name == side:
        return False
    beside = target.with_name(target.name.removesuffix(side))
    return is_store(beside) or (bool(store) and beside == _resolved(Path(store)))


def _begins(path: Path, magic: bytes) -> bool:
    # A pipe or a terminal is not read, since reading would consume its data.
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError(f"The file {path} cannot be written: its links go in a circle or nowhere.") from error
