"""Makes a release: freezes the current run's cells, checks, protects and certifies them, and publishes the figures."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import polars as pl

from pipelines.keys import Key
from pipelines.release.atoms import FIRST_QUARTER, Scope, exact_atoms
from pipelines.release.bundle import Files, bundle_of
from pipelines.release.calendar import release_day
from pipelines.release.catalogue import TABLES
from pipelines.release.certificate import Evidence, certificate_of
from pipelines.release.draft import DRAFT
from pipelines.release.edition import Edition
from pipelines.release.extras import extras_of
from pipelines.release.figures import tidy_of
from pipelines.release.marking import PROVISIONAL, Before, changed, marked
from pipelines.release.protection import Protection, Signs, protected, signs_of
from pipelines.release.published import published_frames
from pipelines.release.quality import Check, Quality, quality_facts, quality_of
from pipelines.release.shapes import shape_of
from pipelines.release.suppliers import SMALL, Membership, membership_of
from pipelines.store import ReleaseRecord, RunRecord, Store, VintageRecord
from schemas.policies import disclosure, policy_hash, policy_hashes
from schemas.quarters import quarter_number
from schemas.tables import SYNTHETIC_NOTICE

NOTICE: Final = "Not official statistics"
_GEOGRAPHY: Final = ("regions.csv", "gsp_groups.csv")


class ReleaseRefused(Exception):
    """A release cannot be made of what the store holds; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Request:
    """What release is wanted. `as_at` is the moment that the run must have been counted at, if any.

    `correction` says what an earlier release had wrong; it stands as a notice above everything else.
    """

    quarter: str
    status: str = PROVISIONAL
    as_at: datetime | None = None
    because: str = ""
    correction: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """What making a release needs besides the store: keys, the suite of checks and how to tell of progress."""

    disclosure_key: Key
    signing_key: Key
    check: Check
    rules: int
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Created:
    """A release that was made: its name, its files by path, and how many figures it has and changed."""

    name: str
    files: Files
    figures: int
    changed: int


def create(store: Store, request: Request, tools: Tools, now: datetime, keep: Callable[[Files], None]) -> Created:
    """Makes a release in one transaction; `keep` writes its files, and if that fails the store is as it was.

    Raises ReleaseRefused, ReleaseStopped, CertificateFailed and StoreError.
    """
    with store.together():
        run = _run_of(store, request.as_at)
        earlier = store.vintages()
        tools.say(f"Reading the cells of run {run.run_id}")
        made = _made(store, request, tools, run, earlier)
        figures, facts, cells = made
        name = name_of(request.quarter, [one.vintage for one in earlier])
        frozen = Frozen(name, request.quarter, request.status, facts)
        edition = edition_of(frozen, figures, _earlier_figures(store, earlier))
        files = bundle_of(edition, tools.signing_key, tools.say)
        text = json.dumps(facts, sort_keys=True)
        store.write_vintage(VintageRecord(name, request.quarter, request.status, now, text), cells, figures)
        _publish(store, edition, now)
        keep(files)
    return Created(name, files, figures.height, changed(figures))


def name_of(quarter: str, names: Sequence[str]) -> str:
    """The name of the next release of a quarter: 2026Q3-1, then 2026Q3-2."""
    return f"{quarter}-{1 + sum(one.startswith(f'{quarter}-') for one in names)}"


def _run_of(store: Store, as_at: datetime | None) -> RunRecord:
    run = store.current_run()
    if as_at != run.as_at and as_at is not None:
        there = "everything that had come" if run.as_at is None else f"{run.as_at:%Y-%m-%d %H:%M} UTC"
        raise ReleaseRefused(
            f"The current run was counted as at {there}, not {as_at:%Y-%m-%d %H:%M} UTC; count with --as-at first."
        )
    return run


def _made(
    store: Store, request: Request, tools: Tools, run: RunRecord, earlier: Sequence[VintageRecord]
) -> tuple[pl.DataFrame, dict[str, Any], pl.DataFrame]:
    """The marked figures, the facts and the exact cells of a release."""
    number = _quarter_of(request.quarter)
    cells = store.cells(run.run_id).filter(pl.col("quarter") <= request.quarter)
    if cells.filter(pl.col("quarter") == request.quarter).is_empty():
        raise ReleaseRefused(f"The run {run.run_id} has no cell in {request.quarter}.")
    last = json.loads(earlier[-1].facts) if earlier else {}
    _require_same_key(tools.disclosure_key, last)
    tools.say("Checking the cells with Great Expectations")
    quality = _checked(store, request, tools, cells, earlier)
    tools.say("Protecting the atoms")
    scope = Scope(number, membership_of(last.get("membership", {})).until(number, FIRST_QUARTER))
    exact = exact_atoms(cells, scope)
    policy = disclosure(release_day(number).day)
    protection = Protection(tools.disclosure_key, policy, _signs(exact, last.get("signs", {})))
    atoms = protected(exact, protection)
    before = Before(store.vintage_figures(earlier[-1].vintage), earlier[-1].quarter) if earlier else None
    figures = marked(tidy_of(atoms, TABLES, number), number, request.status, before)
    tools.say("Attacking the figures for the certificate")
    evidence = Evidence(figures, _earlier_frames(store, earlier), exact, protection, request.quarter)
    certificate = certificate_of(evidence)
    facts = _facts(store, run, scope.membership, protection, quality)
    return figures, facts | {"certificate": certificate, "correction": request.correction}, cells


def _quarter_of(text: str) -> int:
    try:
        number = quarter_number(text)
    except ValueError as error:
        raise ReleaseRefused(str(error)) from error
    if number < FIRST_QUARTER:
        raise ReleaseRefused(f"The series begins in 2012Q4, so there is no release of {text}.")
    return number


def _require_same_key(key: Key, last: Mapping[str, Any]) -> None:
    former = last.get("disclosure_key_id", key.key_id)
    if former != key.key_id:
        raise ReleaseRefused(
            f"The disclosure key has the id {key.key_id}, but earlier releases were made with {former}; figures "
            "protected with two keys could be compared, so use the key of the earlier ones."
        )


def _checked(
    store: Store, request: Request, tools: Tools, cells: pl.DataFrame, earlier: Sequence[VintageRecord]
) -> Quality:
    before = store.vintage_cells(earlier[-1].vintage) if earlier else None
    return quality_of(quality_facts(cells, request.quarter, before), tools.check, tools.rules, request.because)


def _signs(exact: pl.DataFrame, before: Signs) -> dict[str, int]:
    """The signs of small suppliers' factors; their sizes are the most meters that they ever had."""
    small = exact.filter(pl.col("supplier") == SMALL)
    stock = small.filter(pl.col("measure") == "meters").group_by("contributor", "quarter").agg(pl.col("value").sum())
    largest = dict(stock.group_by("contributor").agg(pl.col("value").max()).iter_rows())
    return signs_of({one: largest.get(one, 0) for one in small["contributor"].unique()}, before)


def _facts(
    store: Store, run: RunRecord, membership: Membership, protection: Protection, quality: Quality
) -> dict[str, Any]:
    """What a release was made from and how, as a JSON value without a run's own name or time."""
    return {
        "run_id": run.run_id,
        "synthetic": run.synthetic,
        "inputs": _inputs(run),
        "received": run.received,
        "as_at": None if run.as_at is None else run.as_at.isoformat(),
        "code_version": run.code_version,
        "rule_version": run.rule_version,
        "schema_version": run.schema_version,
        "geography_version": geography_version(),
        "disclosure_policy": policy_hash("disclosure"),
        "policies": policy_hashes(),
        "disclosure_key_id": protection.key.key_id,
        "membership": membership.json(),
        "signs": dict(sorted(protection.signs.items())),
        "intake": _by_owner(store.intake(run.run_id)),
        "quality": quality.json(),
    }


def _inputs(run: RunRecord) -> dict[str, Any]:
    """What the run read: the log's offsets, or the hash of its files without the names of folders on one machine."""
    inputs: Any = json.loads(run.inputs)
    # Runs of earlier versions kept a list of names only.
    return {name: value for name, value in inputs.items() if name != "names"} if isinstance(inputs, dict) else {}


def geography_version() -> str:
    """A digest of the files of regions and networks."""
    folder = Path(__file__).parents[2] / "schemas"
    return sha256(b"".join((folder / name).read_bytes() for name in _GEOGRAPHY)).hexdigest()[:12]


def _by_owner(intake: pl.DataFrame) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for owner, status, records in intake.select("owner", "status", "records").iter_rows():
        counts.setdefault(owner, {})[status] = records
    return counts


def _earlier_frames(store: Store, earlier: Sequence[VintageRecord]) -> list[pl.DataFrame]:
    return [store.vintage_figures(one.vintage) for one in earlier]


def _earlier_figures(store: Store, earlier: Sequence[VintageRecord]) -> list[tuple[str, pl.DataFrame]]:
    return [(one.vintage, store.vintage_figures(one.vintage)) for one in earlier]


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a release is, whether it was just made or is read from the store: name, quarter, status and facts."""

    name: str
    quarter: str
    status: str
    facts: Mapping[str, Any]


def edition_of(frozen: Frozen, figures: pl.DataFrame, earlier: Sequence[tuple[str, pl.DataFrame]]) -> Edition:
    """The edition of a release; `earlier` are names and figures of the releases before it, oldest first."""
    number, facts = quarter_number(frozen.quarter), frozen.facts
    notice = SYNTHETIC_NOTICE if facts["synthetic"] else NOTICE
    shapes = tuple(shape_of(table, figures) for table in TABLES)
    this, following = (release_day(one).text for one in (number, number + 1))
    extras = extras_of(figures, [*earlier, (frozen.name, figures)], number)
    words = (frozen.name, frozen.quarter, frozen.status, notice, this, following)
    return Edition(*words, figures, shapes, extras, facts)


def export(store: Store, name: str, signing: Key, say: Callable[[str], None] = lambda _: None) -> Files:
    """The files of a release that was made, byte for byte. Raises StoreError for an unknown release."""
    records = store.vintages()
    figures = store.vintage_figures(name)
    place = next(number for number, one in enumerate(records) if one.vintage == name)
    record = records[place]
    earlier = _earlier_figures(store, records[:place])
    frozen = Frozen(name, record.quarter, record.release_status, json.loads(record.facts))
    edition = edition_of(frozen, figures, earlier)
    return bundle_of(edition, signing, say)


def _publish(store: Store, edition: Edition, now: datetime) -> None:
    """The release stands in the published tables; a draft does not stand beside it."""
    store.forget_release(DRAFT)
    stock, installations = published_frames(edition.figures)
    marker = "[p]" if edition.status == PROVISIONAL else ""
    record = ReleaseRecord(
        edition.name,
        edition.title,
        now,
        edition.quarter,
        edition.notice,
        marker,
        edition.status,
        edition.figures.height,
        changed(edition.figures),
    )
    store.write_release(record, stock, installations)


def write_folder(files: Files, folder: Path) -> None:
    """Writes a bundle as a new folder, whole or not at all. Raises ReleaseRefused if there is one already."""
    if folder.exists():
        raise ReleaseRefused(f"There is a {folder} already; name a new folder.")
    if not folder.parent.is_dir():
        raise ReleaseRefused(f"There is no folder {folder.parent}.")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as part:
        for path, content in files.items():
            target = Path(part) / "bundle" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        (Path(part) / "bundle").rename(folder)
