"""The draft publisher: until releases exist, it copies a run over synthetic data to the published tables.

Real data has no way out through here: a run that is not marked synthetic is refused.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from pipelines.store import ReleaseRecord, Store
from schemas.quarters import numbers_of, quarter_number, texts_of
from schemas.tables import PUBLISHED_INSTALLATIONS, PUBLISHED_STOCK, SYNTHETIC_NOTICE

DRAFT: Final = "draft"
PROVISIONAL: Final = "[p]"
# The official series begins here; what was in place before is the stock of this quarter.
FIRST_QUARTER: Final = "2012Q4"
STOCK_COLUMNS: Final = PUBLISHED_STOCK.column_names[1:]
INSTALLATION_COLUMNS: Final = PUBLISHED_INSTALLATIONS.column_names[1:]
CELL: Final = ("source_id", "region_code", "fuel", "sector", "meter_type", "operating_mode", "payment_mode")
QUARTERS_OF_DATA: Final = ("installations", "declarations")


class DraftError(Exception):
    """The current run may not or cannot be published; the message is one sentence."""


class NotSynthetic(DraftError):
    """The current run holds data that no draft may show."""


class NothingToPublish(DraftError):
    """The current run has no cell by which a quarter could be published."""


class ReleasesExist(DraftError):
    """The store has releases; exact figures of a draft must not stand beside them."""


@dataclass(frozen=True, slots=True)
class DraftReport:
    """What was published. `negative_stock` counts cells of a quarter left out because more left them than entered."""

    run_id: str
    last_quarter: str
    stock_rows: int
    installation_rows: int
    negative_stock: int


def publish_draft(store: Store, published_at: datetime, last_quarter: str | None = None) -> DraftReport:
    """The current run stands in the published tables as vintage `draft`, up to and with `last_quarter`.

    By default that is the newest quarter with an installation or a declaration. Raises NotSynthetic,
    NothingToPublish, ReleasesExist and StoreError; then the former draft stands.
    """
    run = store.current_run()
    if store.vintages():
        raise ReleasesExist(f"The store {store.name} has releases, beside which no draft is published.")
    if not run.synthetic:
        raise NotSynthetic(
            f"The run {run.run_id} in {store.name} is not marked synthetic; only synthetic data may be a draft."
        )
    cells = store.cells(run.run_id, ("meters", *QUARTERS_OF_DATA))
    last = last_quarter or newest_quarter(cells)
    if last is None:
        raise NothingToPublish(f"The run {run.run_id} in {store.name} has no installation and no declaration yet.")
    every = stock(cells, last)
    held = every.filter(pl.col("meters") > 0)
    fitted = installations(cells, last)
    title = f"Smart meters in Great Britain to {last}: draft"
    release = ReleaseRecord(DRAFT, title, published_at, last, SYNTHETIC_NOTICE, PROVISIONAL, DRAFT)
    store.write_release(release, held, fitted)
    return DraftReport(run.run_id, last, held.height, fitted.height, every.height - held.height)


def newest_quarter(cells: pl.DataFrame) -> str | None:
    """The newest quarter that an installation or a declaration reaches; None where there is neither."""
    quarters = cells.filter(pl.col("measure").is_in(QUARTERS_OF_DATA))["quarter"]
    return str(quarters.max()) if len(quarters) else None


def installations(cells: pl.DataFrame, last_quarter: str) -> pl.DataFrame:
    """Meters fitted, by cell and reason, up to and with a quarter: published_installations without vintage."""
    counted = cells.filter(pl.col("measure") == "installations", pl.col("quarter") <= last_quarter)
    renamed = counted.rename({"detail": "install_reason", "value": "installations"})
    return renamed.with_columns(pl.lit(PROVISIONAL).alias("marker")).select(INSTALLATION_COLUMNS)


def stock(cells: pl.DataFrame, last_quarter: str) -> pl.DataFrame:
    """Meters in place at the end of each quarter from FIRST_QUARTER to the last, wherever they are not 0.

    Published_stock without vintage. A number below 0 is a defect of the data and is still in the frame.
    """
    first, last = quarter_number(FIRST_QUARTER), quarter_number(last_quarter)
    changes = (
        cells.filter(pl.col("measure") == "meters", pl.col("quarter") <= last_quarter)
        .select(*CELL, numbers_of(pl.col("quarter")).clip(lower_bound=first).alias("from"), "value")
        .group_by(*CELL, "from")
        .agg(pl.col("value").sum())
        .sort(*CELL, "from")
    )
    until = pl.col("from").shift(-1).over(CELL).fill_null(last + 1)
    spells = changes.with_columns(pl.col("value").cum_sum().over(CELL).alias("meters"), until.alias("until"))
    quarters = spells.filter(pl.col("meters") != 0).with_columns(pl.int_ranges("from", "until").alias("number"))
    named = quarters.explode("number").with_columns(
        texts_of(pl.col("number")).alias("quarter"), pl.lit(PROVISIONAL).alias("marker")
    )
    return named.select(STOCK_COLUMNS)
