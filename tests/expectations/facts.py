"""Facts of events as the suites want them: builders that start from an event nothing is wrong with."""

from typing import Any

import polars as pl

from schemas.codes import RECORDS

DAY_MS = 86_400_000
ROLLOUT_MS = 1_199_145_600_000

EVERY_RECORD: dict[str, Any] = {
    "event_id_ok": True,
    "source_known": True,
    "source_is_owner": True,
    "record_for_source": True,
    "meter_point_format_ok": True,
    "mpan_check_digit_ok": True,
    "mprn_check_digit_ok": True,
    "correction_names_target": True,
    "effective_after_reported_ms": DAY_MS,
    "reported_after_received_ms": DAY_MS,
    "effective_at_unless_opening_ms": ROLLOUT_MS,
    "source_active": True,
}
FURTHER: dict[str, dict[str, Any]] = {
    "MeterInstalled": {
        "region_of_distributor": True,
        "region_code": "E12000007",
        "mode_fits_type": True,
        "domestic_upfront_charge_pence": 0,
        "reason_fits_type": True,
        "device_named": True,
        "hub_named": True,
        "local_authority_has_form": True,
    },
    "PortfolioDeclared": {"region_code": "S92000003", "mode_fits_type": True, "quarter": "2026Q3", "meters": 0},
    "ServiceMeasured": {"numerator": 0, "denominator": 0},
}
ALWAYS_JUDGED = (
    "event_id_ok",
    "source_known",
    "source_is_owner",
    "meter_point_format_ok",
    "correction_names_target",
)
TYPES: dict[type, type[pl.DataType]] = {bool: pl.Boolean, int: pl.Int64, str: pl.String}
ONE_OF_EACH = {record: EVERY_RECORD | FURTHER.get(record, {}) for record in RECORDS}


def types_of(record: str) -> dict[str, type[pl.DataType]]:
    """The columns and types of a record's facts."""
    types = {name: TYPES[type(value)] for name, value in ONE_OF_EACH[record].items()}
    if "domestic_upfront_charge_pence" in types:
        types["domestic_upfront_charge_pence"] = pl.Int32
    return {"row": pl.UInt32} | types


def facts(record: str, *changes: dict[str, Any]) -> pl.DataFrame:
    """One event for each change to an event that nothing is wrong with; rows are keyed 0, 1, 2 and so on."""
    events = [{"row": row} | ONE_OF_EACH[record] | change for row, change in enumerate(changes)]
    return pl.DataFrame(events, schema=types_of(record))


def not_judged(record: str) -> dict[str, None]:
    """The change that leaves nothing to judge but what is judged of a withdrawal too."""
    return dict.fromkeys(set(ONE_OF_EACH[record]) - set(ALWAYS_JUDGED))
