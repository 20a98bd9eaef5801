"""Passes ARIA attributes as keyword arguments, since a Python name cannot contain a hyphen."""

from typing import Any


def aria(name: str, value: str) -> dict[str, Any]:
    """Returns keyword arguments that set one ARIA attribute, such as `aria-label`."""
    return {f"aria-{name}": value}
