"""Escapes texts in CSV files that a spreadsheet would run as formulas.

A program that opens a CSV file may run a field that begins with =, +, -, @, a tab or a carriage return. Such a text is
written with an apostrophe before it, and so is one that begins with apostrophes and then such a character. To undo
this, a reader removes one apostrophe if what follows it matches this pattern. Numbers stay as they are.
"""

import re
from typing import Final

# Valid for Python and for Rust, whose regular expressions Polars uses.
FORMULA: Final = r"^'*[=+\-@\t\r]"
_FORMULA: Final = re.compile(FORMULA)


def harmless(text: str) -> str:
    """Returns the text, after an apostrophe if a spreadsheet would run it as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text
