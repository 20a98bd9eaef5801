"""Spreadsheets of a release, XLSX and ODS: cover, contents, notes, then one table a sheet from its first cell.

They follow the Analysis Function's guidance on accessible spreadsheets: tables are marked up as tables, no cell is
merged or empty, markers stand in a column of their own and are explained on the notes sheet.
"""

import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pandas as pd
import polars as pl
from odfdo import Column, Document, Element, Row, Table

from pipelines.release.edition import MARKER_MEANINGS, NOT_GOVERNMENT, PROTECTION, Edition
from pipelines.release.shapes import NOT_AVAILABLE

with warnings.catch_warnings():
    # It leaves the files of its themes open.
    warnings.simplefilter("ignore", ResourceWarning)
    import gptables

# Archives and documents bear one date, so that the same release is the same bytes.
EPOCH: Final = datetime(2012, 1, 1, tzinfo=UTC)
_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_NO_MARKER: Final = "[none]"


def sheets_of(edition: Edition) -> Iterator[tuple[str, str, list[str], pl.DataFrame]]:
    """Name, title, notes and rows of each table that has any."""
    for shape in edition.shapes:
        if shape.frame.is_empty():
            continue
        title = f"Table {shape.table.name}: {shape.table.title}"
        yield f"Table_{shape.table.name}", title, [shape.table.definition, *shape.table.notes], shape.frame
    for name, extra in edition.extras.items():
        yield name.capitalize(), extra.title, [extra.definition, *extra.notes], extra.frame


def _filled(frame: pl.DataFrame) -> list[list[Any]]:
    """The rows of a frame; what is not available, and a row without a marker, say so in brackets."""
    marker = [name.lower() == "marker" for name in frame.columns]
    return [
        [
            NOT_AVAILABLE if value is None else _NO_MARKER if value == "" and is_marker else value or _zero(value)
            for value, is_marker in zip(row, marker, strict=True)
        ]
        for row in frame.iter_rows()
    ]


def _zero(value: object) -> object:
    return "[all]" if value == "" else value


def _intro(edition: Edition) -> list[str]:
    correction = [edition.correction] if edition.correction else []
    return [
        *correction,
        f"{edition.notice}. {NOT_GOVERNMENT}",
        f"Release {edition.name}, {edition.status}; published {edition.released_at}.",
        f"Next release: {edition.next_release}.",
        PROTECTION,
        "Markers are in square brackets in the last column of each table; the sheet Notes explains them.",
    ]


def notes_of() -> list[tuple[str, str]]:
    """Each marker and its meaning, as the notes sheet has them."""
    further = {_NO_MARKER: "no marker applies to the row", "[all]": "not reported, or all together"}
    return list((MARKER_MEANINGS | further).items())


def xlsx_bytes(edition: Edition) -> bytes:
    """The release as an XLSX workbook."""
    cover = gptables.Cover(title=edition.title, intro=_intro(edition), cover_label="Cover")
    sheets = {
        name: gptables.GPTable(
            table=pd.DataFrame(_filled(frame), columns=frame.columns),
            table_name=name.lower(),
            title=title,
            subtitles=[f"{edition.notice}.", *notes],
            index_columns={},
            instructions="This sheet has one table. Markers are in its last column.",
        )
        for name, title, notes, frame in sheets_of(edition)
    }
    notes = pd.DataFrame(notes_of(), columns=["Note reference", "Note text"])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "release.xlsx"
        with warnings.catch_warnings():
            # What it uses of pandas that is about to be dropped is for its maintainers to read. It also wants every
            # note to be named in a heading; ours explain markers, which stand among the rows.
            warnings.simplefilter("ignore")
            book = gptables.produce_workbook(
                str(path),
                sheets,
                cover=cover,
                contentsheet_options={"subtitles": [f"{edition.notice}."]},
                notes_table=notes,
                notesheet_options={"instructions": f"{edition.notice}. This sheet explains the markers."},
            )
        book.set_properties({"title": edition.title, "comments": f"{edition.notice}.", "created": EPOCH})
        book.close()
        return path.read_bytes()


def ods_bytes(edition: Edition) -> bytes:
    """The release as an OpenDocument spreadsheet."""
    document = Document("spreadsheet")
    document.body.clear()
    _add_styles(document)
    document.body.append(_ods_sheet("Cover", [[edition.title], *([line] for line in _intro(edition))], header_row=0))
    every = list(sheets_of(edition))
    contents = [
        ["Sheet", "Title"],
        ["Notes", "Markers and their meaning"],
        *([name, title] for name, title, _, _ in every),
    ]
    document.body.append(_ods_sheet("Contents", [["Contents"], [f"{edition.notice}."], *contents], header_row=2))
    notes = [["Note reference", "Note text"], *(list(one) for one in notes_of())]
    document.body.append(_ods_sheet("Notes", [["Notes"], [f"{edition.notice}."], *notes], header_row=2))
    for name, title, lines, frame in every:
        head = [[title], [f"{edition.notice}."], *([line] for line in lines)]
        document.body.append(_ods_sheet(name, [*head, frame.columns, *_filled(frame)], header_row=len(head)))
    _describe(document, edition)
    buffer = io.BytesIO()
    document.save(buffer)
    return with_fixed_times(buffer.getvalue())


_WRAPPED: Final = '<style:table-cell-properties fo:wrap-option="wrap"/>'
# Automatic styles of the ODS: titles, headers of tables, running text, and columns by what they hold.
_STYLES: Final = (
    ("table-cell", "title", '<style:text-properties fo:font-weight="bold" fo:font-size="14pt"/>'),
    (
        "table-cell",
        "header",
        f'{_WRAPPED}<style:text-properties fo:font-weight="bold"/>',
    ),
    ("table-cell", "text", _WRAPPED),
    ("table-column", "wide", '<style:table-column-properties style:column-width="14cm"/>'),
    ("table-column", "plain", '<style:table-column-properties style:column-width="3.2cm"/>'),
)
# Sheets of running text: their last column is wide, and its lines are wrapped.
_OF_TEXT: Final = ("Cover", "Contents", "Notes")


def _add_styles(document: Document) -> None:
    for family, name, properties in _STYLES:
        text = f'<style:style style:name="{name}" style:family="{family}">{properties}</style:style>'
        style: Any = Element.from_tag(text)
        document.insert_style(style, automatic=True)


def _ods_sheet(name: str, rows: list[list[Any]], header_row: int) -> Table:
    """A sheet; the row `header_row` is marked up as the header of the table below it."""
    sheet = Table(name)
    width = max(map(len, rows))
    for place in range(width):
        is_wide = name in _OF_TEXT and place == width - 1
        sheet.append(Column(style="wide" if is_wide else "plain"))
    styles = {header_row: "header", 0: "title"}
    made = []
    for place, values in enumerate(rows):
        row = Row()
        row.set_values(values, style=styles.get(place, "text" if name in _OF_TEXT else None))
        made.append(row)
    for row in made[:header_row]:
        sheet.append(row)
    header = Element.from_tag("table:table-header-rows")
    header.append(made[header_row])
    sheet.append(header)
    for row in made[header_row + 1 :]:
        sheet.append(row)
    return sheet


def _describe(document: Document, edition: Edition) -> None:
    meta = document.meta
    meta.title, meta.language = edition.title, "en-GB"
    meta.description = f"{edition.notice}."
    meta.creation_date = meta.date = EPOCH.replace(tzinfo=None)
    meta.generator = "rollout"


def with_fixed_times(archive: bytes) -> bytes:
    """The same archive with its entries in order and of one date; `mimetype` comes first, uncompressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as given, zipfile.ZipFile(buffer, "w") as fixed:
        names = sorted(given.namelist(), key=lambda name: (name != "mimetype", name))
        for name in names:
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            stored = name == "mimetype" or name.endswith("/")
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            fixed.writestr(entry, given.read(name))
    return buffer.getvalue()
