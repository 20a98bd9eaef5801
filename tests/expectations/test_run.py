import subprocess
import sys
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from expectations.run import Checker, UnjudgedRuleError, _failed_rows, columns_of, rules
from schemas.codes import RECORDS
from tests.expectations.facts import DAY_MS, ONE_OF_EACH, ROLLOUT_MS, facts, not_judged

# For each reason code: a record that can get it, the column and values that provoke it, and values that do not.
CASES: dict[str, tuple[str, str, list[Any], list[Any]]] = {
    "EVENT_ID_FORMAT": ("SupplyLost", "event_id_ok", [False], [True]),
    "SOURCE_UNKNOWN": ("SupplyGained", "source_known", [False], [True]),
    "SOURCE_NOT_OWNER": ("FaultCase", "source_is_owner", [False], [True]),
    "RECORD_NOT_FOR_SOURCE": ("Smets1Migrated", "record_for_source", [False], [True, None]),
    "METER_POINT_FORMAT": ("MeterRemoved", "meter_point_format_ok", [False], [True]),
    "MPAN_CHECK_DIGIT": ("OperatingModeChanged", "mpan_check_digit_ok", [False], [True, None]),
    "REGION_UNKNOWN": ("MeterInstalled", "region_code", ["E12000010", "", "e12000007"], ["W92000004", None]),
    "MODE_TYPE_MISMATCH": ("PortfolioDeclared", "mode_fits_type", [False], [True, None]),
    "UPFRONT_CHARGE": ("MeterInstalled", "domestic_upfront_charge_pence", [1, -1], [0, None]),
    "EFFECTIVE_AFTER_REPORTED": (
        "PaymentModeChanged",
        "effective_after_reported_ms",
        [DAY_MS + 1, 10**12],
        [DAY_MS, 0, -(10**12), None],
    ),
    "REPORTED_AFTER_RECEIVED": (
        "InstallationVisit",
        "reported_after_received_ms",
        [DAY_MS + 1],
        [DAY_MS, 0, -(10**12), None],
    ),
    "EFFECTIVE_BEFORE_ROLLOUT": (
        "CredentialsChanged",
        "effective_at_unless_opening_ms",
        [ROLLOUT_MS - 1, 0],
        [ROLLOUT_MS, None],
    ),
    "CORRECTION_WITHOUT_TARGET": ("DeviceStatusChanged", "correction_names_target", [False], [True]),
    "QUARTER_FORMAT": (
        "PortfolioDeclared",
        "quarter",
        ["2026Q5", "2026Q0", "2026q3", "26Q3", "2026Q3\n", " 2026Q3", "2026-Q3", "\u0662\u0660\u0662\u0666Q3", ""],
        ["2026Q1", "2012Q4", None],
    ),
    "COUNT_NEGATIVE": ("ServiceMeasured", "numerator", [-1], [0, 1, None]),
    "MPRN_CHECK_DIGIT": ("HubConnectivityChanged", "mprn_check_digit_ok", [False], [True, None]),
    "REGION_NOT_OF_DISTRIBUTOR": ("MeterInstalled", "region_of_distributor", [False], [True, None]),
    "SOURCE_NOT_ACTIVE": ("CommissioningCompleted", "source_active", [False], [True, None]),
    "REASON_TYPE_ODD": ("MeterInstalled", "reason_fits_type", [False], [True, None]),
    "DEVICE_MISSING": ("MeterInstalled", "device_named", [False], [True, None]),
    "HUB_MISSING": ("MeterInstalled", "hub_named", [False], [True, None]),
    "LOCAL_AUTHORITY_FORMAT": ("MeterInstalled", "local_authority_has_form", [False], [True, None]),
}
# A bad value for each column, to break each rule of each record in turn.
BROKEN = {column: bad[0] for _, column, bad, _ in CASES.values()} | {"meters": -1, "denominator": -1}


def codes_by_row(findings: pl.DataFrame) -> dict[int, list[str]]:
    grouped = findings.group_by("row").agg(pl.col("reason_code").sort())
    return dict(zip(grouped["row"].to_list(), grouped["reason_code"].to_list(), strict=True))


def test_every_reason_of_a_rule_is_tried_here() -> None:
    assert set(CASES) == {rule.reason_code for rule in rules()}


@pytest.mark.parametrize("code", CASES)
def test_the_reason_is_given_where_it_holds(checker: Checker, code: str) -> None:
    record, column, bad, _ = CASES[code]
    found = checker.check(record, facts(record, *({column: value} for value in bad)))
    assert codes_by_row(found) == {row: [code] for row in range(len(bad))}


@pytest.mark.parametrize("code", CASES)
def test_the_reason_is_not_given_where_it_does_not_hold(checker: Checker, code: str) -> None:
    record, column, _, good = CASES[code]
    assert checker.check(record, facts(record, *({column: value} for value in good))).is_empty()


@pytest.mark.parametrize("record", RECORDS)
def test_each_rule_of_a_record_finds_its_own_row_and_no_other(checker: Checker, record: str) -> None:
    columns = list(columns_of(record))
    found = checker.check(record, facts(record, {}, *({column: BROKEN[column]} for column in columns)))
    expected = {rule.columns[0]: rule for rule in rules() if rule.suite == record}
    assert found.rows() == [
        (row, expected[column].reason_code, expected[column].severity) for row, column in enumerate(columns, start=1)
    ]


@pytest.mark.parametrize("record", RECORDS)
def test_a_null_is_not_judged(checker: Checker, record: str) -> None:
    assert checker.check(record, facts(record, {}, not_judged(record))).is_empty()
    assert checker.check(record, facts(record, not_judged(record))).is_empty()


def test_a_row_gets_all_its_reasons_and_each_once(checker: Checker) -> None:
    negative = {"numerator": -1, "denominator": -1, "source_active": False}
    found = checker.check("ServiceMeasured", facts("ServiceMeasured", {}, negative))
    assert found.rows() == [(1, "COUNT_NEGATIVE", "reject"), (1, "SOURCE_NOT_ACTIVE", "warning")]


def test_findings_do_not_depend_on_the_order_of_rows_and_keep_their_keys(checker: Checker) -> None:
    changes = [{column: BROKEN[column]} for column in columns_of("MeterInstalled")] + [{}, not_judged("MeterInstalled")]
    block = facts("MeterInstalled", *changes).with_columns(row=pl.lit(4_000_000_000, pl.UInt32) - pl.col("row") * 7)
    found = checker.check("MeterInstalled", block)
    assert found.height == len(changes) - 2
    for seed in range(3):
        shuffled = block.sample(fraction=1, shuffle=True, seed=seed)
        assert checker.check("MeterInstalled", shuffled).equals(found)


def test_no_rows_give_no_findings_of_the_same_shape(checker: Checker) -> None:
    nothing = checker.check("SupplyLost", facts("SupplyLost"))
    something = checker.check("SupplyLost", facts("SupplyLost", {"event_id_ok": False}))
    assert nothing.is_empty()
    assert nothing.schema == something.schema
    assert dict(something.schema) == {"row": pl.UInt32, "reason_code": pl.String, "severity": pl.String}


def test_columns_that_no_rule_names_do_not_matter(checker: Checker) -> None:
    block = facts("FaultCase", {"source_known": False}).with_columns(other=pl.lit("anything"))
    assert codes_by_row(checker.check("FaultCase", block)) == {0: ["SOURCE_UNKNOWN"]}


def test_a_missing_column_is_named(checker: Checker) -> None:
    lacking = facts("SupplyGained", {}).drop("source_known", "row")
    with pytest.raises(ValueError, match=r"^The facts of SupplyGained lack the columns row, source_known\.$"):
        checker.check("SupplyGained", lacking)


def test_a_rule_that_cannot_be_judged_is_our_fault_and_is_named(checker: Checker) -> None:
    wrong = facts("SupplyGained", {}).with_columns(effective_after_reported_ms=pl.lit("soon"))
    with pytest.raises(UnjudgedRuleError, match="Rule EFFECTIVE_AFTER_REPORTED of suite SupplyGained"):
        checker.check("SupplyGained", wrong)


def test_a_result_that_lists_fewer_rows_than_it_counts_is_our_fault(engine: ModuleType) -> None:
    with pytest.raises(UnjudgedRuleError, match="counted 2 rows and listed 1"):
        _failed_rows("SupplyGained", engine.Verdict("SOURCE_UNKNOWN", "reject", 2, [7], None))


def test_checking_prints_nothing(checker: Checker, capfd: pytest.CaptureFixture[str]) -> None:
    checker.check("FaultCase", facts("FaultCase", {}, {"source_known": False}))
    assert capfd.readouterr() == ("", "")


def test_the_facts_of_the_tests_have_the_columns_of_the_suites() -> None:
    assert {record: tuple(sorted(columns)) for record, columns in ONE_OF_EACH.items()} == {
        record: columns_of(record) for record in RECORDS
    }


def test_reading_the_rules_does_not_load_great_expectations() -> None:
    code = (
        "import sys, expectations.run as run; run.rules(); print({'great_expectations', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
