"""Writes a table as CSV: bare figures, the markers of each row, the release and the notice about its data."""

import csv
import io

from dashboards.store import Release
from dashboards.tables import Cell, Column, Table
from schemas.spreadsheets import harmless


def _line(columns: tuple[Column, ...], cells: list[Cell], release: Release) -> list[str]:
    markers = max((cell.markers for cell in cells), key=len, default="")
    bare = (
        harmless(cell.bare) if column.kind in ("label", "quarter") else cell.bare
        for column, cell in zip(columns, cells, strict=True)
    )
    return [*bare, markers, harmless(release.key.vintage), harmless(release.data_notice)]


def csv_text(table: Table, release: Release) -> str:
    """Returns the table's rows in RFC 4180 form: shares and changes in percent, missing figures empty.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    headings = [
        f"{column.heading} (%)" if column.kind in ("share", "change") else column.heading for column in table.columns
    ]
    writer.writerow([*headings, "Markers", "Release", "Notice"])
    writer.writerows(_line(table.columns, cells, release) for cells in [*table.rows, *table.total_rows])
    return file.getvalue()
