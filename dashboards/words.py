"""Writes figures, quarters and codes in plain words."""

from schemas.geography import GREAT_BRITAIN, regions
from schemas.sources import SMALL, sources

FUEL_WORDS = {"ELECTRICITY": "Electricity", "GAS": "Gas"}
SECTOR_WORDS = {"DOMESTIC": "Domestic", "NON_DOMESTIC": "Non-domestic"}
METER_TYPE_WORDS = {"SMETS1": "SMETS1", "SMETS2": "SMETS2", "ADVANCED": "Advanced", "NON_SMART": "Not smart"}
NOT_AVAILABLE = "[x]"
NOT_APPLICABLE = "[z]"


def quarter_words(quarter: str) -> str:
    """Writes `2026Q3` as `Q3 2026`."""
    return f"{quarter[4:]} {quarter[:4]}"


def source_words(source_id: str) -> str:
    """Returns the name of a supplier or of the small ones together, or the id if we have no name for it."""
    if source_id == SMALL:
        return "Small suppliers"
    known = sources().get(source_id)
    return known.name if known else source_id


def region_words(region_code: str) -> str:
    """Returns the name of a region or of Great Britain, or the code if we have no name for it."""
    known = regions().get(region_code)
    return "Great Britain" if region_code == GREAT_BRITAIN else known.name if known else region_code


def count(number: int) -> str:
    """Writes a count with thousands separators."""
    return f"{number:,}"


def tenths(part: int, whole: int) -> int:
    """Returns a share in tenths of a percent, with halves rounded away from zero, from whole numbers without floats."""
    size = (2_000 * abs(part) + whole) // (2 * whole)
    return size if part >= 0 else -size


def decimal(tenth_parts: int) -> str:
    """Writes tenths as a number with one decimal, such as `-1,234.5`."""
    sign = "-" if tenth_parts < 0 else ""
    return f"{sign}{abs(tenth_parts) // 10:,}.{abs(tenth_parts) % 10}"


def share(part: int, whole: int) -> str:
    """Writes a share to one decimal from exact counts, such as `72.1%`; not applicable if the whole is 0."""
    return f"{decimal(tenths(part, whole))}%" if whole else NOT_APPLICABLE


def change(now: int, before: int | None) -> str:
    """Writes the relative change with its sign, such as `+3.0%`; not available without a figure to compare with."""
    if not before:
        return NOT_AVAILABLE
    moved = tenths(now - before, before)
    return f"{'+' if moved > 0 else ''}{decimal(moved)}%"


def compared(now: int, before: int | None, quarter: str) -> str:
    """Writes the change as a phrase, such as `3.0% more than in Q3 2025 (660)`."""
    when = quarter_words(quarter)
    if before is None:
        return f"not comparable with {when}, for which there is no figure"
    if now == before:
        return f"the same as in {when}"
    if before == 0:
        return f"more than in {when}, when there was none"
    direction = "more" if now > before else "fewer"
    return f"{decimal(abs(tenths(now - before, before)))}% {direction} than in {when} ({count(before)})"


def joined(words: list[str]) -> str:
    """Writes a list for a sentence: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
