"""The code lists of the event contract, each defined here once.

Avro enum symbols, SQL checks, expectation suites and the dashboard's options all come
from these tuples or are held equal to them by a test. The order of a tuple is the order
of the Avro symbols, so a position in it is the code that an event carries on the wire.
"""

from typing import Final

NOT_APPLICABLE: Final = "NOT_APPLICABLE"

ACTIONS: Final = ("NEW", "AMEND", "VOID")
FUELS: Final = ("ELECTRICITY", "GAS")
METER_TYPES: Final = ("SMETS1", "SMETS2", "ADVANCED", "NON_SMART")
SMETS_TYPES: Final = ("SMETS1", "SMETS2")
OPERATING_MODES: Final = ("SMART", "TRADITIONAL", NOT_APPLICABLE)
SMETS_OPERATING_MODES: Final = ("SMART", "TRADITIONAL")
SECTORS: Final = ("DOMESTIC", "NON_DOMESTIC")
PAYMENT_MODES: Final = ("CREDIT", "PREPAYMENT")
INSTALL_REASONS: Final = (
    "OPENING_POSITION",
    "SMART_FOR_NON_SMART",
    "SMART_FOR_SMART",
    "NEW_CONNECTION",
    "NON_SMART_REPLACEMENT",
)
IN_HOME_DISPLAY_ANSWERS: Final = ("OFFERED_ACCEPTED", "OFFERED_DECLINED", "ALREADY_HELD", "NOT_OFFERED")
REMOVAL_REASONS: Final = ("REPLACED", "FAULT", "DEMOLITION", "DE_ENERGISED", "OTHER")
MODE_CAUSES: Final = (
    "CHURN",
    "WAN",
    "COMMISSIONING",
    "FIRMWARE",
    "SUSPENDED",
    "HUB",
    "HAN",
    "OTHER",
    "UNKNOWN",
)
SUPPLY_REASONS: Final = ("SWITCH", "SOLR", "NEW", "BOOK_TRANSFER")
VISIT_OUTCOMES: Final = (
    "COMPLETED",
    "PARTIAL_ONE_FUEL",
    "NO_ACCESS",
    "CUSTOMER_DECLINED",
    "CUSTOMER_CANCELLED",
    "ABORT_TECHNICAL",
    "ABORT_SAFETY",
    "ABORT_NO_WAN",
    "ABORT_HAN",
    "SUPPLIER_CANCELLED",
)
FAULT_SIDES: Final = ("SUPPLIER", "CUSTOMER", "THIRD_PARTY")
FAULT_STAGES: Final = ("REPORTED", "PLAN_ISSUED", "RESOLVED")
DEVICE_TYPES: Final = ("ESME", "GSME", "GPF", "CHF", "HCALCS", "PPMID", "IHD", "CAD")
DEVICE_STATUSES: Final = (
    "Pending",
    "Whitelisted",
    "InstalledNotCommissioned",
    "Commissioned",
    "Decommissioned",
    "Suspended",
    "Withdrawn",
    "Recovery",
    "Recovered",
    "NotApplicable",
)
COMMISSIONING_RESULTS: Final = ("SUCCESS", "FAIL", "TIMEOUT")
RESULTS: Final = ("SUCCESS", "FAIL")
CSP_REGIONS: Final = ("NORTH", "CENTRAL", "SOUTH")
SMETS_GENERATIONS: Final = ("SMETS1", "SMETS2")
MIGRATION_STATES: Final = ("ACTIVE", "DORMANT")

SOURCE_KINDS: Final = ("SUPPLIER", "DCC")
SIZE_CLASSES: Final = ("LARGE", "SMALL", NOT_APPLICABLE)

# Not on the wire: words that only the ledger and the published tables use.
EXCHANGED: Final = "EXCHANGED"
VISIT_SUPPORT: Final = ("ADVICE_AND_DEMONSTRATION", "ADVICE", "DEMONSTRATION", "NONE")
REPORTING_DELAYS: Final = ("D0", "D1-7", "D8-28", "D29-91", "D92+")
INTAKE_STATUSES: Final = ("received", "accepted", "duplicate", "superseded", "pending", "rejected")
MARKERS: Final = ("p", "r", "e", "b", "c", "low", "x", "z", "u")

SUPPLIER_RECORDS: Final = (
    "MeterInstalled",
    "MeterRemoved",
    "OperatingModeChanged",
    "SupplyGained",
    "SupplyLost",
    "PaymentModeChanged",
    "InstallationVisit",
    "FaultCase",
    "PortfolioDeclared",
)
DCC_RECORDS: Final = (
    "DeviceStatusChanged",
    "CommissioningCompleted",
    "HubConnectivityChanged",
    "Smets1Migrated",
    "CredentialsChanged",
    "ServiceMeasured",
)
RECORDS: Final = SUPPLIER_RECORDS + DCC_RECORDS
# Records about a portfolio or a service, not about one meter point: `meter_point_id` is empty.
RECORDS_WITHOUT_METER_POINT: Final = ("PortfolioDeclared", "ServiceMeasured")

INCONSISTENCIES: Final = (
    "SAME_INSTALLATION",
    "ALREADY_PRESENT",
    "NO_METER_YET",
    "NO_METER",
    "ALREADY_SUPPLIER",
    "NOT_CURRENT_SUPPLIER",
    "MODE_NOT_APPLICABLE",
)
