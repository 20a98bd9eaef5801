"""The ledger and the published tables of layout 2.

A migration is history: it names its columns and code lists itself, whatever the schemas say later.
"""

from alembic import op

revision = "0001"
down_revision = None

CODES = {
    "fuel": "ELECTRICITY GAS",
    "sector": "DOMESTIC NON_DOMESTIC",
    "meter_type": "SMETS1 SMETS2 ADVANCED NON_SMART",
    "operating_mode": "SMART TRADITIONAL NOT_APPLICABLE",
    "payment_mode": "CREDIT PREPAYMENT",
    "status": "received accepted duplicate superseded pending rejected unknown",
    "record_type": "MeterInstalled MeterRemoved OperatingModeChanged SupplyGained SupplyLost PaymentModeChanged "
    "InstallationVisit FaultCase PortfolioDeclared DeviceStatusChanged CommissioningCompleted HubConnectivityChanged "
    "Smets1Migrated CredentialsChanged ServiceMeasured",
    "install_reason": "OPENING_POSITION SMART_FOR_NON_SMART SMART_FOR_SMART NEW_CONNECTION NON_SMART_REPLACEMENT",
    "marker": "p r e b c low x z u",
}
CELL = "quarter source_id region_code fuel sector meter_type operating_mode payment_mode"
# The key's columns, all text; then the other columns, each with its type unless that is text.
TABLES = {
    "ledger_cells": (f"run_id measure {CELL} detail", "value bigint"),
    "ledger_intake": ("run_id owner status", "records bigint"),
    "ledger_quarantine": ("", "run_id, owner, record_type, reason_code, sentence, provenance, rows bigint"),
    "published_releases": ("vintage", "title, published_at timestamptz, last_quarter, data_notice, marker"),
    "published_stock": (f"vintage {CELL}", "meters bigint, marker"),
    "published_installations": (f"vintage {CELL} install_reason", "installations bigint, marker"),
}
FURTHER = """
    -- Room on every page for the new version of a row: a stream writes the same cells again and again, and a version on
    -- the same page needs no entry in the index.
    ALTER TABLE ledger_cells SET (fillfactor = 50);
    ALTER TABLE ledger_intake SET (fillfactor = 50);
    CREATE TABLE runs (
        run_id text PRIMARY KEY,
        started_at timestamptz NOT NULL,
        finished_at timestamptz NOT NULL,
        kind text NOT NULL,
        synthetic boolean NOT NULL,
        as_at timestamptz,
        as_at_basis text NOT NULL,
        key_id text NOT NULL,
        rule_version text NOT NULL,
        schema_version text NOT NULL,
        code_version text NOT NULL,
        inputs text NOT NULL,
        received bigint NOT NULL
    );
    CREATE TABLE store_version (number integer PRIMARY KEY);
    INSERT INTO store_version VALUES (2);
    CREATE INDEX ix_ledger_quarantine_provenance ON ledger_quarantine (run_id, owner, provenance);
    CREATE TABLE current_run (
        slot integer PRIMARY KEY CHECK (slot = 1),
        run_id text NOT NULL REFERENCES runs,
        former_run_id text REFERENCES runs
    );
    CREATE TABLE streams (
        run_id text PRIMARY KEY REFERENCES runs,
        baseline_run_id text REFERENCES runs,
        live boolean NOT NULL
    );
    CREATE TABLE fences (
        run_id text NOT NULL REFERENCES runs,
        key text NOT NULL,
        number bigint NOT NULL,
        written_at timestamptz NOT NULL,
        PRIMARY KEY (run_id, key)
    ) WITH (fillfactor = 50);
"""


def upgrade() -> None:
    """Creates all tables of the layout, empty."""
    for name, (key, columns) in TABLES.items():
        op.execute(_table(name, key.split(), columns.split(", ")))
    op.execute(FURTHER)


def downgrade() -> None:
    """Raises NotImplementedError, since no layout came before."""
    raise NotImplementedError("drop the database instead")


def _table(name: str, key: list[str], columns: list[str]) -> str:
    typed = [column if " " in column else f"{column} text" for column in (*key, *columns)]
    parts = [f"{column} NOT NULL" for column in typed]
    if key:
        parts.append(f"PRIMARY KEY ({', '.join(key)})")
    coded = [column.split(" ")[0] for column in typed if column.split(" ")[0] in CODES]
    checks = [f"CONSTRAINT ck_{name}_{column} CHECK ({_one_of(column)})" for column in coded]
    return f"CREATE TABLE {name} ({', '.join((*parts, *checks))})"


def _one_of(column: str) -> str:
    return " OR ".join(f"{column} = '{word}'" for word in (*CODES[column].split(" "), ""))
