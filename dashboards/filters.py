"""Reads and writes a page's filters, which exist only in the URL's query string."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from urllib.parse import parse_qs, urlencode

from dashboards.store import Release
from dashboards.words import FUEL_WORDS, METER_TYPE_WORDS, SECTOR_WORDS, quarter_words, source_words
from schemas.codes import FUELS, METER_TYPES, SECTORS
from schemas.geography import regions

COMPARABLE = "COMPARABLE"
REPLACEMENTS = "SMART_FOR_SMART"
EVERY = "ALL"
BASES = {
    COMPARABLE: "Official count",
    REPLACEMENTS: "Smart for smart",
    EVERY: "Every meter",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page is filtered to; None means all, for `basis` the official count, for `quarter` the newest."""

    fuel: str | None = None
    sector: str | None = None
    supplier: str | None = None
    region: str | None = None
    meter_type: str | None = None
    basis: str | None = None
    quarter: str | None = None

    @property
    def as_query(self) -> str:
        """The query string that `parse` turns back into these filters; empty without filters."""
        return urlencode([(f.name, value) for f in fields(self) if (value := getattr(self, f.name)) is not None])

    def only(self, names: Iterable[str]) -> "Filters":
        """Returns only the named filters."""
        return Filters(**{name: getattr(self, name) for name in names})


NAMES = tuple(field.name for field in fields(Filters))


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter: its code in the URL and its words on the page."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Field:
    """A filter as a form shows it; `any_words` names the default choice."""

    name: str
    label: str
    any_words: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """Filters read from a query string, and a sentence for each value that was not used."""

    filters: Filters
    notices: tuple[str, ...]


def _choices(words: dict[str, str], codes: Iterable[str]) -> tuple[Choice, ...]:
    return tuple(Choice(code, words[code]) for code in codes)


def _supplier_choices(release: Release) -> tuple[Choice, ...]:
    choices = (Choice(code, source_words(code)) for code in release.suppliers)
    return tuple(sorted(choices, key=lambda choice: choice.words.casefold()))


def form_fields(release: Release) -> tuple[Field, ...]:
    """Returns every filter with its choices in a release, in the order of `Filters`."""
    region_choices = tuple(Choice(code, region.name) for code, region in regions().items())
    quarter_choices = tuple(Choice(quarter, quarter_words(quarter)) for quarter in reversed(release.quarters[:-1]))
    basis_choices = _choices(BASES, (REPLACEMENTS, EVERY))
    return (
        Field("fuel", "Fuel", "Both fuels", _choices(FUEL_WORDS, FUELS)),
        Field("sector", "Sector", "All sectors", _choices(SECTOR_WORDS, SECTORS)),
        Field("supplier", "Supplier", "All suppliers", _supplier_choices(release)),
        Field("region", "Region", "Great Britain", region_choices),
        Field("meter_type", "Meter type", "All types", _choices(METER_TYPE_WORDS, METER_TYPES)),
        Field("basis", "What is counted", BASES[COMPARABLE], basis_choices),
        Field("quarter", "Quarter", quarter_words(release.last_quarter), quarter_choices),
    )


def _default_code(field: Field, release: Release) -> str | None:
    return {"basis": COMPARABLE, "quarter": release.last_quarter}.get(field.name)


def _parse_field(field: Field, values: list[str], release: Release) -> tuple[str | None, list[str]]:
    value = values[0].strip().upper()
    notices = [f"{field.label}: the address gives more than one, so only the first is used."] if values[1:] else []
    if value in ("", _default_code(field, release)):
        return None, notices
    if value in {choice.code for choice in field.choices}:
        return value, notices
    return None, [*notices, f"{field.label}: the address asks for one that is not known here, so it is not used."]


def parse(search: str, offered: tuple[str, ...], release: Release) -> Parsed:
    """Parses the filters that a page offers from a query string, with a notice for each value that is not used.

    Ignores names that are not filters (of a mailing or a search engine) without a notice.
    """
    values = parse_qs(search.lstrip("?"))
    filters, notices = Filters(), []
    for field in form_fields(release):
        if field.name not in values:
            continue
        if field.name not in offered:
            notices.append(f"{field.label}: this page cannot be narrowed by it, so it is not used.")
            continue
        code, said = _parse_field(field, values[field.name], release)
        filters = replace(filters, **{field.name: code})
        notices.extend(said)
    return Parsed(filters, tuple(notices))


def without_empty(search: str) -> str:
    """Returns the query string without empty parameters, which a form sends for "all"."""
    kept = parse_qs(search.lstrip("?"))
    return urlencode(kept, doseq=True)
