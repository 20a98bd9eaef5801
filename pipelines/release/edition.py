"""An edition: everything that a bundle's files say of one release. The files are pure functions of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from pipelines.release.shapes import Shape, title_of_period
from schemas.quarters import quarter_number

MARKER_MEANINGS: Final = {
    "[p]": "provisional: it may change when suppliers send more data",
    "[r]": "revised since the release before",
    "[e]": "estimated: small suppliers report once a year, and their last figures stand until then",
    "[x]": "not available: there is nothing to divide by",
}
NOT_GOVERNMENT: Final = "This is not a government service and not an official statistics service."
PROTECTION: Final = (
    "Every count is a sum of cells that were each rounded to a multiple of 5 with a secret offset, up or down by at "
    "most 4; a published 0 stands for 0 to 4. Small suppliers are shown together, and where one of them could be told "
    "from the group its counts were moved by 10 to 15 per cent before. Shares are quotients of published counts."
)


@dataclass(frozen=True, slots=True)
class Edition:
    """A release as its files show it.

    `figures` has the public counts (TIDY, `value`, `marker`), `shapes` the tables as they are read, and `extras`
    further public tables by file name. `facts` are inputs, versions, policies, checks and the certificate.
    """

    name: str
    quarter: str
    status: str
    notice: str
    released_at: str
    next_release: str
    figures: pl.DataFrame
    shapes: tuple[Shape, ...]
    extras: Mapping[str, "Extra"]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The title of the release."""
        return f"Smart meters in Great Britain: {title_of_period(quarter_number(self.quarter))}"

    @property
    def correction(self) -> str:
        """The notice of what an earlier release had wrong; empty if this one corrects nothing."""
        text = self.facts.get("correction", "")
        return f"Correction: {text}" if text else ""

    @property
    def certificate(self) -> Mapping[str, Any]:
        """What the certificate says."""
        certificate: Mapping[str, Any] = self.facts["certificate"]
        return certificate


@dataclass(frozen=True, slots=True)
class Extra:
    """A further public table, such as targets or revisions: a title, one sentence of definition, notes and rows."""

    title: str
    definition: str
    frame: pl.DataFrame
    notes: tuple[str, ...] = ()
