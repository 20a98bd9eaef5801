"""Names of files as text that can be stored, printed and told apart.

A file system takes almost any bytes as a name. What is kept of a name is printable UTF-8 from which the bytes can be
told again: a byte that is no part of a printable character, and the backslash itself, stands as a backslash, an x and
two hexadecimal digits. So ordinary names stay as they are.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SHORTEST: Final = 2
_ESCAPE: Final = re.compile(rb"\\x([0-9a-f]{2})")


def escaped(name: str | Path) -> str:
    """A name or path as printable text; `unescaped` gives it back."""
    return "".join(character if _is_plain(character) else _bytes_of(character) for character in str(name))


def _is_plain(character: str) -> bool:
    return character != "\\" and (character.isprintable() or unicodedata.category(character) == "Zs")


def _bytes_of(character: str) -> str:
    # What Python could not decode of a name stands in it as lone surrogates, each for a byte.
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def unescaped(text: str) -> str:
    """The name or path that `escaped` made a text of."""
    plain = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return plain.decode("utf-8", "surrogateescape")


def owner_of(path: Path) -> str:
    """The name of the folder that a file lies in, as text."""
    return escaped(path.absolute().parent.name)


def provenances(paths: Sequence[Path]) -> list[str]:
    """For each file its folder and its name, with as many folders before them as tell it from all the others."""
    parts = [("", *path.absolute().parts[1:]) for path in paths]
    lengths = [_SHORTEST] * len(parts)
    while True:
        names = ["/".join(part[-length:]) for part, length in zip(parts, lengths, strict=True)]
        counts = Counter(names)
        alike = [at for at, name in enumerate(names) if counts[name] > 1 and lengths[at] < len(parts[at])]
        if not alike:
            return [escaped(name) for name in names]
        for at in alike:
            lengths[at] += 1
