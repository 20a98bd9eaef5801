"""The row-wise expectations against the core expectations of Great Expectations, which are the oracle."""

import random
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from expectations.run import Checker, suite_json
from tests.expectations.facts import facts
from tests.expectations.test_run import BROKEN

COMPLETE = {"result_format": "COMPLETE", "return_unexpected_index_query": False}


@pytest.fixture(scope="module")
def block(engine: ModuleType) -> Any:
    context = engine.great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("oracle").add_dataframe_asset("block")
    return asset.add_batch_definition_whole_dataframe("block")


def dirty(record: str, seed: int) -> pl.DataFrame:
    chance = random.Random(seed)
    columns = facts(record).columns[1:]
    spoilt = [
        {column: chance.choice([None, BROKEN[column]]) for column in columns if chance.random() < 0.2}
        for _ in range(chance.choice([1, 40]))
    ]
    return facts(record, *spoilt)


def failed(results: Any) -> set[tuple[int, str]]:
    return {
        (row, result.expectation_config.meta["reason_code"])
        for result in results
        for row in result.result.get("unexpected_index_list") or ()
    }


@pytest.mark.parametrize("record", ["MeterInstalled", "PortfolioDeclared", "ServiceMeasured"])
@pytest.mark.parametrize("seed", range(3))
def test_the_verdicts_are_those_of_the_core_expectations(
    checker: Checker, engine: ModuleType, block: Any, record: str, seed: int
) -> None:
    frame = dirty(record, seed)
    suite = engine.great_expectations.ExpectationSuite(**suite_json(record))
    batch = block.get_batch(batch_parameters={"dataframe": engine.pandas_frame(frame, "row")})
    found = checker.check(record, frame).select("row", "reason_code")
    assert set(found.iter_rows()) == failed(batch.validate(suite, result_format=COMPLETE).results)


@pytest.mark.parametrize(
    ("bounds", "failing"),
    [
        ({"min_value": 2, "max_value": 3}, [0, 3]),
        ({"min_value": 2, "strict_min": True}, [0, 1]),
        ({"max_value": 3, "strict_max": True}, [2, 3]),
        ({"min_value": 0}, []),
    ],
)
def test_bounds_may_lack_and_may_be_strict(engine: ModuleType, bounds: dict[str, Any], failing: list[int]) -> None:
    meta = {"reason_code": "X", "sentence": "X.", "severity": "reject"}
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", **bounds}, "meta": meta}
    started = engine.Engine([{"name": "bounds", "expectations": [rule]}])
    frame = pl.DataFrame({"row": [0, 1, 2, 3, 4], "n": [1, 2, 3, 4, None]}, schema={"row": pl.UInt32, "n": pl.Int64})
    (verdict,) = started.verdicts("bounds", frame, "row")
    assert list(verdict.rows) == failing


def test_an_expectation_with_arguments_of_its_own_stays_a_core_expectation(engine: ModuleType) -> None:
    meta = {"reason_code": "X", "sentence": "X.", "severity": "reject"}
    kwargs = {"column": "n", "value_set": [1]}
    known = {"type": "expect_column_values_to_be_in_set", "kwargs": kwargs, "meta": meta}
    condition = {"type": "comparison", "column": {"name": "n"}, "operator": ">", "parameter": 0}
    conditional = known | {"kwargs": kwargs | {"row_condition": condition}}
    other = known | {"type": "expect_column_values_to_not_be_in_set"}
    assert engine.row_wise(known).expectation_type == "expect_row_to_be_in_set"
    assert engine.row_wise(conditional) is conditional
    assert engine.row_wise(other) is other


def test_a_core_expectation_in_a_suite_lists_all_its_rows_too(engine: ModuleType) -> None:
    meta = {"reason_code": "X", "sentence": "X.", "severity": "warning"}
    rule = {"type": "expect_column_values_to_not_be_in_set", "kwargs": {"column": "n", "value_set": [1]}, "meta": meta}
    started = engine.Engine([{"name": "core", "expectations": [rule]}])
    frame = pl.DataFrame({"row": range(10, 510), "n": [1, None] * 250})
    (verdict,) = started.verdicts("core", frame, "row")
    assert (verdict.failed, list(verdict.rows)) == (250, list(range(10, 510, 2)))


def test_nulls_turn_booleans_and_integers_into_floats_and_texts_into_categories(engine: ModuleType) -> None:
    columns = {"row": [9, 8], "b": [True, None], "n": [2**53, None], "t": ["a", None], "whole": [1, 2]}
    frame = engine.pandas_frame(pl.DataFrame(columns), "row")
    assert frame.index.to_list() == [9, 8]
    assert frame.isna().sum().to_dict() == {"b": 1, "n": 1, "t": 1, "whole": 0}
    assert frame["n"].to_list()[0] == 2**53
    assert frame["t"].dtype == "category"
