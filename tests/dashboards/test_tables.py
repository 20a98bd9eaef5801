"""A table as HTML and as CSV."""

import csv
import io
from dataclasses import replace

import polars as pl

from dashboards.components.html_text import html_text
from dashboards.components.table import table_with_notes
from dashboards.exports.csv_file import csv_text
from dashboards.store import Release
from dashboards.tables import Column, Table, total_of

COLUMNS = (
    Column("name", "Supplier", "label"),
    Column("smart", "Smart meters"),
    Column("smart", "Share", "share", "meters"),
    Column("smart", "Change", "change", "before"),
)
FRAME = pl.DataFrame(
    {"name": ["A & B", "C"], "smart": [1234, 0], "meters": [2000, 0], "before": [None, 10], "markers": [1, 3]},
    schema_overrides={"markers": pl.UInt16},
)
TABLE = Table("t", "Smart meters by supplier", COLUMNS, FRAME, total_of(FRAME, "name", "All"))


def test_cells_are_shown_with_their_markers() -> None:
    shown = [[f"{cell.text} {cell.markers}".strip() for cell in row] for row in TABLE.rows]
    assert shown == [["A & B", "1,234 [p]", "61.7% [p]", "[x]"], ["C", "0 [p] [r]", "[z]", "-100.0% [p] [r]"]]


def test_the_total_has_the_sums_and_all_markers() -> None:
    assert [(cell.text, cell.markers) for cell in TABLE.total_rows[0][:3]] == [
        ("All", ""),
        ("1,234", "[p] [r]"),
        ("61.7%", "[p] [r]"),
    ]


def test_the_html_has_a_caption_scopes_and_an_explanation_of_each_marker() -> None:
    text = html_text(table_with_notes(TABLE, "fuel=GAS"))
    assert text.count('scope="col"') == 4
    assert text.count('scope="row"') == 3
    assert '<caption id="t-caption"><span>Smart meters by supplier</span></caption>' in text
    assert 'href="/download/t.csv?fuel=GAS"' in text
    for code in ("[p] provisional", "[r] revised", "[x] not available", "[z] not applicable"):
        assert code in text
    assert "A &amp; B" in text


def test_the_csv_has_bare_figures_the_markers_and_the_notice(release: Release) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(TABLE, release))))
    assert [row["Supplier"] for row in rows] == ["A & B", "C", "All"]
    assert (rows[0]["Smart meters"], rows[0]["Share (%)"], rows[0]["Change (%)"]) == ("1234", "61.7", "")
    assert (rows[1]["Markers"], rows[1]["Release"]) == ("[p] [r]", "draft")
    assert {row["Notice"] for row in rows} == {"Synthetic data, not official statistics"}


def test_the_csv_has_no_text_that_a_spreadsheet_would_run_and_its_changes_stay_numbers(release: Release) -> None:
    said = replace(release, data_notice="=1+1", key=replace(release.key, vintage="@draft"))
    labels = FRAME.with_columns(name=pl.lit("+44"))
    rows = list(csv.reader(io.StringIO(csv_text(replace(TABLE, frame=labels), said))))
    assert rows[2] == ["'+44", "0", "", "-100.0", "[p] [r]", "'@draft", "'=1+1"]
