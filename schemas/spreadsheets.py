"""Texts in CSV files that a spreadsheet must not take for formulas.

A program that opens a CSV file may run a field that begins with =, +, -, @, a tab or a carriage return. Such a text is
written with an apostrophe before it, and so is one that begins with apostrophes and then such a character: whoever
reads the file takes one apostrophe away where this pattern follows it. Numbers are no texts and stay as they are.
"""

import re
from typing import Final

# Also an expression of Rust, which Polars uses.
FORMULA: Final = r"^'*[=+\-@\t\r]"
_FORMULA: Final = re.compile(FORMULA)


def harmless(text: str) -> str:
    """The text as a spreadsheet shows it and does not run it."""
    return f"'{text}" if _FORMULA.match(text) else text
