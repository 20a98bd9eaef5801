"""The record schemas are those of the contract, word for word: this table is written by hand."""

import json
from typing import Any

import pytest

from schemas import codes, registry

ENVELOPE = (
    "event_id string",
    "action NEW|AMEND|VOID",
    "corrects null|string",
    "source_id string",
    "fuel ELECTRICITY|GAS",
    "meter_point_id string",
    "effective_at timestamp-millis",
    "reported_at timestamp-millis",
)
METER_TYPE = "meter_type SMETS1|SMETS2|ADVANCED|NON_SMART"
ANY_MODE = "operating_mode SMART|TRADITIONAL|NOT_APPLICABLE"
SECTOR = "sector DOMESTIC|NON_DOMESTIC"
PAYMENT_MODE = "payment_mode CREDIT|PREPAYMENT"
SUPPLY_REASON = "reason SWITCH|SOLR|NEW|BOOK_TRANSFER"
CSP_REGION = "csp_region NORTH|CENTRAL|SOUTH"

FURTHER_FIELDS = {
    "MeterInstalled": (
        METER_TYPE,
        ANY_MODE,
        SECTOR,
        PAYMENT_MODE,
        "region_code string",
        "local_authority_code null|string",
        "install_reason OPENING_POSITION|SMART_FOR_NON_SMART|SMART_FOR_SMART|NEW_CONNECTION|NON_SMART_REPLACEMENT",
        "device_id null|string",
        "hub_id null|string",
        "in_home_display OFFERED_ACCEPTED|OFFERED_DECLINED|ALREADY_HELD|NOT_OFFERED",
        "upfront_charge_pence int",
    ),
    "MeterRemoved": ("reason REPLACED|FAULT|DEMOLITION|DE_ENERGISED|OTHER",),
    "OperatingModeChanged": (
        "operating_mode SMART|TRADITIONAL",
        "cause CHURN|WAN|COMMISSIONING|FIRMWARE|SUSPENDED|HUB|HAN|OTHER|UNKNOWN",
    ),
    "SupplyGained": (ANY_MODE, SUPPLY_REASON),
    "SupplyLost": (SUPPLY_REASON,),
    "PaymentModeChanged": (PAYMENT_MODE,),
    "InstallationVisit": (
        "appointment_id string",
        "requested_on null|date",
        "offered_on null|date",
        (
            "outcome COMPLETED|PARTIAL_ONE_FUEL|NO_ACCESS|CUSTOMER_DECLINED|CUSTOMER_CANCELLED|ABORT_TECHNICAL"
            "|ABORT_SAFETY|ABORT_NO_WAN|ABORT_HAN|SUPPLIER_CANCELLED"
        ),
        "fault_side null|SUPPLIER|CUSTOMER|THIRD_PARTY",
        "vulnerable_customer boolean",
        "energy_advice_given boolean",
        "display_demonstrated boolean",
    ),
    "FaultCase": ("case_id string", "stage REPORTED|PLAN_ISSUED|RESOLVED"),
    "PortfolioDeclared": ("quarter string", SECTOR, METER_TYPE, ANY_MODE, "region_code string", "meters long"),
    "DeviceStatusChanged": (
        "device_id string",
        "device_type ESME|GSME|GPF|CHF|HCALCS|PPMID|IHD|CAD",
        (
            "status Pending|Whitelisted|InstalledNotCommissioned|Commissioned|Decommissioned|Suspended|Withdrawn"
            "|Recovery|Recovered|NotApplicable"
        ),
    ),
    "CommissioningCompleted": ("device_id string", "result SUCCESS|FAIL|TIMEOUT", "duration_seconds int"),
    "HubConnectivityChanged": ("hub_id string", "connected boolean", CSP_REGION),
    "Smets1Migrated": ("device_id string", "was ACTIVE|DORMANT", "result SUCCESS|FAIL"),
    "CredentialsChanged": ("device_id string", "to_source_id string", "result SUCCESS|FAIL"),
    "ServiceMeasured": (
        "day date",
        CSP_REGION,
        "generation SMETS1|SMETS2",
        "measure string",
        "numerator long",
        "denominator long",
    ),
}

# The code list that each enum of the wire must equal.
CODE_LISTS = {
    "Action": codes.ACTIONS,
    "Fuel": codes.FUELS,
    "MeterType": codes.METER_TYPES,
    "OperatingMode": codes.OPERATING_MODES,
    "SmetsOperatingMode": codes.SMETS_OPERATING_MODES,
    "Sector": codes.SECTORS,
    "PaymentMode": codes.PAYMENT_MODES,
    "InstallReason": codes.INSTALL_REASONS,
    "InHomeDisplay": codes.IN_HOME_DISPLAY_ANSWERS,
    "RemovalReason": codes.REMOVAL_REASONS,
    "ModeCause": codes.MODE_CAUSES,
    "SupplyReason": codes.SUPPLY_REASONS,
    "VisitOutcome": codes.VISIT_OUTCOMES,
    "FaultSide": codes.FAULT_SIDES,
    "FaultStage": codes.FAULT_STAGES,
    "DeviceType": codes.DEVICE_TYPES,
    "DeviceStatus": codes.DEVICE_STATUSES,
    "CommissioningResult": codes.COMMISSIONING_RESULTS,
    "Result": codes.RESULTS,
    "CspRegion": codes.CSP_REGIONS,
    "Generation": codes.SMETS_GENERATIONS,
    "MigrationState": codes.MIGRATION_STATES,
}
PHYSICAL = {"timestamp-millis": "long", "date": "int"}


def branches(avro_type: Any) -> list[Any]:
    """The branches of a union, or the type alone."""
    return avro_type if isinstance(avro_type, list) else [avro_type]


def notation(avro_type: Any) -> str:
    """A type as the table above writes it."""
    if isinstance(avro_type, list):
        return "|".join(map(notation, avro_type))
    if isinstance(avro_type, str):
        return avro_type
    if avro_type["type"] == "enum":
        return "|".join(avro_type["symbols"])
    assert avro_type["type"] == PHYSICAL[avro_type["logicalType"]]
    return avro_type["logicalType"]


def enums(record: str) -> list[dict[str, Any]]:
    """Every enum of a record."""
    found = [branch for field in registry.current()[record].schema["fields"] for branch in branches(field["type"])]
    return [branch for branch in found if isinstance(branch, dict) and branch["type"] == "enum"]


def test_the_contract_has_these_records_and_no_others() -> None:
    assert tuple(FURTHER_FIELDS) == codes.RECORDS
    assert {path.stem for path in registry.AVRO_DIR.glob("*.avsc")} == set(codes.RECORDS)


@pytest.mark.parametrize("record", codes.RECORDS)
def test_a_record_has_exactly_these_fields_in_this_order(record: str) -> None:
    fields = registry.current()[record].schema["fields"]
    assert tuple(f"{field['name']} {notation(field['type'])}" for field in fields) == ENVELOPE + FURTHER_FIELDS[record]


@pytest.mark.parametrize("record", codes.RECORDS)
def test_every_enum_on_the_wire_equals_its_code_list(record: str) -> None:
    for enum in enums(record):
        assert tuple(enum["symbols"]) == CODE_LISTS[enum["name"]], enum["name"]


def test_every_code_list_of_the_wire_is_used() -> None:
    assert {enum["name"] for record in codes.RECORDS for enum in enums(record)} == set(CODE_LISTS)


@pytest.mark.parametrize("record", codes.RECORDS)
def test_a_file_holds_one_record_of_its_own_name_in_the_namespace_of_version_1(record: str) -> None:
    schema = json.loads((registry.AVRO_DIR / f"{record}.avsc").read_text(encoding="utf-8"))
    assert (schema["type"], schema["name"], schema["namespace"]) == ("record", record, "gb.smartmeter.v1")


@pytest.mark.parametrize("record", codes.RECORDS)
def test_every_record_and_field_is_described_by_a_sentence(record: str) -> None:
    schema = registry.current()[record].schema
    assert all(described["doc"].endswith(".") for described in (schema, *schema["fields"]))


@pytest.mark.parametrize("record", codes.RECORDS)
def test_a_field_that_may_be_null_is_null_by_default(record: str) -> None:
    for field in registry.current()[record].schema["fields"]:
        assert ("null" in branches(field["type"])) == ("default" in field), field["name"]
        assert field.get("default") is None


def test_supplier_records_and_dcc_records_share_no_name_and_make_up_the_contract() -> None:
    assert not set(codes.SUPPLIER_RECORDS) & set(codes.DCC_RECORDS)
    assert set(codes.RECORDS_WITHOUT_METER_POINT) < set(codes.RECORDS)


def test_lists_that_are_part_of_another_list_use_its_words() -> None:
    assert set(codes.SMETS_TYPES) < set(codes.METER_TYPES)
    assert set(codes.SMETS_OPERATING_MODES) | {codes.NOT_APPLICABLE} == set(codes.OPERATING_MODES)
    assert codes.SMETS_GENERATIONS == codes.SMETS_TYPES
    assert set(codes.RESULTS) < set(codes.COMMISSIONING_RESULTS)
    assert codes.EXCHANGED not in codes.REMOVAL_REASONS
