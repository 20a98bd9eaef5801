"""Row-wise expectations that say for each row whether it passes, and nothing else: custom ones of Great Expectations.

They judge as the core expectations they extend, but leave out what nobody reads here: the core ones copy the frame
without the nulls of a column up to three times a rule, quote unexpected values, and write a query as long as the list
of rows. On a block that is the difference between a tenth of a second and half a second.
"""

import re
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from great_expectations import expectations as core
from great_expectations.core.id_dict import IDDict
from great_expectations.execution_engine.execution_engine import ExecutionEngine
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies

type_json = dict[str, Any]

# Without columns to name a row by, Great Expectations lists the index labels, and all of them.
ALL_LABELS = {"result_format": "COMPLETE"}


class RowInSet(ColumnMapMetricProvider):
    """Whether a value is one of a set; a null passes."""

    condition_metric_name = "row.in_set"
    condition_value_keys = ("value_set",)
    filter_column_isnull = False

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(self, column: pd.Series, value_set: list[Any], **_kwargs: Any) -> pd.Series:
        return column.isin(value_set) | column.isna()


class RowBetween(ColumnMapMetricProvider):
    """Whether a number lies between bounds, either of which may lack; a null passes."""

    condition_metric_name = "row.between"
    condition_value_keys = ("min_value", "max_value", "strict_min", "strict_max")
    filter_column_isnull = False

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(self, column: pd.Series, **bounds: Any) -> pd.Series:
        passes = pd.Series(np.ones(len(column), dtype=bool), index=column.index)
        least, most = bounds["min_value"], bounds["max_value"]
        if least is not None:
            passes &= column > least if bounds["strict_min"] else column >= least
        if most is not None:
            passes &= column < most if bounds["strict_max"] else column <= most
        return passes | column.isna()


class RowMatchesRegex(ColumnMapMetricProvider):
    """Whether a text contains a match of a regular expression; a null passes."""

    condition_metric_name = "row.matches_regex"
    condition_value_keys = ("regex",)
    filter_column_isnull = False

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(self, column: pd.Series, regex: str, **_kwargs: Any) -> pd.Series:
        texts = column.astype("category").cat
        pattern = re.compile(regex)
        # One more at the end for code -1, which stands for a null.
        passes = np.array([bool(pattern.search(text)) for text in texts.categories] + [True])
        return pd.Series(passes[texts.codes], index=column.index)


class RowExpectation(ColumnMapExpectation):
    """A row-wise expectation whose result holds the number and the index labels of the rows that fail."""

    def get_validation_dependencies(
        self,
        execution_engine: ExecutionEngine[Any] | None = None,  # noqa: ARG002 - Great Expectations names its arguments
        runtime_configuration: type_json | None = None,
        **_kwargs: Any,
    ) -> ValidationDependencies:
        """The metrics of a row-wise result: how many rows there are, how many fail, and which."""
        batch = IDDict(batch_id=self.batch_id)
        column = IDDict(batch, column=self.column)
        values = IDDict({key: getattr(self, key) for key in self.rule_keys()})
        listed = IDDict(values, result_format=ALL_LABELS)
        metrics = {
            "rows": MetricConfiguration("table.row_count", batch),
            "failed": MetricConfiguration(f"{self.map_metric}.unexpected_count", column, values),
            "labels": MetricConfiguration(f"{self.map_metric}.unexpected_index_list", column, listed),
        }
        return ValidationDependencies(metrics, (runtime_configuration or {}).get("result_format", ALL_LABELS))

    @classmethod
    def rule_keys(cls) -> tuple[str, ...]:
        """The arguments that set the rule, without `mostly`: here every row counts."""
        return tuple(key for key in cls.success_keys if key != "mostly")

    def _validate(
        self,
        metrics: type_json,
        runtime_configuration: type_json | None = None,  # noqa: ARG002 - Great Expectations names its arguments
        execution_engine: ExecutionEngine[Any] | None = None,  # noqa: ARG002
    ) -> type_json:
        result = {
            "element_count": metrics["rows"],
            "unexpected_count": metrics["failed"],
            "unexpected_index_list": metrics["labels"],
        }
        return {"success": metrics["failed"] == 0, "result": result}


class ExpectRowToBeInSet(RowExpectation, core.ExpectColumnValuesToBeInSet):
    """`expect_column_values_to_be_in_set`, row-wise."""

    map_metric: ClassVar[str | None] = RowInSet.condition_metric_name


class ExpectRowToBeBetween(RowExpectation, core.ExpectColumnValuesToBeBetween):
    """`expect_column_values_to_be_between`, row-wise."""

    map_metric: ClassVar[str | None] = RowBetween.condition_metric_name


class ExpectRowToMatchRegex(RowExpectation, core.ExpectColumnValuesToMatchRegex):
    """`expect_column_values_to_match_regex`, row-wise."""

    map_metric: ClassVar[str | None] = RowMatchesRegex.condition_metric_name


ROW_WISE: dict[str, type[RowExpectation]] = {
    "expect_column_values_to_be_in_set": ExpectRowToBeInSet,
    "expect_column_values_to_be_between": ExpectRowToBeBetween,
    "expect_column_values_to_match_regex": ExpectRowToMatchRegex,
}


def row_wise(expectation: type_json) -> RowExpectation | type_json:
    """The expectation of a suite in its row-wise form, or as it was where there is none or it has other arguments."""
    form, kwargs = ROW_WISE.get(expectation["type"]), expectation["kwargs"]
    if form is None or not kwargs.keys() <= {"column", *form.rule_keys()}:
        return expectation
    return form(**kwargs, meta=expectation["meta"])
