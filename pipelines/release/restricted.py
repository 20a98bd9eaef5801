"""The restricted files of a release: exact counts for the statistician and the regulator, and statements of targets."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import polars as pl

from pipelines.release.bundle import Files
from pipelines.release.changes import Released, changes_between
from pipelines.release.csv_files import csv_bytes
from pipelines.release.figures import ATOMS
from pipelines.release.reconciliation import (
    declared_against_counted,
    flow_and_stock,
    modes_against_dcc,
    restricted_counts,
    scorecard,
)
from pipelines.release.suppliers import group_name, group_of
from pipelines.release.targets import targets_frame
from schemas.quarters import quarter_number
from schemas.tables import SYNTHETIC_NOTICE

_BY_SUPPLIER: Final = ("visits", "visits_supported", "inconsistent")


def restricted_files(released: Released, before: Released | None = None) -> Files:
    """CSV files by path; `before` is the release before, by which corrections are weighed."""
    files = {f"{name}.csv": csv_bytes(make()) for name, make in _frames(released, before).items()}
    files |= {f"statements/{group}.txt": text.encode() for group, text in statements(released)}
    files["README.txt"] = f"Restricted: exact counts, not for publication. {_notice(released)}.\n".encode()
    return files


def _frames(released: Released, before: Released | None) -> dict[str, Callable[[], pl.DataFrame]]:
    cells, quarter = released.cells, released.quarter
    changes = changes_between(before, released) if before is not None else None
    frames: dict[str, Callable[[], pl.DataFrame]] = {
        "flow_and_stock": lambda: flow_and_stock(cells, quarter),
        "declared_against_counted": lambda: declared_against_counted(cells, quarter),
        "modes_against_dcc": lambda: modes_against_dcc(cells, quarter),
        "scorecard": lambda: scorecard(cells, released.facts, changes),
        "targets": lambda: exact_targets(released),
    }
    for measure in _BY_SUPPLIER:
        frames[measure] = lambda measure=measure: restricted_counts(cells, measure)
    return frames


def exact_targets(released: Released) -> pl.DataFrame:
    """The targets from exact counts, which a supplier's own statement rests on."""
    cells = released.cells.filter(pl.col("measure").is_in(["meters", "installations"])).with_columns(
        supplier=pl.col("source_id").replace(group_of()), table=pl.lit(ATOMS)
    )
    running = [_standing(cells, quarter) for quarter in _december_quarters(released)]
    flows = cells.filter(pl.col("measure") == "installations")
    return targets_frame(pl.concat([flows, *running]), quarter_number(released.quarter))


def _december_quarters(released: Released) -> list[str]:
    return sorted({one for one in released.cells["quarter"].unique() if one.endswith("Q4")})


def _standing(cells: pl.DataFrame, quarter: str) -> pl.DataFrame:
    """The stock at a quarter's end as one row for each change before it."""
    own = cells.filter(pl.col("measure") == "meters", pl.col("quarter") <= quarter)
    return own.with_columns(quarter=pl.lit(quarter))


def statements(released: Released) -> Iterator[tuple[str, str]]:
    """For each supplier with a target, the statement that it can publish on its website."""
    targets = exact_targets(released)
    for (group,), rows in targets.group_by("supplier", maintain_order=True):
        yield str(group), _statement(str(group), rows, released)


def _statement(group: str, rows: pl.DataFrame, released: Released) -> str:
    lines = [f"{group_name(group)}: annual smart meter installation targets", f"{_notice(released)}.", ""]
    lines += [_line(row) for row in rows.iter_rows(named=True)]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    sector = row["sector"].replace("_", "-").lower()
    said = [
        f"{row['year']}, {row['fuel'].lower()}, {sector}: target {row['target']:,}, installed {row['done']:,}.",
        f"Meters operated at the end of the year before: {row['base']:,}.",
        f"Of them smart or advanced: {row['coverage_percent']} %.",
        f"Tolerance {row['tolerance_percent']} points of the {row['basis_of_tolerance']}; verified: {row['verified']}.",
    ]
    return " ".join(said)


def _notice(released: Released) -> str:
    return SYNTHETIC_NOTICE if released.facts["synthetic"] else "Not official statistics"
