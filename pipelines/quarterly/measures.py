"""The measures: what each counts, which dimensions it names and the words of its detail.

A new measure is one entry here and one small function in `counting.py`.
"""

from dataclasses import dataclass
from typing import Final

from schemas import codes

_SEVEN: Final = ("source_id", "region_code", "fuel", "sector", "meter_type", "operating_mode", "payment_mode")
_SENDER: Final = ("source_id", "fuel")
_DECLARED: Final = _SEVEN[:6]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of `ledger_cells`: its name, meaning, named dimensions and detail words.

    `text_column` is the column that a free text fills, such as a local authority's code.
    """

    name: str
    meaning: str
    dimensions: tuple[str, ...]
    details: tuple[str, ...] = ()
    text_column: str = ""


_ALL: Final = (
    Measure("meters", "Net change of meters in place between two quarter ends.", _SEVEN),
    Measure(
        "meters_local",
        "Net change of meters in place by local authority.",
        ("fuel", "sector", "meter_type", "operating_mode"),
        text_column="region_code",
    ),
    Measure("installations", "Meters fitted, opening positions left out.", _SEVEN, codes.INSTALL_REASONS),
    Measure("removals", "Meters taken away.", _SEVEN, (*codes.REMOVAL_REASONS, codes.EXCHANGED)),
    Measure("takeovers", "Exchanges by a source that was not the supplier.", _SEVEN, codes.INSTALL_REASONS),
    Measure("mode_losses", "Changes from smart to traditional mode.", _SEVEN, codes.MODE_CAUSES),
    Measure("mode_recoveries", "Changes from traditional to smart mode.", _SEVEN, codes.MODE_CAUSES),
    Measure("switches", "Supplies gained by another supplier.", _SEVEN, codes.SUPPLY_REASONS),
    Measure("inconsistent", "Events that the meter's history contradicts.", _SENDER, codes.INCONSISTENCIES),
    Measure(
        "displays", "In-home display answers at domestic smart installations.", _SEVEN, codes.IN_HOME_DISPLAY_ANSWERS
    ),
    Measure("visits", "Installation visits by outcome.", _SENDER, codes.VISIT_OUTCOMES),
    Measure("visits_supported", "Visits to vulnerable customers by support given.", _SENDER, codes.VISIT_SUPPORT),
    Measure("reporting_delay", "Supplier events by days from effect to report.", _SENDER, codes.REPORTING_DELAYS),
    Measure("declared_meters", "Meters that suppliers declared themselves.", _DECLARED),
    Measure("declarations", "Control totals that stand, zeros included.", _DECLARED),
    Measure(
        "mode_disagreements", "Net change of meters whose inferred mode differs.", _SEVEN, codes.SMETS_OPERATING_MODES
    ),
    Measure("commissionings", "Commissioning attempts by result.", _SENDER, codes.COMMISSIONING_RESULTS),
    Measure(
        "hub_connectivity",
        "Hubs that lost or regained the network, by service provider region.",
        _SENDER,
        tuple(f"{region}_{state}" for region in codes.CSP_REGIONS for state in ("LOST", "REGAINED")),
    ),
    Measure(
        "migrations",
        "Migrations of SMETS1 meters by former state and result.",
        _SENDER,
        tuple(f"{state}_{result}" for state in codes.MIGRATION_STATES for result in codes.RESULTS),
    ),
    Measure("credentials_changes", "Handovers of credentials by result.", _SENDER, codes.RESULTS),
    Measure("device_statuses", "Changes of a device's status, by new status.", _SENDER, codes.DEVICE_STATUSES),
    Measure("service_numerator", "What went well, by region, generation and measure.", _SENDER, text_column="detail"),
    Measure("service_denominator", "What was tried, by region, generation and measure.", _SENDER, text_column="detail"),
)
MEASURES: Final[dict[str, Measure]] = {measure.name: measure for measure in _ALL}
