"""Further public tables of a release: targets, installations a working day, the service's levels and revisions."""

from collections.abc import Mapping, Sequence

import polars as pl

from pipelines.release.calendar import release_day, working_days
from pipelines.release.changes import revisions, triangle
from pipelines.release.edition import Extra
from pipelines.release.targets import targets_frame
from schemas.policies import policy
from schemas.quarters import quarter_number, quarter_text

_UNVERIFIED = "Tolerances were not read in the rules themselves: verified = no, and shown so in every row."


def extras_of(
    figures: pl.DataFrame, releases: Sequence[tuple[str, pl.DataFrame]], last_quarter: int
) -> Mapping[str, Extra]:
    """Extra tables by file name, those without a row left out.

    `releases` are names and figures of all releases up to this one, oldest first.
    """
    values = triangle(releases)
    extras = {
        "targets": Extra(
            "Annual installation targets by supplier, fuel and sector",
            "The target of each year by the formula of the framework from published counts, and how far it was met.",
            targets_frame(figures, last_quarter),
            (_UNVERIFIED, "The targets count installations where there was no smart or advanced meter."),
        ),
        "working_days": Extra(
            "Installations a working day, by quarter",
            "Comparable installations of all suppliers divided by the working days in England.",
            _by_working_day(figures),
        ),
        "calendar": Extra(
            "Release days",
            "When the next releases come, at local time, and when they are announced.",
            _release_days(last_quarter),
            ("Dates that are not verified follow a rule of ours; the official series varied.",),
        ),
        "rules": Extra(
            "Licence conditions and codes that checks and tables stand for",
            "Each rule with its dates and its source; what is not verified was not read in the rule itself.",
            _policy_frame("rules", "rule", ("id", "name", "condition", "from", "to", "source", "verified")),
        ),
        "service_levels": Extra(
            "Levels of the DCC's service by guidance year",
            "What the measures of the service are held against, by the guidance that set it.",
            _policy_frame(
                "dcc_performance",
                "level",
                ("guidance", "measure", "from", "to", "least_percent", "source", "verified"),
            ),
        ),
        "revisions": Extra(
            "Revisions of national figures by age",
            "Mean and mean absolute revision against the first figure, in per cent, by the number of releases since.",
            revisions(values),
        ),
        "vintages": Extra(
            "National figures by release",
            "What each release said of each quarter.",
            values,
        ),
    }
    return {name: extra for name, extra in extras.items() if extra.frame.height}


def _release_days(last_quarter: int) -> pl.DataFrame:
    days = [release_day(number) for number in range(last_quarter, last_quarter + 5)]
    rows = [
        (quarter_text(one.quarter), one.text, str(one.announced_on), _said(one.verified, "verified")) for one in days
    ]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("quarter", "released", "announced_on", "verified"), pl.String), orient="row"
    )


def _policy_frame(name: str, entries: str, columns: Sequence[str]) -> pl.DataFrame:
    """The entries of a policy as rows of text; a last day that is not set says so."""
    rows = [[_said(one.get(column, "no end"), column) for column in columns] for one in policy(name)[entries]]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _said(value: object, column: str) -> str:
    return ("yes" if value else "no") if column == "verified" else str(value)


def _by_working_day(figures: pl.DataFrame) -> pl.DataFrame:
    own = (
        figures.filter(pl.col("table") == "15")
        .group_by("quarter")
        .agg(installations=pl.col("value").sum())
        .sort("quarter")
    )
    days = [working_days(quarter_number(quarter)) for quarter in own["quarter"]]
    return own.with_columns(working_days=pl.Series(days, dtype=pl.Int64)).with_columns(
        installations_a_working_day=(pl.col("installations") / pl.col("working_days")).round(1)
    )
