"""Rows of many records judged in one go: the verdicts are those of each record's suite by itself."""

import copy
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.run import JOINT_ROWS, Checker, UnjudgedRuleError, suite_json
from schemas.codes import RECORDS
from tests.expectations.facts import facts
from tests.expectations.test_run import BROKEN

CHANGES = st.dictionaries(st.sampled_from(sorted(BROKEN)), st.booleans(), max_size=5)
MIXED = st.lists(st.tuples(st.sampled_from(RECORDS), st.lists(CHANGES, min_size=1, max_size=3)), min_size=1, max_size=6)


def edited(name: str) -> dict[str, Any]:
    """The suites as a statistician might edit them: a threshold of one record, and a rule that sees all rows."""
    suite = copy.deepcopy(suite_json(name))
    for one in suite["expectations"]:
        if name == "SupplyGained" and one["kwargs"]["column"] == "effective_after_reported_ms":
            one["kwargs"]["max_value"] = -1
    if name == "SupplyLost":
        unique = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "effective_after_reported_ms"}}
        suite["expectations"].append(unique | {"meta": suite["expectations"][0]["meta"]})
    return suite


@pytest.fixture(scope="module")
def edited_checker(checker: Checker) -> Checker:
    assert checker
    return Checker(edited)


def block(mixed: list[tuple[str, list[dict[str, bool]]]]) -> pl.DataFrame:
    """Facts of several records under one another; a change breaks a fact or leaves it out."""
    parts = []
    for record, changes in mixed:
        known = set(facts(record).columns)
        spoilt = [
            {c: BROKEN[c] if broken else None for c, broken in change.items() if c in known} for change in changes
        ]
        parts.append(facts(record, *spoilt).with_columns(record=pl.lit(record)))
    together = pl.concat(parts, how="diagonal_relaxed")
    return together.with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))


def one_by_one(checker: Checker, together: pl.DataFrame) -> pl.DataFrame:
    found = []
    for record in together["record"].unique():
        rows = together.filter(pl.col("record") == record)
        found.append(checker.check(record, rows.select("row", *facts(record).columns[1:])))
    return pl.concat(found).sort("row", "reason_code")


@settings(max_examples=25, deadline=None)
@given(MIXED)
def test_mixed_rows_are_judged_as_each_suite_judges_its_own(checker: Checker, mixed: Any) -> None:
    together = block(mixed)
    assert checker.check_records(together).equals(one_by_one(checker, together))


@settings(max_examples=15, deadline=None)
@given(MIXED)
def test_also_after_suites_were_edited(edited_checker: Checker, mixed: Any) -> None:
    together = block([*mixed, ("SupplyGained", [{}]), ("SupplyLost", [{}, {}]), ("FaultCase", [{}])])
    found = edited_checker.check_records(together)
    assert found.equals(one_by_one(edited_checker, together))
    odd = set(together.filter(pl.col("record").is_in(["SupplyGained", "SupplyLost"]))["row"])
    assert odd & set(found["row"])


def test_nothing_is_found_in_no_rows(checker: Checker) -> None:
    assert checker.check_records(block([("FaultCase", [{}])]).clear()).is_empty()


def test_many_rows_of_two_records_are_judged_as_each_suite_judges_its_own(checker: Checker) -> None:
    few = block([("SupplyGained", [{}, {"source_known": True}]), ("MeterInstalled", [{}, {"region_code": True}])])
    many = pl.concat([few] * (JOINT_ROWS // 2 + 1)).with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    found = checker.check_records(many)
    assert found.height == many.height // 2
    assert found.equals(one_by_one(checker, many))


@pytest.mark.parametrize("others", [[], [("FaultCase", [{}])]], ids=["one record", "two records"])
def test_a_fact_that_lacks_is_not_taken_for_one_that_need_not_be_judged(checker: Checker, others: Any) -> None:
    together = block([("MeterInstalled", [{}]), *others])
    with pytest.raises(ValueError, match=r"^The facts of MeterInstalled lack the columns hub_named\.$"):
        checker.check_records(together.drop("hub_named"))


def test_a_rule_that_cannot_be_judged_is_our_fault_for_many_records_too(checker: Checker) -> None:
    together = block([("SupplyGained", [{}]), ("FaultCase", [{}])])
    with pytest.raises(UnjudgedRuleError, match="Rule EFFECTIVE_AFTER_REPORTED of suite joint could not be judged"):
        checker.check_records(together.with_columns(effective_after_reported_ms=pl.lit("soon")))
