"""The columns of the ledger and of the published tables, each with its meaning in one sentence, a unit and a note code.

Pages, spreadsheet notes, CSVW metadata and the API take their words from here.
"""

from dataclasses import dataclass
from typing import Literal

Type = Literal["text", "integer", "timestamp", "bytes"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a stored table."""

    name: str
    type: Type
    meaning: str
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A stored table: its name, the meaning of a row, its columns and which of them are unique together."""

    name: str
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names in the stored order."""
        return tuple(column.name for column in self.columns)


QUARTER = Column("quarter", "text", "Calendar quarter by the local date in Great Britain, such as 2026Q3.", "quarter")
SOURCE = Column("source_id", "text", "Market participant id of the supplier or other source.")
REGION = Column("region_code", "text", "ONS code of the region.", note="geography")
FUEL = Column("fuel", "text", "Electricity or gas.")
SECTOR = Column("sector", "text", "Domestic or non-domestic premises.", note="sector")
METER_TYPE = Column("meter_type", "text", "SMETS1, SMETS2, advanced or not smart.", note="meter_type")
MODE = Column("operating_mode", "text", "Smart or traditional mode; not applicable to other meters.", note="mode")
PAYMENT = Column("payment_mode", "text", "Credit or prepayment.")
DETAIL = Column("detail", "text", "The measure's own breakdown, such as the reason or the outcome.")
VALUE = Column("value", "integer", "The count; it is never 0.", "meters or events", "value")
RUN = Column("run_id", "text", "The run that wrote the row.")
MARKER = Column(
    "marker",
    "text",
    "Status of the figure, such as [p] provisional, [r] revised or [e] [r]; empty for none.",
    note="marker",
)
VINTAGE = Column(
    "vintage", "text", "The release that the figure belongs to; `draft` is not a release yet.", note="vintage"
)

CELL_COLUMNS = (
    Column("measure", "text", "What is counted.", note="measure"),
    QUARTER,
    SOURCE,
    REGION,
    FUEL,
    SECTOR,
    METER_TYPE,
    MODE,
    PAYMENT,
    DETAIL,
    VALUE,
)
CELL_KEY = tuple(column.name for column in CELL_COLUMNS[:-1])
OWNER = Column("owner", "text", "The folder or topic that the records came in by.")

LEDGER_CELLS = Table("ledger_cells", "One exact cell of a run.", (RUN, *CELL_COLUMNS), ("run_id", *CELL_KEY))
LEDGER_INTAKE = Table(
    "ledger_intake",
    "What became of the records of one owner in a run.",
    (
        RUN,
        OWNER,
        Column("status", "text", "Received, or what became of it.", note="conservation"),
        Column("records", "integer", "How many records.", "records"),
    ),
    ("run_id", "owner", "status"),
)
LEDGER_QUARANTINE = Table(
    "ledger_quarantine",
    "Records of a run that were rejected, with the reason.",
    (
        RUN,
        OWNER,
        Column("record_type", "text", "Name of the record; empty where it could not be told."),
        Column("reason_code", "text", "Reason codes, sorted and joined by a semicolon."),
        Column("sentence", "text", "The reasons in plain English."),
        Column("provenance", "text", "File and row, or topic, partition and offset; empty for history rules."),
        Column("rows", "integer", "How many records.", "records"),
    ),
    (),
)

PUBLISHED_RELEASES = Table(
    "published_releases",
    "One release of the statistics.",
    (
        VINTAGE,
        Column("title", "text", "The release's title."),
        Column("published_at", "timestamp", "When it was published, UTC."),
        Column("last_quarter", "text", "The newest complete quarter in it.", "quarter"),
        Column("data_notice", "text", "What kind of data it holds, to be shown with every figure."),
        MARKER,
        Column("release_status", "text", "Draft, provisional or final."),
        Column("figures", "integer", "How many counts it publishes.", "figures"),
        Column("changed_figures", "integer", "How many of them differ from the release before.", "figures"),
    ),
    ("vintage",),
)
_PUBLISHED_CELL = (VINTAGE, QUARTER, SOURCE, REGION, FUEL, SECTOR, METER_TYPE, MODE, PAYMENT)
_PUBLISHED_KEY = tuple(column.name for column in _PUBLISHED_CELL)
PUBLISHED_STOCK = Table(
    "published_stock",
    "Meters in place at a quarter's end, by cell.",
    (
        *_PUBLISHED_CELL,
        Column("meters", "integer", "Meters in place at the end of the quarter.", "meters", "value"),
        MARKER,
    ),
    _PUBLISHED_KEY,
)
PUBLISHED_INSTALLATIONS = Table(
    "published_installations",
    "Meters fitted in a quarter, by cell.",
    (
        *_PUBLISHED_CELL,
        Column("install_reason", "text", "Why the meter was fitted.", note="install_reason"),
        Column("installations", "integer", "Meters fitted in the quarter.", "meters", "value"),
        MARKER,
    ),
    (*_PUBLISHED_KEY, "install_reason"),
)

RELEASE_VINTAGES = Table(
    "release_vintages",
    "What a release was made from and what it published; restricted, and never changed.",
    (
        VINTAGE,
        Column("quarter", "text", "The newest quarter in it.", "quarter"),
        Column("release_status", "text", "Provisional or final."),
        Column("created_at", "timestamp", "When it was made, UTC."),
        Column("facts", "text", "Inputs, versions, policies, checks and certificate, as JSON."),
        Column("cells", "bytes", "The exact cells that it was made from, as Parquet."),
        Column("figures", "bytes", "Every public count, as Parquet."),
    ),
    ("vintage",),
)

LEDGER_TABLES = (LEDGER_CELLS, LEDGER_INTAKE, LEDGER_QUARANTINE)
PUBLISHED_TABLES = (PUBLISHED_RELEASES, PUBLISHED_STOCK, PUBLISHED_INSTALLATIONS)
SYNTHETIC_NOTICE = "Synthetic data, not official statistics"
