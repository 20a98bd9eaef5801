"""The records that name what a store holds: a run, a release and a vintage."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Times are UTC; `as_at` is None for a run over all records.

    `as_at_basis` says how "received by then" was judged, `key_id` names the pseudonym key, `inputs` is a JSON text of
    what was read, `received` counts the records that came in.
    """

    run_id: str
    started_at: datetime
    finished_at: datetime
    kind: str
    synthetic: bool
    as_at: datetime | None
    as_at_basis: str
    key_id: str
    rule_version: str
    schema_version: str
    code_version: str
    inputs: str
    received: int


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One row of `published_releases`; `published_at` is UTC.

    `figures` and `changed_figures` are the numbers of public counts and of those that changed.
    """

    vintage: str
    title: str
    published_at: datetime
    last_quarter: str
    data_notice: str
    marker: str
    release_status: str
    figures: int = 0
    changed_figures: int = 0


@dataclass(frozen=True, slots=True)
class VintageRecord:
    """A release as it was frozen. `facts` is a JSON text of its inputs, versions, checks and certificate."""

    vintage: str
    quarter: str
    release_status: str
    created_at: datetime
    facts: str
