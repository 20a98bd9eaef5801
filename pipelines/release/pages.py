"""The whole release as plain HTML pages that need no script: what it says, every table, quality and protection."""

import functools
from collections.abc import Sequence
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines.release.edition import MARKER_MEANINGS, NOT_GOVERNMENT, PROTECTION, Edition
from pipelines.release.shapes import NOT_AVAILABLE, Shape


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pipelines.release"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _page(template: str, edition: Edition, heading: str, **words: Any) -> bytes:
    made = _environment().get_template(template)
    return made.render(edition=edition, heading=heading, not_government=NOT_GOVERNMENT, **words).encode()


def html_files(edition: Edition) -> dict[str, bytes]:
    """The pages of a release by path."""
    files = {"index.html": _index(edition)}
    for shape in edition.shapes:
        files[f"{shape.table.file_name}.html"] = _table(edition, shape)
    for name, extra in edition.extras.items():
        words = {"definition": extra.definition, "notes": extra.notes, "file": f"tables/{name}.csv"}
        files[f"{name}.html"] = _page("table.html", edition, extra.title, **words, **_rows(extra.frame))
    return files | {"quality.html": _quality(edition), "protection.html": _protection(edition)}


def _index(edition: Edition) -> bytes:
    contents = [(f"{one.table.file_name}.html", f"Table {one.table.name}: {one.table.title}") for one in edition.shapes]
    contents += [(f"{name}.html", extra.title) for name, extra in edition.extras.items()]
    return _page(
        "index.html",
        edition,
        edition.title,
        contents=contents,
        headlines=headlines(edition.shapes),
        markers=list(MARKER_MEANINGS.items()),
        correction=edition.correction,
    )


def headlines(shapes: Sequence[Shape]) -> list[tuple[str, str]]:
    """The answers of the newest quarter in words, from table 8's counts."""
    frame = next(one.frame for one in shapes if one.table.name == "8")
    newest = frame.filter(pl.col("Quarter") == pl.col("Quarter").max())
    sums = {name: int(newest[name].sum()) for name in ("All meters", "Smart and advanced", "Smart mode and advanced")}
    texts = {name: f"{value:,}" for name, value in sums.items()}
    for name in ("Smart and advanced", "Smart mode and advanced"):
        if sums["All meters"]:
            texts[name] += f", {100 * sums[name] / sums['All meters']:.0f} % of all meters"
    return list(texts.items())


def _table(edition: Edition, shape: Shape) -> bytes:
    table = shape.table
    words = {"definition": table.definition, "notes": table.notes, "file": f"tables/{table.file_name}.csv"}
    return _page("table.html", edition, f"Table {table.name}: {table.title}", **words, **_rows(shape.frame))


def _rows(frame: pl.DataFrame) -> dict[str, Any]:
    numbers = [kind.is_numeric() for kind in frame.schema.values()]
    rows = [[_shown(value) for value in row] for row in frame.iter_rows()]
    return {"columns": frame.columns, "numbers": numbers, "rows": rows}


def _shown(value: object) -> str:
    if value is None:
        return NOT_AVAILABLE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if isinstance(value, float) else str(value)


def _quality(edition: Edition) -> bytes:
    quality = edition.facts["quality"]
    rows = [
        (one["quarter"], one["supplier"], one["fuel"], one["reason_code"], one["sentence"])
        for one in quality["findings"]
    ]
    judged = f"{quality['cells']:,} rows of a quarter, a supplier and a fuel"
    said = [f"{quality['checks']:,} checks were made by Great Expectations on {judged} before the release."]
    said.append(f"{len(rows):,} findings were looked at." if rows else "Nothing was found.")
    if quality["because"]:
        said.append(f"Released all the same because: {quality['because']}")
    tables = [("Findings", ("Quarter", "Supplier", "Fuel", "Rule", "What it says"), rows)] if rows else []
    return _page("text.html", edition, "Quality", paragraphs=said, tables=tables)


def _protection(edition: Edition) -> bytes:
    certificate = edition.certificate
    attacks = [(one["attack"], one["looked_at"], one["narrowest"], one["narrower"]) for one in certificate["attacks"]]
    controls = [(one["attack"], one["looked_at"], one["narrower"]) for one in certificate["controls"]]
    tables = [
        ("Attacks on this release", ("Attack", "Atoms", "Narrowest interval", "Narrower than policy"), attacks),
        ("The same attacks on unprotected tables", ("Attack", "Atoms", "Found"), controls),
    ]
    said = [PROTECTION, f"{certificate['figures']:,} figures are sums of {certificate['atoms']:,} atoms."]
    return _page("text.html", edition, "Protection of figures", paragraphs=said, tables=tables)
