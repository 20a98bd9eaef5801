"""Compares the synthetic Britain, or a run's cells of it, with the published figures that it was calibrated to."""

import csv
import functools
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.synthetic.plan import GB_METERS, Plan
from pipelines.synthetic.truth import Truth
from schemas.quarters import first_day, quarter_text
from schemas.sources import sources
from schemas.tables import SYNTHETIC_NOTICE

_CSV: Final = Path(__file__).parent / "calibration.csv"
_CONTRADICTIONS_CSV: Final = Path(__file__).parent / "contradictions.csv"
# (least size in meters of Great Britain, percentage within which such a figure has to be met), largest first.
TOLERANCES: Final = ((5_000_000, 3.0), (1_000_000, 6.0))
_SMETS: Final = pl.col("meter_type").is_in(["SMETS1", "SMETS2"])
_ADVANCED: Final = pl.col("meter_type") == "ADVANCED"
_SMART_MODE: Final = pl.col("operating_mode") == "SMART"
_TRADITIONAL: Final = pl.col("operating_mode") == "TRADITIONAL"
_ALL: Final = pl.lit(value=True)
# The part that each figure counts, and the whole that it is a percentage of (None: it is a number of meters).
_COUNTS: Final[dict[str, tuple[pl.Expr, pl.Expr | None]]] = {
    "all_meters": (_ALL, None),
    "smart_mode": (_SMART_MODE, None),
    "traditional": (_TRADITIONAL, None),
    "non_smart": (pl.col("meter_type") == "NON_SMART", None),
    "smart_and_advanced": (_SMETS | _ADVANCED, None),
    "smart_mode_and_advanced": (_SMART_MODE | _ADVANCED, None),
    "smets1": (pl.col("meter_type") == "SMETS1", None),
    "smets2": (pl.col("meter_type") == "SMETS2", None),
    "advanced": (_ADVANCED, None),
    "smart_share": (_SMETS, _ALL),
    "smart_mode_share": (_SMART_MODE, _ALL),
    "traditional_share": (_TRADITIONAL, _ALL),
    "smart_and_advanced_share": (_SMETS | _ADVANCED, _ALL),
    "smart_mode_share_of_smart": (_SMART_MODE, _SMETS),
    "prepayment_share_of_smart": (_SMETS & (pl.col("payment_mode") == "PREPAYMENT"), _SMETS),
    "installs": (_ALL, None),
    "smets2_share_of_installs": (pl.col("meter_type") == "SMETS2", _ALL),
}
FLOWS: Final = ("installs", "smets2_share_of_installs")
_DIMENSIONS: Final = ("size", "group", "region_code", "fuel", "sector", "meter_type", "operating_mode", "payment_mode")
# Installations that the official series does not count, besides those of non-smart meters.
_LEFT_OUT: Final = ("SMART_FOR_SMART", "NON_SMART_REPLACEMENT")


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure: `period` a quarter (2024Q4: at its end, or in it) or a year; `value` in meters or percent.

    `scope` is suppliers, sector, fuel and region: all/domestic/electricity/GB.
    """

    ref: str
    period: str
    what: str
    scope: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Held:
    """A figure compared with the generated meters.

    `achieved` is scaled to Great Britain; `meters` is the figure's size; `deviation` is in percent of the target;
    `tolerance` is in percent, None if the figure is too small for one.
    """

    figure: Figure
    achieved: float
    meters: float
    deviation: float
    tolerance: float | None

    @property
    def met(self) -> bool:
        """Whether the figure is met within its tolerance; a figure without one always is."""
        return self.tolerance is None or abs(self.deviation) <= self.tolerance


@dataclass(frozen=True, slots=True)
class Report:
    """What was generated and how close it came, computed from the meters themselves, before any dirt."""

    plan: Plan
    files: int
    events: int
    held: tuple[Held, ...]
    cells: pl.DataFrame


@functools.cache
def figures() -> tuple[Figure, ...]:
    """Returns the figures that the targets were calibrated to, in the file's order."""
    with _CSV.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(Figure(r["ref"], r["period"], r["what"], r["scope"], float(r["value"]), r["source"]) for r in rows)


def _described(cells: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Returns the cells of a measure with the source's size class and group."""
    size = {s.source_id: s.size_class.lower() for s in sources().values()}
    group = {s.source_id: s.group for s in sources().values()}
    return cells.filter(pl.col("measure") == measure).with_columns(
        size=pl.col("source_id").replace_strict(size, default=None),
        group=pl.col("source_id").replace_strict(group, default=None),
        sector=pl.col("sector").str.to_lowercase().str.replace("_", "-"),
        fuel=pl.col("fuel").str.to_lowercase(),
    )


def _in_scope(scope: str) -> pl.Expr:
    suppliers, sector, fuel, region = scope.split("/")
    chosen = _ALL
    if suppliers in ("large", "small"):
        chosen &= pl.col("size") == suppliers
    elif suppliers != "all":
        chosen &= pl.col("group") == suppliers
    for column, value, everything in (("sector", sector, "all"), ("fuel", fuel, "both"), ("region_code", region, "GB")):
        if value != everything:
            chosen &= pl.col(column) == value
    return chosen


@dataclass(slots=True)
class _Cells:
    """Cells of stock and of flow; `of` sums them over a figure's period and keeps the sums."""

    stock: pl.DataFrame
    flow: pl.DataFrame
    periods: dict[tuple[str, bool], pl.DataFrame] = field(default_factory=dict)

    def of(self, figure: Figure) -> pl.DataFrame:
        """Returns the cells of a figure's period: stock as the sum up to the quarter, flow in the quarter or year."""
        flow = figure.what in FLOWS
        key = (figure.period, flow)
        if key not in self.periods:
            quarter = pl.col("quarter")
            chosen = quarter.str.starts_with(figure.period) if flow else quarter <= figure.period
            frame = (self.flow if flow else self.stock).filter(chosen)
            self.periods[key] = frame.group_by(_DIMENSIONS).agg(pl.col("value").sum())
        return self.periods[key]


def _hold(figure: Figure, cells: _Cells, scale: float) -> Held:
    part, whole = _COUNTS[figure.what]
    chosen = cells.of(figure).filter(_in_scope(figure.scope))
    counted = int(chosen.filter(part)["value"].sum())
    achieved, size = counted / scale, figure.value
    if whole is not None:
        base = int(chosen.filter(whole)["value"].sum())
        achieved = 100 * counted / base if base else 0.0
        size = figure.value / 100 * base / scale
    deviation = 100 * (achieved - figure.value) / figure.value if figure.value else 0.0
    tolerance = next((percent for least, percent in TOLERANCES if size >= least), None)
    return Held(figure, achieved, size, deviation, tolerance)


def _held(cells: pl.DataFrame, scale: float, last: str) -> tuple[Held, ...]:
    """Compares every figure whose period has ended by the quarter `last`."""
    left_out = pl.col("detail").is_in(_LEFT_OUT) | (pl.col("meter_type") == "NON_SMART")
    held = _Cells(_described(cells, "meters"), _described(cells, "installations").filter(~left_out))
    chosen = [f for f in figures() if (f.period if len(f.period) > 4 else f"{f.period}Q4") <= last]
    return tuple(_hold(figure, held, scale) for figure in chosen)


def report_of(plan: Plan, truth: Truth, files: int, events: int) -> Report:
    """Returns the report of a plan, without the quarters that had not ended by its last day."""
    ended = [number for number in truth.stock if first_day(number + 1) <= plan.until + timedelta(days=1)]
    cells = truth.cells()
    if not ended:
        return Report(plan, files, events, (), cells.clear())
    last = quarter_text(ended[-1])
    cells = cells.filter(pl.col("quarter") <= last)
    return Report(plan, files, events, _held(cells, plan.scale, last), cells)


def compare(cells: pl.DataFrame, meters_scale: float) -> pl.DataFrame:
    """Compares the published figures with a run's cells: one row each, with the columns of `held_frame`.

    `cells` has the columns of `ledger_cells` without the run; `meters_scale` is the number of counted meters for each
    meter of Great Britain (`Plan.scale`). Figures of quarters after the last in the cells are omitted.
    """
    last = cells.filter(pl.col("measure") == "meters")["quarter"].max()
    return held_frame(() if last is None else _held(cells, meters_scale, str(last)))


def held_frame(held: tuple[Held, ...]) -> pl.DataFrame:
    """Returns a table: ref, period, what, scope, target, achieved, deviation_percent, meters, tolerance, met."""
    rows = [
        (f.ref, f.period, f.what, f.scope, f.value, h.achieved, h.deviation, h.meters, h.tolerance, h.met)
        for h in held
        for f in [h.figure]
    ]
    schema = {
        **dict.fromkeys(("ref", "period", "what", "scope"), pl.String),
        **dict.fromkeys(("target", "achieved", "deviation_percent", "meters", "tolerance"), pl.Float64),
        "met": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def report_lines(report: Report) -> list[str]:
    """Returns the report as lines of text for a person."""
    plan = report.plan
    due = [held for held in report.held if held.tolerance is not None]
    size = f"{plan.meters:,} meters (1:{GB_METERS / plan.meters:,.0f}) until {plan.until}"
    met = f"{sum(held.met for held in due)} of the {len(due)} of a million meters or more are met"
    lines = [
        SYNTHETIC_NOTICE,
        f"{size}, seed {plan.seed}, dirt {plan.dirt:g}: {report.events:,} events in {report.files:,} files",
        f"Calibrated to {len(report.held)} published figures; {met} (from 5 million within 3 %, else within 6 %)",
        f"{'ref':>4} {'period':7} {'what':26} {'scope':40} {'published':>12} {'generated':>12} {'off %':>7}",
    ]
    lines += [_line(held) for held in report.held]
    lines.append("Published figures that contradict each other, and what was chosen:")
    return lines + [f"  {', '.join(c.refs)}: {c.contradiction} {c.choice}" for c in contradictions()]


def _line(held: Held) -> str:
    figure = held.figure
    digits = 1 if _COUNTS[figure.what][1] is not None else 0
    numbers = f"{figure.value:>12,.{digits}f} {held.achieved:>12,.{digits}f} {held.deviation:>+7.1f}"
    mark = "" if held.tolerance is None else ("  met" if held.met else "  MISSED")
    return f"{figure.ref:>4} {figure.period:7} {figure.what:26} {figure.scope:40} {numbers}{mark}"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Published figures (by ref) that cannot all be true, how they contradict each other, and what was chosen."""

    refs: tuple[str, ...]
    contradiction: str
    choice: str


@functools.cache
def contradictions() -> tuple[Contradiction, ...]:
    """Returns the figures that contradict each other, in the file's order."""
    with _CONTRADICTIONS_CSV.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(Contradiction(tuple(r["refs"].split(";")), r["contradiction"], r["choice"]) for r in rows)
