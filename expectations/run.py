"""Runs the suites of Great Expectations on blocks of facts and names the rows that fail, with the reason.

The suites are the JSON files in `suites/`, one a record, in Great Expectations' own form. This is the one module
that imports Great Expectations, and only when a `Checker` is made: the import takes seconds.
"""

import functools
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

SUITES_DIR = Path(__file__).parent / "suites"
ROW = "row"
FINDINGS = {"row": pl.UInt32, "reason_code": pl.String, "severity": pl.String}
RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [ROW],
    "return_unexpected_index_query": False,
}


class RuleBrokenError(RuntimeError):
    """A rule could not be judged: the fault is in the suite or in the facts, not in the data."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation of a suite: the column it judges and what a row that fails is told."""

    suite: str
    type: str
    column: str
    reason_code: str
    severity: str
    sentence: str


def suite_names() -> tuple[str, ...]:
    """The names of all suites, sorted."""
    return tuple(sorted(path.stem for path in SUITES_DIR.glob("*.json")))


@functools.cache
def suite_json(name: str) -> dict[str, Any]:
    """A suite as its file holds it. Raises FileNotFoundError where there is none of that name."""
    return json.loads((SUITES_DIR / f"{name}.json").read_text(encoding="utf-8"))


def _rules_of(name: str) -> Iterator[Rule]:
    for expectation in suite_json(name)["expectations"]:
        meta = expectation["meta"]
        column = expectation["kwargs"]["column"]
        yield Rule(name, expectation["type"], column, meta["reason_code"], meta["severity"], meta["sentence"])


@functools.cache
def rules(suite: str | None = None) -> tuple[Rule, ...]:
    """The rules of one suite, or of all, in the files' order; read without Great Expectations."""
    names = (suite,) if suite else suite_names()
    return tuple(rule for name in names for rule in _rules_of(name))


class Checker:
    """Great Expectations, ready to judge blocks; making one costs the import of the library, so make one a process."""

    def __init__(self) -> None:
        import great_expectations

        # Great Expectations sends every Python warning of the process to its log; give them back.
        logging.captureWarnings(False)
        context = great_expectations.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("facts").add_dataframe_asset("block")
        self._block = asset.add_batch_definition_whole_dataframe("block")
        self._suites = {name: great_expectations.ExpectationSuite(**suite_json(name)) for name in suite_names()}

    def check(self, record: str, facts: pl.DataFrame) -> pl.DataFrame:
        """One row for each row and reason that failed: row, reason_code, severity; sorted, each once.

        A null is not judged. Raises RuleBrokenError where a rule cannot be judged, ValueError where a column lacks.
        """
        columns = {rule.column for rule in rules(record)}
        lacking = sorted({ROW, *columns} - set(facts.columns))
        if lacking:
            raise ValueError(f"The facts of {record} lack the columns {', '.join(lacking)}.")
        frame = facts.select(ROW, *sorted(columns)).to_pandas()
        batch = self._block.get_batch(batch_parameters={"dataframe": frame})
        result = batch.validate(self._suites[record], result_format=RESULT_FORMAT)
        found = [_findings(record, one) for one in result.results]
        return pl.concat([pl.DataFrame(schema=FINDINGS), *found]).unique().sort("row", "reason_code")


def _findings(suite: str, result: Any) -> pl.DataFrame:
    meta = result.expectation_config.meta
    code = meta["reason_code"]
    if not result.result:
        raise RuleBrokenError(f"Rule {code} of suite {suite} could not be judged: {result.exception_info}")
    rows = [index[ROW] for index in result.result.get("unexpected_index_list") or ()]
    if len(rows) != result.result["unexpected_count"]:
        raise RuleBrokenError(f"Rule {code} of suite {suite} counted other rows than it listed.")
    return pl.DataFrame({"row": rows}, schema={"row": pl.UInt32}).with_columns(
        reason_code=pl.lit(code), severity=pl.lit(meta["severity"])
    )
