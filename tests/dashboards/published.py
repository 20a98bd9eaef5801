"""Builds stores that hold nothing but published tables, for the dashboard's tests."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from schemas.geography import region_codes
from schemas.quarters import quarters_between
from schemas.sources import supplier_ids
from schemas.tables import PUBLISHED_TABLES, SYNTHETIC_NOTICE, Table

TYPES = {"text": sa.String, "integer": sa.Integer, "timestamp": sa.String}
RELEASE = {
    "vintage": "draft",
    "title": "Smart meters in Great Britain, draft",
    "published_at": "2026-11-24T09:30:00+00:00",
    "last_quarter": "2026Q3",
    "data_notice": SYNTHETIC_NOTICE,
    "marker": "p",
}
# How far a region is behind (below 0) or ahead of the rest, in logits.
LEADS = dict(zip(region_codes(), (0.2, 0.1, 0.25, 0.2, 0.1, 0.1, -0.5, 0.0, 0.0, -0.1, -0.55), strict=True))
WEIGHTS = dict(zip(region_codes(), (4, 11, 8, 7, 9, 10, 13, 14, 9, 5, 9), strict=True))

Row = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Meters:
    """Meters in place, or fitted, in one cell; every field has a plain default so that a test names what matters."""

    quarter: str = "2026Q3"
    source_id: str = "BGAS"
    region_code: str = "E12000007"
    fuel: str = "ELECTRICITY"
    sector: str = "DOMESTIC"
    meter_type: str = "SMETS2"
    operating_mode: str = "SMART"
    payment_mode: str = "CREDIT"
    number: int = 1
    install_reason: str = "SMART_FOR_NON_SMART"
    marker: str = "p"

    def row(self, value: str) -> Row:
        """As a row of the stock (`meters`) or of the installations (`installations`)."""
        names = (
            "quarter",
            "source_id",
            "region_code",
            "fuel",
            "sector",
            "meter_type",
            "operating_mode",
            "payment_mode",
        )
        row = {name: getattr(self, name) for name in names} | {"vintage": "draft", "marker": self.marker}
        return (
            row | {value: self.number} | ({"install_reason": self.install_reason} if value == "installations" else {})
        )


def _table(metadata: sa.MetaData, table: Table) -> sa.Table:
    columns = [
        sa.Column(column.name, TYPES[column.type], primary_key=column.name in table.key) for column in table.columns
    ]
    return sa.Table(table.name, metadata, *columns)


def published(path: Path, release: dict[str, str] | None, stock: list[Row], installations: list[Row]) -> str:
    """Writes a store with these rows and gives its address; without a release its tables are empty."""
    metadata = sa.MetaData()
    releases, stocks, fitted = (_table(metadata, table) for table in PUBLISHED_TABLES)
    sa.Index("stock_by_quarter", stocks.c.vintage, stocks.c.quarter)
    url = f"sqlite:///{path}"
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table, rows in ((releases, [release] if release else []), (stocks, stock), (fitted, installations)):
            if rows:
                connection.execute(sa.insert(table), rows)
    engine.dispose()
    return url


def of_meters(path: Path, stock: list[Meters], fitted: list[Meters] | None = None) -> str:
    """A store that holds exactly these meters."""
    return published(
        path, RELEASE, [one.row("meters") for one in stock], [one.row("installations") for one in fitted or []]
    )


def _share(quarter: str, region: str, supplier_lead: float) -> float:
    years = int(quarter[:4]) + (int(quarter[5]) - 1) / 4 - 2021.75
    return 1 / (1 + math.exp(-(0.28 * years + LEADS[region] + supplier_lead)))


def _cells(quarters: tuple[str, ...], suppliers: tuple[str, ...], scale: int) -> Iterator[tuple[Meters, float]]:
    for quarter, (position, supplier), region in itertools.product(quarters, enumerate(suppliers), region_codes()):
        share = _share(quarter, region, 0.3 - 0.12 * position)
        base = scale * WEIGHTS[region] / (position + 1)
        for fuel, sector, weight in (
            ("ELECTRICITY", "DOMESTIC", 1.0),
            ("GAS", "DOMESTIC", 0.8),
            ("ELECTRICITY", "NON_DOMESTIC", 0.1),
            ("GAS", "NON_DOMESTIC", 0.05),
        ):
            cell = Meters(quarter, supplier, region, fuel, sector, number=round(base * weight))
            yield cell, share - (0.06 if fuel == "GAS" else 0.0)


def _kinds(cell: Meters, share: float) -> Iterator[Meters]:
    lost = 0.14 if cell.fuel == "GAS" else 0.08
    advanced = 0.4 if cell.sector == "NON_DOMESTIC" else 0.0
    parts = (
        ("SMETS1", "SMART", share * 0.3 * (1 - lost)),
        ("SMETS1", "TRADITIONAL", share * 0.3 * lost),
        ("SMETS2", "SMART", share * (0.7 - advanced) * (1 - lost)),
        ("SMETS2", "TRADITIONAL", share * (0.7 - advanced) * lost),
        ("ADVANCED", "NOT_APPLICABLE", share * advanced),
        ("NON_SMART", "NOT_APPLICABLE", 1 - share),
    )
    for meter_type, mode, part in parts:
        if number := round(cell.number * part):
            yield replace(cell, meter_type=meter_type, operating_mode=mode, number=number)


def _fitted(cell: Meters, share: float) -> Iterator[Meters]:
    season = 1 + 0.08 * math.sin(2 * int(cell.quarter[5]) + int(cell.quarter[:4]))
    new = cell.number * share * (1 - share) * 0.07 * season
    parts = (
        ("SMETS2", "SMART", "SMART_FOR_NON_SMART", new),
        ("SMETS1", "SMART", "SMART_FOR_NON_SMART", new * 0.3 if cell.quarter < "2019Q3" else 0),
        ("SMETS2", "SMART", "NEW_CONNECTION", new * 0.08),
        ("SMETS2", "SMART", "SMART_FOR_SMART", new * 0.25),
        ("ADVANCED", "NOT_APPLICABLE", "SMART_FOR_NON_SMART", new * 0.3 if cell.sector == "NON_DOMESTIC" else 0),
        ("NON_SMART", "NOT_APPLICABLE", "NON_SMART_REPLACEMENT", new * 0.05),
    )
    for meter_type, mode, reason, part in parts:
        if number := round(part):
            yield replace(cell, meter_type=meter_type, operating_mode=mode, install_reason=reason, number=number)


def plausible(path: Path, first: str = "2024Q1", suppliers: int = 4, scale: int = 300) -> str:
    """A made-up Britain of a few thousand cells (more of everything on demand), the same at every call."""
    quarters = quarters_between(first, RELEASE["last_quarter"])
    stock: list[Row] = []
    fitted: list[Row] = []
    for cell, share in _cells(quarters, supplier_ids()[:suppliers], scale):
        stock.extend(one.row("meters") for one in _kinds(cell, share))
        fitted.extend(one.row("installations") for one in _fitted(cell, share))
    return published(path, RELEASE, stock, fitted)


PUBLISHED_ON = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
