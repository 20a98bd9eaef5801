"""Finds event files: everything under an input is one of the files, counted as another, or refused by name.

A statistic must not miss a supplier in silence, so a folder that may not be read and a link to nothing are errors. What
is reached without a link comes first, so that a file to which links also lead keeps its own folder's name.
"""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipelines.source.names import escaped

SUFFIX: Final = ".avro"


class InputError(Exception):
    """The input cannot be used as a whole; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Found:
    """The files to read, each real one once, and the number of others among them that are not Avro by name."""

    files: tuple[Path, ...]
    others: int


def find(inputs: Iterable[Path]) -> Found:
    """Returns the event files under folders, in order, and the files named themselves. Raises InputError."""
    search, roots = _Search(), list(inputs)
    for number, root in enumerate(roots):
        search.begin(number, root)
    search.follow_links()
    for number, root in enumerate(roots):
        if number not in search.filled:
            raise InputError(
                f"The folder {escaped(root)} holds no {SUFFIX} file; files lie as <source_id>/<name>{SUFFIX} under it."
            )
    return Found(tuple(path for _, path in sorted(search.files.values())), search.others)


def settled(path: Path) -> Path:
    """Returns the absolute path without `..`, which is resolved together with the links before it."""
    parts = path.absolute().parts
    if ".." not in parts:
        return path.absolute()
    behind = len(parts) - parts[::-1].index("..")
    return Path(os.path.realpath(Path(*parts[:behind])), *parts[behind:])


@dataclass(slots=True)
class _Search:
    """The state of a search. `files` maps real paths to the number of the input and the path under it.

    `folders` are the device and inode number of each folder read, `links` the links not yet followed, and `filled` the
    inputs that hold a file or a folder already read.
    """

    files: dict[str, tuple[int, Path]] = field(default_factory=dict)
    folders: set[tuple[int, int]] = field(default_factory=set)
    links: list[tuple[int, Path]] = field(default_factory=list)
    filled: set[int] = field(default_factory=set)
    others: int = 0

    def begin(self, number: int, root: Path) -> None:
        """Searches an input, except for the links in it. Raises InputError."""
        try:
            mode = root.stat().st_mode
        except OSError as error:
            raise InputError(_missing(root, error)) from error
        if stat.S_ISDIR(mode):
            self._look_under(number, settled(root))
        else:
            self._add(number, settled(root), mode)

    def follow_links(self) -> None:
        """Follows all links, and those found through them. Raises InputError."""
        while self.links:
            number, path = self.links.pop(0)
            try:
                mode = path.stat().st_mode
            except OSError as error:
                raise InputError(f"The link {escaped(path)} leads nowhere: {error.strerror}.") from error
            if stat.S_ISDIR(mode):
                self._look_under(number, path)
            else:
                self._take(number, path, mode)

    def _look_under(self, number: int, folder: Path) -> None:
        waiting = [folder]
        while waiting:
            path = waiting.pop()
            try:
                waiting += self._look_into(number, path)
            except OSError as error:
                raise InputError(f"The folder {escaped(path)} cannot be read: {error.strerror}.") from error

    def _look_into(self, number: int, folder: Path) -> list[Path]:
        """Returns the folders in a folder, none if it was read before: links may form a circle."""
        about = folder.stat()
        if (about.st_dev, about.st_ino) in self.folders:
            self.filled.add(number)
            return []
        self.folders.add((about.st_dev, about.st_ino))
        inside = []
        for path in sorted(folder.iterdir()):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                self.links.append((number, path))
            elif stat.S_ISDIR(mode):
                inside.append(path)
            else:
                self._take(number, path, mode)
        return inside

    def _take(self, number: int, path: Path, mode: int) -> None:
        if path.suffix.lower() == SUFFIX or path.name.lower() == SUFFIX:
            self._add(number, path, mode)
        else:
            self.others += 1

    def _add(self, number: int, path: Path, mode: int) -> None:
        if not stat.S_ISREG(mode):
            raise InputError(f"{escaped(path)} is neither a file nor a folder.")
        self.filled.add(number)
        self.files.setdefault(os.path.realpath(path), (number, path))


def _missing(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"There is no file or folder {escaped(path)}."
    return f"{escaped(path)} cannot be read: {error.strerror}."
