"""Starts Great Expectations, which no other module does; importing this module takes seconds.

The suites run on a pandas frame whose index is the row key, so that a result lists the keys of the rows that fail.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

# Turns off usage statistics, which would need the network.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
_showwarning = warnings.showwarning
with warnings.catch_warnings():
    # Warnings about its own use of deprecated functions concern its maintainers, not ours.
    warnings.simplefilter("ignore")
    import great_expectations
    from great_expectations.validator.v1_validator import Validator

    from expectations.rows import RowExpectation, row_wise, type_json

    if warnings.showwarning is not _showwarning:
        # The import sends every warning of the process to its log; this undoes that.
        logging.captureWarnings(False)

# This logger would report a temporary folder each time.
logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)

Form = Callable[[type_json], RowExpectation | type_json]
RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one expectation: the keys of the rows that fail, or the error that prevented a result."""

    reason_code: str
    severity: str
    failed: int
    rows: Sequence[int]
    error: str | None


class Engine:
    """Great Expectations in an ephemeral context, with suites that are given in their JSON form.

    `form` converts each expectation before it is judged, by default to its row-wise form.
    """

    def __init__(self, suites: Iterable[type_json], form: Form = row_wise) -> None:
        context = great_expectations.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}  # pyright: ignore[reportAttributeAccessIssue]
        asset = context.data_sources.add_pandas("facts").add_dataframe_asset("block")
        self._block = asset.add_batch_definition_whole_dataframe("block")
        self._suites = {suite["name"]: _suite(suite, form) for suite in suites}

    def verdicts(self, suite: str, facts: pl.DataFrame, key: str) -> list[Verdict]:
        """Returns a verdict for each expectation of the suite on the facts; `key` names the column of row keys."""
        # A batch's own `validate` would make the batch a second time, with a fingerprint of every value.
        validator = Validator(self._block, RESULT_FORMAT, {"dataframe": pandas_frame(facts, key)})
        return [_verdict(result) for result in validator.validate_expectation_suite(self._suites[suite]).results]


def is_row_wise(expectation: type_json) -> bool:
    """Whether an expectation of a suite judges each row by itself, independent of the others."""
    return isinstance(row_wise(expectation), RowExpectation)


def _suite(suite: type_json, form: Form) -> great_expectations.ExpectationSuite:
    expectations = [form(expectation) for expectation in suite["expectations"]]
    return great_expectations.ExpectationSuite(name=suite["name"], expectations=expectations)


def _verdict(result: Any) -> Verdict:
    meta, found = result.expectation_config.meta, result.result or {}
    failed = found.get("unexpected_count", -1)
    error = None if failed >= 0 else _message(result.exception_info)
    return Verdict(meta["reason_code"], meta["severity"], failed, found.get("unexpected_index_list") or (), error)


def _message(exception_info: type_json) -> str:
    # Either one piece of information, or one for each metric that could not be computed.
    infos = [exception_info] if "exception_message" in exception_info else exception_info.values()
    return "; ".join(sorted({str(info["exception_message"]) for info in infos}))


def pandas_frame(facts: pl.DataFrame, key: str) -> pd.DataFrame:
    """Converts facts to the frame that is judged fastest: NumPy columns, texts as categories, the key as the index.

    Nulls become NaN, so booleans and integers that have any become floats (integers are exact below 2**53).
    """
    columns = {name: _pandas_column(facts[name]) for name in facts.columns if name != key}
    return pd.DataFrame(columns, index=pd.Index(facts[key].to_numpy()))


def _pandas_column(column: pl.Series) -> np.ndarray[Any, Any] | pd.Categorical:
    if column.dtype == pl.String:
        codes = column.to_arrow().dictionary_encode()
        return pd.Categorical.from_codes(
            codes.indices.fill_null(-1).to_numpy(zero_copy_only=False), codes.dictionary.to_pylist()
        )
    if column.null_count() == 0:
        return column.to_numpy()
    return column.cast(pl.Float32 if column.dtype == pl.Boolean else pl.Float64).to_numpy()
