"""Runs the suites on blocks of facts and names the rows that fail, with the reason.

The suites are the JSON files in `suites/`, one a record, in Great Expectations' own form: a rule is changed there.
Reading them needs no Great Expectations; only a `Checker` does, and it imports it when it is made.
"""

import functools
import importlib
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from schemas.codes import RECORDS

if TYPE_CHECKING:
    from expectations.engine import Engine, Verdict

SUITES_DIR = Path(__file__).parent / "suites"
ROW = "row"
CELLS = "cells"
SUITES = (*RECORDS, CELLS)
FINDINGS = {ROW: pl.UInt32, "reason_code": pl.String, "severity": pl.String}

type_json = dict[str, Any]


class UnjudgedRuleError(RuntimeError):
    """A rule could not be judged: the fault is in the suite or in the facts, not in the data."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation of a suite: the columns it needs, and what becomes of a row that fails and what it is told."""

    suite: str
    type: str
    columns: tuple[str, ...]
    reason_code: str
    severity: str
    sentence: str


@functools.cache
def suite_json(name: str) -> type_json:
    """A suite as its file holds it; raises FileNotFoundError where there is none of that name."""
    return json.loads((SUITES_DIR / f"{name}.json").read_text(encoding="utf-8"))


def _condition_columns(condition: type_json) -> Iterator[str]:
    if "column" in condition:
        yield condition["column"]["name"]
    for part in condition.get("conditions", ()):
        yield from _condition_columns(part)


def _columns(kwargs: type_json) -> tuple[str, ...]:
    return (kwargs["column"], *_condition_columns(kwargs.get("row_condition", {})))


@functools.cache
def rules_of(suite: str) -> tuple[Rule, ...]:
    """The rules of one suite in the file's order."""
    return tuple(
        Rule(suite, one["type"], _columns(one["kwargs"]), meta["reason_code"], meta["severity"], meta["sentence"])
        for one in suite_json(suite)["expectations"]
        for meta in (one["meta"],)
    )


def rules() -> tuple[Rule, ...]:
    """The rules of all records, record by record in the contract's order; read without Great Expectations."""
    return tuple(rule for record in RECORDS for rule in rules_of(record))


def columns_of(suite: str) -> tuple[str, ...]:
    """The columns that a suite judges or needs, sorted."""
    return tuple(sorted({column for rule in rules_of(suite) for column in rule.columns}))


class Checker:
    """Great Expectations ready to judge blocks; making one costs seconds, so make one a process, where it is used."""

    def __init__(self) -> None:
        self._engine: Engine = importlib.import_module("expectations.engine").Engine(map(suite_json, SUITES))
        # Great Expectations keeps the block it judges under one name, so one block at a time.
        self._lock = threading.Lock()

    def check(self, record: str, facts: pl.DataFrame) -> pl.DataFrame:
        """One row for each row and reason that failed, each once, sorted: row, reason_code, severity.

        Every rule of the record's suite judges every row; a null is not judged. Raises UnjudgedRuleError where a rule
        could not be judged, ValueError where a column lacks.
        """
        columns = columns_of(record)
        lacking = sorted({ROW, *columns} - set(facts.columns))
        if lacking:
            raise ValueError(f"The facts of {record} lack the columns {', '.join(lacking)}.")
        if facts.is_empty():
            return pl.DataFrame(schema=FINDINGS)
        with self._lock:
            verdicts = self._engine.verdicts(record, facts.select(ROW, *columns), ROW)
        if len(verdicts) != len(rules_of(record)):
            raise UnjudgedRuleError(f"Suite {record} gave {len(verdicts)} results.")
        return _findings(record, verdicts)


def _findings(suite: str, verdicts: "Iterable[Verdict]") -> pl.DataFrame:
    found = [_failed_rows(suite, verdict) for verdict in verdicts if verdict.failed]
    return pl.concat([pl.DataFrame(schema=FINDINGS), *found]).unique().sort(ROW, "reason_code")


def _failed_rows(suite: str, verdict: "Verdict") -> pl.DataFrame:
    rule = f"Rule {verdict.reason_code} of suite {suite}"
    if verdict.error is not None:
        raise UnjudgedRuleError(f"{rule} could not be judged: {verdict.error}")
    if len(verdict.rows) != verdict.failed:
        raise UnjudgedRuleError(f"{rule} counted {verdict.failed} rows and listed {len(verdict.rows)}.")
    return pl.select(
        pl.Series(ROW, verdict.rows, pl.UInt32),
        reason_code=pl.lit(verdict.reason_code),
        severity=pl.lit(verdict.severity),
    )
