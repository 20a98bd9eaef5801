"""`rollout release`: freezes a quarter's statistics; lists, compares, exports and attacks releases."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.counting import AsAt, StoreUrl, absolute_path
from pipelines.cli.errors import explained, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from pipelines.release.bundle import Files
    from pipelines.release.changes import Released
    from pipelines.release.create import Tools
    from pipelines.store import Store

release = typer.Typer(
    help="Releases: frozen, protected and signed figures of a quarter.", no_args_is_help=True, rich_markup_mode=None
)
Folder = Annotated[
    Path, typer.Option("--out", help="The new folder for the release's files.", metavar="DIR", callback=absolute_path)
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A release, such as 2026Q3-1.")]


@release.command(no_args_is_help=True)
@explained
def create(
    store: StoreUrl,
    quarter: Annotated[str, typer.Option(help="The newest quarter in it, such as 2026Q3.", metavar="QUARTER")],
    out: Folder,
    as_at: AsAt = None,
    status: Annotated[str, typer.Option(help="provisional or final.", metavar="STATUS")] = "provisional",
    because: Annotated[
        str, typer.Option(help="Why it is released in spite of findings; published on the quality page.")
    ] = "",
    correction: Annotated[
        str, typer.Option(help="What an earlier release had wrong; a notice above everything else.")
    ] = "",
) -> None:
    """Freeze, check, protect and prove the current run's figures; write the files and print the release's name."""
    from pipelines.cli.times import as_at_ms, moment_of
    from pipelines.release.create import Request, write_folder
    from pipelines.release.create import create as made
    from pipelines.release.marking import STATUSES
    from pipelines.store import open_store

    if status not in STATUSES:
        fail(f"--status is {' or '.join(STATUSES)}, not {status!r}.")
    opened = open_store(store)
    request = Request(quarter, status, moment_of(as_at_ms(as_at)), because, correction)
    created = made(opened, request, tools(_say), datetime.now(UTC), lambda files: write_folder(files, out))
    typer.echo(
        f"{created.figures:,} figures, {created.changed:,} of them revised; {len(created.files):,} files in {out}.",
        err=True,
    )
    typer.echo(created.name)


def tools(say: "Callable[[str], None]") -> "Tools":
    """The keys of the environment and the suite of checks. Raises KeyMissing."""
    from expectations.cells import check_cells
    from expectations.run import CELLS, Checker, rules_of
    from pipelines.keys import DISCLOSURE, SIGNING, load_key
    from pipelines.release.create import Tools
    from pipelines.settings import Environment

    environment = Environment()
    disclosure, sentence = load_key(environment, DISCLOSURE)
    say(sentence)
    signing, sentence = load_key(environment, SIGNING)
    say(sentence)
    checkers: list[Checker] = []

    def check(facts: "pl.DataFrame") -> "pl.DataFrame":
        # Built when first needed, since it takes seconds.
        if not checkers:
            checkers.append(Checker())
        return check_cells(checkers[0], facts)

    return Tools(disclosure, signing, check, len(rules_of(CELLS)), say)


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


@release.command("list", no_args_is_help=True)
@explained
def list_releases(store: StoreUrl) -> None:
    """List the releases: name, quarter, status, when published, as at, figures, changed figures."""
    import json

    from pipelines.release.marking import changed
    from pipelines.store import open_store

    opened = open_store(store)
    typer.echo("name,quarter,status,published_at,as_at,figures,changed_figures")
    for one in opened.vintages():
        figures = opened.vintage_figures(one.vintage)
        as_at = json.loads(one.facts)["as_at"] or ""
        moment = f"{one.created_at:%Y-%m-%dT%H:%M:%SZ}"
        words = (one.vintage, one.quarter, one.release_status, moment, as_at, figures.height, changed(figures))
        typer.echo(",".join(map(str, words)))


@release.command(no_args_is_help=True)
@explained
def diff(
    older: Annotated[str, typer.Argument(metavar="A", help="The older release.")],
    newer: Annotated[str, typer.Argument(metavar="B", help="The newer release.")],
    store: StoreUrl,
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write.", metavar="FILE.csv")],
) -> None:
    """Write every figure that differs between two releases: what changed, old, new, and why."""
    from pipelines.cli.sparing import spare
    from pipelines.release.changes import changes_between
    from pipelines.release.csv_files import csv_bytes
    from pipelines.store import open_store
    from pipelines.store.outputs import write_bytes

    opened = open_store(store)
    spare(out, opened.name)
    changes = changes_between(released_as(opened, older), released_as(opened, newer))
    write_bytes(csv_bytes(changes), out)
    counts = dict(changes.group_by("change").len().sort("change").iter_rows())
    told = ", ".join(f"{number:,} {change}" for change, number in counts.items()) or "nothing changed"
    _say(f"From {older} to {newer}: {told}; written to {out}.")


def released_as(store: "Store", name: str) -> "Released":
    """A release as changes and explanations are worked out from it. Raises StoreError for an unknown one."""
    import json

    from pipelines.release.changes import Released

    figures, cells = store.vintage_figures(name), store.vintage_cells(name)
    record = next(one for one in store.vintages() if one.vintage == name)
    return Released(name, record.quarter, figures, cells, json.loads(record.facts))


@release.command(no_args_is_help=True)
@explained
def export(name: Name, store: StoreUrl, out: Folder) -> None:
    """Write the files of a release again, byte for byte."""
    from pipelines.keys import SIGNING, load_key
    from pipelines.release.create import export as made
    from pipelines.release.create import write_folder
    from pipelines.settings import Environment
    from pipelines.store import open_store

    key, sentence = load_key(Environment(), SIGNING)
    _say(sentence)
    files = made(open_store(store), name, key, _say)
    write_folder(files, out)
    _say(f"{len(files):,} files of {name} in {out}.")


@release.command(no_args_is_help=True)
@explained
def restricted(name: Name, store: StoreUrl, out: Folder) -> None:
    """Write what stays restricted: reconciliation, scorecards, exact targets and each supplier's statement."""
    from pipelines.release.create import write_folder
    from pipelines.release.restricted import restricted_files
    from pipelines.store import open_store

    opened = open_store(store)
    names = [one.vintage for one in opened.vintages()]
    released = released_as(opened, name)
    place = names.index(name)
    before = released_as(opened, names[place - 1]) if place else None
    files = restricted_files(released, before)
    write_folder(files, out)
    _say(f"{len(files):,} restricted files of {name} in {out}.")


@release.command(no_args_is_help=True)
@explained
def attack(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders of releases.")],
) -> None:
    """Attack the figures of releases together, knowing no key; exit status 1 if an atom is narrower than policy."""
    from pipelines.release.attack import attacks_on
    from pipelines.release.catalogue import TABLES
    from pipelines.release.reading import attacked

    bundles = sorted((attacked(folder.name, _files_in(folder)) for folder in folders), key=lambda one: one.order)
    newest = bundles[-1]
    found = attacks_on([one.tidy for one in bundles], TABLES, newest.policy, newest.last_quarter)
    typer.echo("attack,atoms,narrowest,narrower_than_policy")
    for one in found:
        typer.echo(f"{one.attack},{one.looked_at},{one.narrowest},{one.narrower.height}")
    narrower = sum(one.narrower.height for one in found)
    if narrower:
        fail(f"{narrower:,} atoms are narrower than policy.", status=1)


def _files_in(folder: Path) -> "Files":
    if not folder.is_dir():
        fail(f"There is no folder {folder}.")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
