"""Runs the suites on blocks of facts and returns the rows that fail, with the reason.

The suites are the JSON files in `suites/`, one a record, in Great Expectations' own form: rules are changed there.
Only a `Checker` needs Great Expectations, and imports it when it is made; reading the suites does not.
"""

import functools
import importlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
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
# The suite that judges rows of many records at once, and up to how many rows a record this is faster.
JOINT = "joint"
JOINT_ROWS = 5_000
FINDINGS = {ROW: pl.UInt32, "reason_code": pl.String, "severity": pl.String}

type_json = dict[str, Any]


class UnjudgedRuleError(RuntimeError):
    """A rule could not be judged: the fault is in the suite or in the facts, not in the data."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation of a suite: the columns it needs, what becomes of a row that fails, and its sentence."""

    suite: str
    type: str
    columns: tuple[str, ...]
    reason_code: str
    severity: str
    sentence: str


@functools.cache
def suite_json(name: str) -> type_json:
    """Reads a suite from its file; raises FileNotFoundError for an unknown name."""
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
    """Returns the rules of one suite in the file's order."""
    return tuple(
        Rule(suite, one["type"], _columns(one["kwargs"]), meta["reason_code"], meta["severity"], meta["sentence"])
        for one in suite_json(suite)["expectations"]
        for meta in (one["meta"],)
    )


def rules() -> tuple[Rule, ...]:
    """Returns the rules of all records, in the contract's order of records, without Great Expectations."""
    return tuple(rule for record in RECORDS for rule in rules_of(record))


def columns_of(suite: str) -> tuple[str, ...]:
    """Returns the columns that a suite judges or needs, sorted."""
    return columns_in(suite_json(suite))


def columns_in(suite: type_json) -> tuple[str, ...]:
    """Returns the columns that a suite in its JSON form judges or needs, sorted."""
    return tuple(sorted({column for one in suite["expectations"] for column in _columns(one["kwargs"])}))


@dataclass(frozen=True, slots=True)
class Joint:
    """The rules of many suites as one suite, each rule once.

    `masks` are columns for the rules that not every suite has: name, original column, and the records whose rows keep
    its values.
    """

    expectations: tuple[type_json, ...]
    masks: tuple[tuple[str, str, tuple[str, ...]], ...]

    def columns(self, facts: pl.DataFrame) -> list[pl.Expr]:
        """Returns the expressions that turn the facts' columns into those that the rules name."""
        made = {name: (of, records) for name, of, records in self.masks}
        wanted = {one["kwargs"]["column"] for one in self.expectations}
        return [_masked(facts, name, *made.get(name, (name, RECORDS))) for name in sorted(wanted)]


def _masked(facts: pl.DataFrame, name: str, of: str, records: tuple[str, ...]) -> pl.Expr:
    if of not in facts.columns:
        return pl.lit(None, pl.Boolean).alias(name)
    if records == RECORDS:
        return pl.col(of).alias(name)
    return pl.when(pl.col("record").is_in(records)).then(pl.col(of)).alias(name)


def joint(suites: Iterable[type_json]) -> Joint:
    """Joins suites of records into one, which judges rows of all of them as each record's own suite would."""
    held: dict[str, tuple[type_json, list[str]]] = {}
    for suite in suites:
        for one in suite["expectations"]:
            text = json.dumps(one, sort_keys=True)
            held.setdefault(text, (one, []))[1].append(suite["name"])
    expectations, masks = [], []
    for number, (one, records) in enumerate(held.values()):
        of = one["kwargs"]["column"]
        name = of if tuple(records) == RECORDS else f"{of} {number}"
        if name != of:
            masks.append((name, of, tuple(records)))
        expectations.append(one | {"kwargs": one["kwargs"] | {"column": name}})
    return Joint(tuple(expectations), tuple(masks))


class Checker:
    """Judges blocks with Great Expectations; making a Checker takes seconds, so make one for each process."""

    def __init__(self, read: Callable[[str], type_json] = suite_json) -> None:
        engine = importlib.import_module("expectations.engine")
        self._suites = {name: read(name) for name in SUITES}
        # A suite with a rule that judges all rows together must not see other records' rows.
        plain = [self._suites[name] for name in RECORDS if all(map(engine.is_row_wise, _rules_in(self._suites[name])))]
        self._together = frozenset(suite["name"] for suite in plain)
        self._joint = joint(plain)
        told = {"name": JOINT, "expectations": list(self._joint.expectations)}
        self._engine: Engine = engine.Engine([*self._suites.values(), told])
        # Great Expectations keeps the block that it judges under one name, so only one block at a time.
        self._lock = threading.Lock()

    def check(self, record: str, facts: pl.DataFrame) -> pl.DataFrame:
        """Returns row, reason_code and severity for each row and reason that failed, each once, sorted.

        Every rule of the record's suite judges every row; a null is not judged. Raises UnjudgedRuleError if a rule
        could not be judged, ValueError if a column is missing.
        """
        columns = self._columns_for(record, facts)
        return self._judged(record, facts.select(ROW, *columns), len(_rules_in(self._suites[record])))

    def check_records(self, facts: pl.DataFrame) -> pl.DataFrame:
        """Judges rows of several records, named in the column `record`, as `check` does: each by its record's suite.

        A few rows of each record are judged together, which costs little more than one record's. A fact that a record
        does not have is null; its column may be missing if none of the records has it. Raises as `check` does.
        """
        records = facts["record"].unique().to_list()
        together = self._together.intersection(records)
        if len(together) < 2 or facts.height > JOINT_ROWS * len(records):
            together = frozenset()
        found = [
            self.check(record, facts if len(records) == 1 else facts.filter(pl.col("record") == record))
            for record in records
            if record not in together
        ]
        if together:
            # The joint suite would take a missing column for nulls and never judge it, so this raises ValueError.
            for record in together:
                self._columns_for(record, facts)
            rows = facts.filter(pl.col("record").is_in(together)) if len(together) < len(records) else facts
            named = rows.select(ROW, *self._joint.columns(rows))
            found.append(self._judged(JOINT, named, len(self._joint.expectations)))
        return pl.concat([pl.DataFrame(schema=FINDINGS), *found]).sort(ROW, "reason_code")

    def _columns_for(self, record: str, facts: pl.DataFrame) -> tuple[str, ...]:
        columns = columns_in(self._suites[record])
        lacking = sorted({ROW, *columns} - set(facts.columns))
        if lacking:
            raise ValueError(f"The facts of {record} lack the columns {', '.join(lacking)}.")
        return columns

    def _judged(self, suite: str, facts: pl.DataFrame, rules: int) -> pl.DataFrame:
        if facts.is_empty():
            return pl.DataFrame(schema=FINDINGS)
        with self._lock:
            verdicts = self._engine.verdicts(suite, facts, ROW)
        if len(verdicts) != rules:
            raise UnjudgedRuleError(f"Suite {suite} gave {len(verdicts)} results.")
        return _findings(suite, verdicts)


def _rules_in(suite: type_json) -> list[type_json]:
    rules: list[type_json] = suite["expectations"]
    return rules


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
