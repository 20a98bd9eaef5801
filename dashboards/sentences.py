"""Writes the pages' sentences, and alt texts from the same frames as the charts."""

import polars as pl

from dashboards.figures.over_time import Series
from dashboards.filters import COMPARABLE, EVERY, REPLACEMENTS, Filters
from dashboards.queries import earlier, in_quarter
from dashboards.words import (
    METER_TYPE_WORDS,
    compared,
    count,
    joined,
    quarter_words,
    region_words,
    share,
    source_words,
)
from schemas.geography import GREAT_BRITAIN
from schemas.quarters import quarters_earlier

NO_FIGURES = "There are no figures for this selection."
BASIS_WORDS = {COMPARABLE: "new smart and advanced", REPLACEMENTS: "replacement smart", EVERY: "smart and other"}


def _kinds(filters: Filters) -> list[str]:
    codes = [code.lower().replace("_", "-") for code in (filters.sector, filters.fuel) if code]
    return codes + ([METER_TYPE_WORDS[filters.meter_type]] if filters.meter_type else [])


def _place(filters: Filters) -> str:
    return f"in {region_words(filters.region or GREAT_BRITAIN)}"


def meters_of(filters: Filters) -> str:
    """Names the meters that match the filters, such as `domestic gas meters supplied by Utilita in Wales`."""
    supplied = [f"supplied by {source_words(filters.supplier)}"] if filters.supplier else []
    return " ".join([*_kinds(filters), "meters", *supplied, _place(filters)])


def fitted_of(filters: Filters) -> str:
    """Names the installations that match the filters, such as `new smart and advanced gas meters fitted in Wales`."""
    by = [f"by {source_words(filters.supplier)}"] if filters.supplier else []
    return " ".join([BASIS_WORDS[filters.basis or COMPARABLE], *_kinds(filters), "meters fitted", *by, _place(filters)])


def coverage_answer(row: dict[str, int | None], quarter: str, filters: Filters) -> str:
    """Says how many meters are smart or advanced, and their share."""
    smart, meters = row.get("smart_and_advanced") or 0, row.get("meters") or 0
    if not meters:
        return f"There were no {meters_of(filters)} at the end of {quarter_words(quarter)}."
    of = f"{count(smart)} of {count(meters)} {meters_of(filters)}"
    return f"At the end of {quarter_words(quarter)}, {of} were smart or advanced: {share(smart, meters)}."


def stock_answer(row: dict[str, int | None], quarter: str, filters: Filters) -> str:
    """Says how many meters are in place."""
    return f"At the end of {quarter_words(quarter)} there were {count(row.get('meters') or 0)} {meters_of(filters)}."


def mode_answer(row: dict[str, int | None]) -> str:
    """Says how many smart meters are in smart mode."""
    smart, in_mode = row.get("smart") or 0, row.get("smart_mode") or 0
    if not smart:
        return "None of them was a SMETS smart meter."
    return f"Of {count(smart)} smart meters, {count(in_mode)} were in smart mode: {share(in_mode, smart)}."


def comparisons(frame: pl.DataFrame, quarter: str) -> tuple[str, str]:
    """Compares a quarter's installations with the quarter before and with the same quarter a year before."""
    now = in_quarter(frame, quarter).get("installations") or 0
    before, year = (
        compared(now, earlier(frame, quarter, steps, "installations"), quarters_earlier(quarter, steps))
        for steps in (1, 4)
    )
    return before, year


def installations_answer(frame: pl.DataFrame, quarter: str, filters: Filters) -> str:
    """Says how many meters were fitted in a quarter, and how that compares with earlier quarters."""
    fitted = in_quarter(frame, quarter).get("installations") or 0
    than = joined(list(comparisons(frame, quarter)))
    return f"In {quarter_words(quarter)}: {count(fitted)} {fitted_of(filters)}. That is {than}."


def ends(frame: pl.DataFrame, series: tuple[Series, ...]) -> str:
    """Describes each series in the first and last quarter: the alt text of a chart over time."""
    if frame.is_empty() or not series:
        return NO_FIGURES
    first, last = frame.row(0, named=True), frame.row(-1, named=True)
    parts = [f"{one.name} from {count(first[one.key])} to {count(last[one.key])}" for one in series]
    return f"From {quarter_words(first['quarter'])} to {quarter_words(last['quarter'])}: {'; '.join(parts)}."


def coverage_ends(frame: pl.DataFrame, fuels: tuple[str, ...]) -> str:
    """Describes the share for each fuel in the first and last quarter: the alt text of the coverage lines."""
    if frame.is_empty():
        return NO_FIGURES
    first, last = frame.row(0, named=True), frame.row(-1, named=True)
    parts = []
    for fuel in (fuel.lower() for fuel in fuels):
        then, now = (share(row[f"{fuel}_smart_and_advanced"], row[f"{fuel}_meters"]) for row in (first, last))
        parts.append(f"{fuel} from {then} to {now}")
    return f"From {quarter_words(first['quarter'])} to {quarter_words(last['quarter'])}: {'; '.join(parts)}."


def best_and_least(frame: pl.DataFrame, label: str) -> str:
    """Names the rows with the highest and lowest share: the alt text of a comparison, from a frame in that order."""
    known = frame.filter(pl.col("meters") > 0)
    if known.is_empty():
        return NO_FIGURES
    top, low = known.row(0, named=True), known.row(-1, named=True)
    shares = [f"{row[label]} ({share(row['smart_and_advanced'], row['meters'])})" for row in (top, low)]
    if len(known) == 1:
        return f"Share of meters that are smart or advanced: {shares[0]}."
    return f"Share of meters that are smart or advanced: highest {shares[0]}, lowest {shares[1]}."
