"""ARIA attributes as keyword arguments; a hyphen cannot stand in a Python name."""

from typing import Any


def aria(name: str, value: str) -> dict[str, Any]:
    """Keyword arguments that set one ARIA attribute, such as `aria-label`."""
    return {f"aria-{name}": value}
