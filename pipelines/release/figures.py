"""Public figures: what each table counts, as sums of protected atoms.

A figure's measure is one of MEASURES: a measure of atoms, narrowed by a condition that its meaning says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from pipelines.release.atoms import DIMENSIONS, FIRST_QUARTER
from pipelines.release.suppliers import SMALL
from schemas.geography import regions
from schemas.quarters import QUARTERS_A_YEAR, texts_of

LARGE: Final = "LARGE"
ENGLAND: Final = "E92000001"
ATOMS: Final = "atoms"
# The suppliers of a row by their size, which stands in the dimension `supplier`.
SIZE: Final = "supplier_size"
# The regions, and England beside them, which stand in the dimension `region`.
PLACE: Final = "place"
STANDS_IN: Final = {SIZE: "supplier", PLACE: "region"}
Period = Literal["quarter", "year", "december", "march", "newest march", "newest"]
Population = Literal["all", "large"]
_SMETS: Final = pl.col("meter_type").is_in(["SMETS1", "SMETS2"])
_ADVANCED: Final = pl.col("meter_type") == "ADVANCED"
_TRADITIONAL: Final = _SMETS & (pl.col("operating_mode") == "TRADITIONAL")
_COMPARABLE: Final = (pl.col("meter_type") != "NON_SMART") & pl.col("detail").is_in(
    ["SMART_FOR_NON_SMART", "NEW_CONNECTION"]
)
_EVERY: Final = pl.lit(value=True)


@dataclass(frozen=True, slots=True, eq=False)
class FigureMeasure:
    """What a figure counts: a measure of atoms, the atoms of it that count, and a sentence of meaning."""

    name: str
    of: str
    meaning: str
    which: pl.Expr = field(default_factory=lambda: _EVERY)


_ALL: Final = (
    FigureMeasure("meters", "meters", "Meters in place at the end of the quarter."),
    FigureMeasure("smart_meters", "meters", "SMETS meters in either mode.", _SMETS),
    FigureMeasure(
        "smart_and_advanced_meters", "meters", "SMETS meters in either mode, and advanced.", _SMETS | _ADVANCED
    ),
    FigureMeasure(
        "working_smart_meters",
        "meters",
        "SMETS meters in smart mode, and advanced meters.",
        (_SMETS & ~_TRADITIONAL) | _ADVANCED,
    ),
    FigureMeasure(
        "manually_read_meters",
        "meters",
        "Meters that cannot send a reading: not smart, or in traditional mode.",
        _TRADITIONAL | (pl.col("meter_type") == "NON_SMART"),
    ),
    FigureMeasure(
        "comparable_installations",
        "installations",
        "Smart and advanced meters fitted in the quarter where there was none, comparable with the official series.",
        _COMPARABLE,
    ),
    FigureMeasure(
        "comparable_installations_in_year",
        "installations",
        "Smart and advanced meters fitted in the year where there was none, comparable with the official series.",
        _COMPARABLE,
    ),
    FigureMeasure("installations", "installations", "Meters of any kind fitted in the quarter, for any reason."),
    FigureMeasure("removals", "removals", "Meters taken away in the quarter."),
    FigureMeasure("takeovers", "takeovers", "Exchanges by a source that was not the supplier."),
    FigureMeasure("mode_losses", "mode_losses", "Changes from smart to traditional mode in the quarter, by cause."),
    FigureMeasure("mode_recoveries", "mode_recoveries", "Changes from traditional to smart mode in the quarter."),
    FigureMeasure("switches", "switches", "Supplies gained by another supplier in the quarter."),
    FigureMeasure("displays", "displays", "Answers about an in-home display at domestic smart installations."),
    FigureMeasure("visits", "visits", "Installation visits in the quarter, by outcome."),
    FigureMeasure("visits_supported", "visits_supported", "Visits to vulnerable customers, by support given."),
    FigureMeasure("inconsistent", "inconsistent", "Events that the history of their meter contradicts."),
    FigureMeasure("reporting_delay", "reporting_delay", "Supplier events by the days from effect to report."),
    FigureMeasure(
        "mode_disagreements",
        "mode_disagreements",
        "SMETS meters whose mode the DCC's records contradict, at quarter end.",
    ),
    FigureMeasure("meters_local", "meters_local", "Meters in place by local authority at the end of March."),
    FigureMeasure("smart_meters_local", "meters_local", "SMETS meters by local authority at the end of March.", _SMETS),
    FigureMeasure("commissionings", "commissionings", "Commissioning attempts in the quarter, by result."),
    FigureMeasure("hub_connectivity", "hub_connectivity", "Hubs that lost or regained the network, by region."),
    FigureMeasure("migrations", "migrations", "Migrations of SMETS1 meters, by former state and result."),
    FigureMeasure("credentials_changes", "credentials_changes", "Handovers of credentials, by result."),
    FigureMeasure("device_statuses", "device_statuses", "Changes of a device's status, by new status."),
    FigureMeasure("service_numerator", "service_numerator", "What the DCC's service did well."),
    FigureMeasure("service_denominator", "service_denominator", "What the DCC's service tried."),
)
MEASURES: Final = {one.name: one for one in _ALL}


@dataclass(frozen=True, slots=True)
class Count:
    """A column of counts: its label, what it counts, and the values that dimensions must have."""

    label: str
    measure: str
    only: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """A column of per cents: the sum of some columns divided by the sum of others."""

    label: str
    of: tuple[str, ...]
    within: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A published table: what each row is, its columns, one sentence of definition and its notes.

    `rows` are the dimensions that tell the rows of a period apart, or SIZE: large suppliers, small ones, and all. Of a
    `newest` table only the last quarter is shown.
    """

    name: str
    title: str
    definition: str
    period: Period
    counts: tuple[Count, ...]
    rows: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    population: Population = "all"
    notes: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of its files, without an ending."""
        return f"table_{self.name}"


def figures_of(atoms: pl.DataFrame, table: Table, last_quarter: int) -> pl.DataFrame:
    """The table's figures: `quarter` (Int32), its row dimensions, one Int64 column a count, and `estimated`.

    A quarter or row in which everything is 0 is in the result if its period has begun.
    """
    parts = [_counted(atoms, table, count, last_quarter) for count in table.counts]
    long = pl.concat(parts) if parts else pl.DataFrame()
    key = ["quarter", *table.rows]
    columns = [
        pl.col("value").filter(pl.col("count") == i).sum().alias(one.label) for i, one in enumerate(table.counts)
    ]
    wide = long.group_by(key).agg(*columns, pl.col("estimated").any())
    grid = _grid(wide, table, last_quarter)
    labels = [one.label for one in table.counts]
    return (
        grid.join(wide, on=key, how="left")
        .with_columns(pl.col(labels).fill_null(0))
        .with_columns(pl.col("estimated").fill_null(value=False))
        .sort(key)
    )


def _counted(atoms: pl.DataFrame, table: Table, count: Count, last_quarter: int) -> pl.DataFrame:
    measure = MEASURES[count.measure]
    conditions = [pl.col("measure") == measure.of, measure.which]
    conditions += [pl.col(name) == value for name, value in count.only]
    if table.population == "large":
        conditions.append(pl.col("supplier") != SMALL)
    own = atoms.filter(*conditions, *_in_period(table.period, last_quarter))
    if table.period == "year":
        own = own.with_columns(_last_of_year().alias("quarter"))
    own = _with_sizes(own) if SIZE in table.rows else own
    own = _with_england(own) if PLACE in table.rows else own
    sums = own.group_by("quarter", *table.rows).agg(pl.col("value").sum(), pl.col("estimated").any())
    place = table.counts.index(count)
    return sums.with_columns(count=pl.lit(place, pl.Int32))


def _last_of_year() -> pl.Expr:
    year = pl.col("quarter") // QUARTERS_A_YEAR
    return (year * QUARTERS_A_YEAR + QUARTERS_A_YEAR - 1).cast(pl.Int32)


def _in_period(period: Period, last_quarter: int) -> list[pl.Expr]:
    quarter, place = pl.col("quarter"), pl.col("quarter") % QUARTERS_A_YEAR + 1
    match period:
        case "year":
            return [_last_of_year() <= last_quarter]
        case "december":
            return [place == QUARTERS_A_YEAR]
        case "march":
            return [place == 1]
        case "newest march":
            return [quarter == newest_march(last_quarter)]
        case "newest":
            return [quarter == last_quarter]
        case "quarter":
            return []


def newest_march(last_quarter: int) -> int:
    """The newest first quarter of a year up to a quarter."""
    return last_quarter // QUARTERS_A_YEAR * QUARTERS_A_YEAR


def periods(period: Period, last_quarter: int) -> list[int]:
    """The quarters that a table of a period has rows for, of a year its last."""
    quarters = range(FIRST_QUARTER, last_quarter + 1)
    ends = {"year": QUARTERS_A_YEAR, "december": QUARTERS_A_YEAR, "march": 1}
    if period in ("newest", "newest march"):
        return [last_quarter if period == "newest" else newest_march(last_quarter)]
    return [one for one in quarters if period == "quarter" or one % QUARTERS_A_YEAR + 1 == ends[period]]


def _with_england(own: pl.DataFrame) -> pl.DataFrame:
    """The atoms by place: those of English regions once more as England's."""
    english = [code for code, one in regions().items() if one.country_code == ENGLAND]
    of_england = own.filter(pl.col("region").is_in(english)).with_columns(pl.lit(ENGLAND).alias(PLACE))
    return pl.concat([own.with_columns(pl.col("region").alias(PLACE)), of_england])


def _with_sizes(own: pl.DataFrame) -> pl.DataFrame:
    """The atoms by size of the supplier, and once more as all suppliers'."""
    size = pl.when(pl.col("supplier") == SMALL).then(pl.lit(SMALL)).otherwise(pl.lit(LARGE))
    return pl.concat([own.with_columns(size.alias(SIZE)), own.with_columns(pl.lit("").alias(SIZE))])


def _grid(wide: pl.DataFrame, table: Table, last_quarter: int) -> pl.DataFrame:
    quarters = pl.DataFrame({"quarter": periods(table.period, last_quarter)}, schema={"quarter": pl.Int32})
    if not table.rows:
        return quarters
    return quarters.join(wide.select(table.rows).unique(), how="cross")


TIDY: Final = ("quarter", "table", "measure", *DIMENSIONS)
_TIDY_TYPES: Final = {**dict.fromkeys(TIDY, pl.String), "value": pl.Int64, "estimated": pl.Boolean}


def tidy_of(atoms: pl.DataFrame, tables: Sequence[Table], last_quarter: int) -> pl.DataFrame:
    """Every public count, one a row: TIDY (text), `value` and `estimated`; the atoms are those of table `atoms`.

    An atom that is 0 has no row, as it cannot be told from one that is not there.
    """
    own = atoms.with_columns(texts_of(pl.col("quarter")).alias("quarter"), table=pl.lit(ATOMS))
    parts = [own.select(_TIDY_TYPES.keys())]
    for table in tables:
        parts += _tidy_columns(figures_of(atoms, table, last_quarter), table)
    return pl.concat(parts).sort(TIDY)


def _tidy_columns(figures: pl.DataFrame, table: Table) -> Iterable[pl.DataFrame]:
    for count in table.counts:
        only = dict(count.only)
        everyone = LARGE if table.population == "large" else ""
        fixed = {name: only.get(name, everyone if name == "supplier" else "") for name in DIMENSIONS}
        rows = {STANDS_IN.get(name, name): pl.col(name) for name in table.rows}
        dimensions = [rows.get(name, pl.lit(value)).alias(name) for name, value in fixed.items()]
        quarter = texts_of(pl.col("quarter")).alias("quarter")
        words = (pl.lit(table.name).alias("table"), pl.lit(count.measure).alias("measure"))
        yield figures.select(quarter, *words, *dimensions, pl.col(count.label).alias("value"), "estimated")
