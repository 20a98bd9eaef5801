"""Names of files as text that can be stored, printed and told apart.

A file system takes almost any bytes as a name. The text kept of a name is printable UTF-8 from which the bytes can be
restored: a byte that is not part of a printable character, and the backslash itself, is written as a backslash, an x
and two hexadecimal digits. So ordinary names stay as they are.
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
    """Returns a name or path as printable text; `unescaped` reverses it."""
    return "".join(character if _is_plain(character) else _bytes_of(character) for character in str(name))


def _is_plain(character: str) -> bool:
    return character != "\\" and (character.isprintable() or unicodedata.category(character) == "Zs")


def _bytes_of(character: str) -> str:
    # Python writes each byte of a name that it cannot decode as a lone surrogate.
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def unescaped(text: str) -> str:
    """Returns the name or path of which `escaped` made the text."""
    plain = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return plain.decode("utf-8", "surrogateescape")


def owner_of(path: Path) -> str:
    """Returns the name of the folder that a file lies in, as text."""
    return escaped(path.absolute().parent.name)


def provenances(paths: Sequence[Path]) -> list[str]:
    """Returns each file's folder and name, after as many folders as it takes to tell it from all the others."""
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
