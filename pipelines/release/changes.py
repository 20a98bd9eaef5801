"""What changed from one release to another, cell by cell, and why; and how figures were revised over releases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.release.atoms import STOCKS
from pipelines.release.catalogue import TABLES
from pipelines.release.figures import MEASURES, TIDY
from pipelines.release.suppliers import SMALL, group_of, last_report_of_small
from schemas.quarters import quarter_number
from schemas.sources import sources

CHANGES: Final = ("change", "release", *TIDY, "old", "new", "why")
NEW_QUARTER: Final = "new quarter"
MOVED_ON: Final = "the table shows the newest quarter only"
UNEXPLAINED: Final = "the events behind it changed in a way that the counts of the ledger do not tell apart"
_VERSIONS: Final = {
    "rule_version": "rules of validation changed",
    "schema_version": "schemas changed",
    "geography_version": "geography changed",
    "code_version": "the program changed",
    "disclosure_policy": "the disclosure policy changed",
}
_OF_NEWEST: Final = [one.name for one in TABLES if one.period.startswith("newest")]
type_facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Released:
    """A release as changes are worked out from it: name, last quarter, public figures, exact cells and facts."""

    name: str
    quarter: str
    figures: pl.DataFrame
    cells: pl.DataFrame
    facts: type_facts


def changes_between(older: Released, newer: Released) -> pl.DataFrame:
    """Every public figure that one release has and the other has not, or has with another value; see CHANGES.

    `change` is CREATE, UPDATE or DELETE; `old` and `new` are empty where there is no such figure.
    """
    old = older.figures.select(*TIDY, old="value")
    new = newer.figures.select(*TIDY, new="value")
    joined = old.join(new, on=TIDY, how="full", coalesce=True)
    kind = (
        pl.when(pl.col("old").is_null())
        .then(pl.lit("CREATE"))
        .when(pl.col("new").is_null())
        .then(pl.lit("DELETE"))
        .otherwise(pl.lit("UPDATE"))
    )
    differing = joined.filter(pl.col("old").ne_missing(pl.col("new"))).with_columns(
        change=kind, release=pl.lit(newer.name)
    )
    explained = differing.join(_reasons(differing, older, newer), on=["quarter", "supplier", "measure"], how="left")
    # A table of the newest quarter leaves the quarter before behind, whatever became of its events.
    moved_on = pl.col("table").is_in(_OF_NEWEST) & (pl.col("quarter") < newer.quarter)
    why = pl.when(moved_on).then(pl.lit(MOVED_ON)).otherwise(pl.col("why"))
    return explained.with_columns(why.alias("why")).select(CHANGES).sort(TIDY)


def _reasons(differing: pl.DataFrame, older: Released, newer: Released) -> pl.DataFrame:
    """The reason for each quarter, supplier and measure that changed."""
    evidence = _Evidence.between(older, newer)
    distinct = differing.select("quarter", "supplier", "measure").unique()
    texts = [evidence.why(*row) for row in distinct.iter_rows()]
    return distinct.with_columns(why=pl.Series(texts, dtype=pl.String))


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the ledgers behind two releases tell apart, by group of sources; events also by quarter."""

    older: Released
    newer: Released
    arrived: frozenset[tuple[str, str]]
    withdrawn: frozenset[tuple[str, str]]
    corrected: frozenset[str]
    lifted: frozenset[str]
    versions: tuple[str, ...]

    @classmethod
    def between(cls, older: Released, newer: Released) -> "_Evidence":
        events = _events(newer.cells).join(
            _events(older.cells), on=["quarter", "group"], how="full", coalesce=True, suffix="_before"
        )
        more = events.with_columns(pl.col("events", "events_before").fill_null(0))
        changed = pl.col("events") - pl.col("events_before")
        statuses = {status: _by_group(newer, status, older) for status in ("superseded", "rejected")}
        return cls(
            older,
            newer,
            frozenset(more.filter(changed > 0).select("quarter", "group").iter_rows()),
            frozenset(more.filter(changed < 0).select("quarter", "group").iter_rows()),
            frozenset(group for group, more in statuses["superseded"].items() if more > 0),
            frozenset(group for group, more in statuses["rejected"].items() if more < 0),
            tuple(text for name, text in _VERSIONS.items() if older.facts.get(name) != newer.facts.get(name)),
        )

    def why(self, quarter: str, supplier: str, measure: str) -> str:
        """One line: what happened, with the named groups that it came from."""
        if quarter > self.older.quarter:
            return NEW_QUARTER
        if not self._small_had_reported(quarter) and supplier in (SMALL, ""):
            return "; ".join(["small suppliers reported", *self._told(quarter, supplier, measure)])
        own = "; ".join(self._told(quarter, supplier, measure))
        return own or self._told_of_others(quarter, supplier, measure)

    def _told_of_others(self, quarter: str, supplier: str, measure: str) -> str:
        """Why a supplier's figure changed without events of its own: others may have gained or exchanged its meters."""
        others = "; ".join(self._told(quarter, "", measure)) if supplier else ""
        return f"events of other suppliers about its meters: {others}" if others else UNEXPLAINED

    def _told(self, quarter: str, supplier: str, measure: str) -> list[str]:
        groups, first = _groups_of(supplier, self.newer), _first_quarter_behind(quarter, measure)
        late = {group for at, group in self.arrived if group in groups and first <= at <= quarter}
        fewer = {group for at, group in self.withdrawn if group in groups and first <= at <= quarter}
        told = [
            ("late events", late),
            ("events withdrawn or moved", fewer),
            ("amendments or withdrawals", self.corrected & groups),
            ("rejections lifted", self.lifted & groups),
        ]
        return [f"{what} from {_names(found)}" for what, found in told if found] + list(self.versions)

    def _small_had_reported(self, quarter: str) -> bool:
        return quarter_number(quarter) <= last_report_of_small(quarter_number(self.older.quarter))


def _first_quarter_behind(quarter: str, measure: str) -> str:
    """The first quarter whose events are behind a figure: of a stock, any before it; of a year, the year's first."""
    if measure in MEASURES and MEASURES[measure].of in STOCKS:
        return ""
    return f"{quarter[:4]}Q1" if measure.endswith("_in_year") else quarter


def _events(cells: pl.DataFrame) -> pl.DataFrame:
    """Standing supplier events by the quarter of their effect and by group: what `reporting_delay` counts."""
    own = cells.filter(pl.col("measure") == "reporting_delay")
    grouped = own.with_columns(group=pl.col("source_id").replace(group_of()))
    return grouped.group_by("quarter", "group").agg(events=pl.col("value").sum())


def _by_group(newer: Released, status: str, older: Released) -> dict[str, int]:
    """How many more records of a status each group has than before."""
    more: dict[str, int] = {}
    for released, sign in ((newer, 1), (older, -1)):
        for owner, counts in released.facts.get("intake", {}).items():
            group = group_of().get(owner) or owner
            more[group] = more.get(group, 0) + sign * counts.get(status, 0)
    return more


def _groups_of(supplier: str, newer: Released) -> frozenset[str]:
    groups = frozenset(group_of().values())
    named = {group for members in newer.facts["membership"].values() for group in members}
    if supplier == SMALL:
        return groups - named
    return frozenset({supplier}) if supplier in groups else groups


def _names(groups: frozenset[str] | set[str]) -> str:
    """The names of large groups; small ones are together."""
    large = [group for group in sorted(groups) if sources()[group].size_class != SMALL] if groups else []
    small = ["small suppliers"] if len(large) < len(groups) else []
    return ", ".join([*large, *small])


# Tables whose rows add up to national figures.
_NATIONAL: Final = ("8", "15")


def triangle(releases: Sequence[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    """National figures of each quarter by release: measure, quarter, release, age (in releases) and value.

    `releases` are names and public figures, oldest first. The measures are those of tables 8 and 15, added up.
    """
    parts = []
    for name, figures in releases:
        own = (
            figures.filter(pl.col("table").is_in(_NATIONAL), pl.col("operating_mode") == "")
            .group_by("measure", "quarter")
            .agg(pl.col("value").sum())
        )
        parts.append(own.with_columns(release=pl.lit(name)))
    order = {name: place for place, (name, _) in enumerate(releases)}
    every = pl.concat(parts).with_columns(place=pl.col("release").replace_strict(order, return_dtype=pl.Int32))
    first = pl.col("place").min().over("measure", "quarter")
    aged = every.with_columns(age=pl.col("place") - first)
    return aged.select("measure", "quarter", "release", "age", "value").sort("measure", "quarter", "age")


def revisions(values: pl.DataFrame) -> pl.DataFrame:
    """Mean revision and mean absolute revision, in per cent of the first figure, by measure and age in releases."""
    first = values.filter(pl.col("age") == 0).select("measure", "quarter", first="value")
    later = values.filter(pl.col("age") > 0).join(first, on=["measure", "quarter"]).filter(pl.col("first") != 0)
    revision = (pl.col("value") - pl.col("first")) * 100 / pl.col("first")
    grouped = later.with_columns(revision=revision).group_by("measure", "age")
    return grouped.agg(
        pl.len().alias("quarters"),
        pl.col("revision").mean().round(3).alias("mean_revision_percent"),
        pl.col("revision").abs().mean().round(3).alias("mean_absolute_revision_percent"),
    ).sort("measure", "age")
