"""The files of a release read back by other programs' libraries, and the structure that makes them accessible."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import pytest
from csvw import TableGroup
from lxml import html

from expectations.run import Checker
from pipelines.release.catalogue import TABLES
from pipelines.release.create import Files, write_folder
from pipelines.release.csv_files import csv_bytes
from pipelines.release.reading import attacked
from pipelines.release.shapes import shape_of
from tests.pipelines.release.made import LAST, Office, growing, write_cells
from tests.pipelines.store.runs import new_store

NOTICE = "Synthetic data, not official statistics"
TABLE_NS = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, checker: Checker) -> Files:
    folder = tmp_path_factory.mktemp("release")
    store = new_store(folder)
    write_cells(store, "first", growing(seed=1))
    office = Office(store, folder, checker)
    office.release("2026Q2")
    return office.release().files


@pytest.fixture(scope="module")
def tables(files: Files) -> dict[str, pl.DataFrame]:
    """The rows of every table file that has any, by the name of its sheet."""
    found = {}
    for path, content in files.items():
        name = path.removeprefix("tables/").removesuffix(".csv")
        if path.startswith("tables/") and content.count(b"\n") > 1:
            found[name.capitalize()] = pl.read_csv(io.BytesIO(content), infer_schema=False)
    return found


def sheet(content: bytes, name: str) -> list[list[str]]:
    """The cells of a sheet as text, below the lines above its table."""
    read = fastexcel.read_excel(content).load_sheet(name, header_row=None, dtypes="string").to_polars()
    rows = [[("" if cell is None else cell) for cell in row] for row in read.iter_rows()]
    first = next(place for place, row in enumerate(rows) if place and all(row))
    return rows[first:]


def plain(text: str | None) -> str:
    """A number without noughts behind its point, and nothing for what a sheet says in brackets instead of nothing."""
    if text is None or text in ("", "[x]", "[none]", "[all]"):
        return ""
    return str(float(text)) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) else text


@pytest.mark.parametrize("file", ["release.xlsx", "release.ods"])
@pytest.mark.parametrize("name", ["Table_1", "Table_5a", "Table_9", "Table_28", "Targets", "Vintages"])
def test_a_sheet_reads_back_as_the_table_s_csv_file(
    files: Files, tables: dict[str, pl.DataFrame], file: str, name: str
) -> None:
    header, *rows = sheet(files[file], name)
    assert header == tables[name].columns
    expected = [[plain(cell) for cell in row] for row in tables[name].iter_rows()]
    assert [[plain(cell) for cell in row] for row in rows] == expected


@pytest.mark.parametrize("file", ["release.xlsx", "release.ods"])
def test_a_workbook_has_cover_contents_notes_and_a_sheet_for_each_table(
    files: Files, tables: dict[str, pl.DataFrame], file: str
) -> None:
    names = fastexcel.read_excel(files[file]).sheet_names
    assert names[:3] == ["Cover", "Contents", "Notes"]
    assert set(names[3:]) == set(tables)
    for name in names:
        first = fastexcel.read_excel(files[file]).load_sheet(name, header_row=None, dtypes="string").to_polars()
        assert any(NOTICE in str(cell) for row in first.head(8).iter_rows() for cell in row if cell), name
        assert first.row(0)[0], name


def test_the_ods_marks_up_headers_and_has_no_merged_and_no_empty_cell_in_a_table(files: Files) -> None:
    with zipfile.ZipFile(io.BytesIO(files["release.ods"])) as archive:
        content = html.etree.fromstring(archive.read("content.xml"))
        assert archive.namelist()[0] == "mimetype"
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
    sheets = content.findall(f".//{TABLE_NS}table")
    assert len(sheets) > 20
    for one in sheets:
        assert len(one.findall(f"{TABLE_NS}table-header-rows")) == 1
        assert not one.findall(f".//{TABLE_NS}covered-table-cell")
    for one in sheets[3:]:
        header = one.find(f"{TABLE_NS}table-header-rows")
        assert header is not None
        for row in header.itersiblings(f"{TABLE_NS}table-row"):
            assert all("".join(cell.itertext()) for cell in row.findall(f"{TABLE_NS}table-cell"))


def test_the_xlsx_has_no_merged_cells_and_its_title_says_what_it_is(files: Files) -> None:
    with zipfile.ZipFile(io.BytesIO(files["release.xlsx"])) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        core = archive.read("docProps/core.xml").decode()
        tables = [name for name in archive.namelist() if name.startswith("xl/tables/")]
    assert all(b"mergeCell" not in content for content in sheets)
    assert "Smart meters in Great Britain" in core
    assert len(tables) == len(sheets) - 1  # the cover has none


def test_every_csv_file_is_described_and_valid(files: Files, tmp_path: Path) -> None:
    write_folder(files, tmp_path / "bundle")
    metadata = tmp_path / "bundle" / "tidy.csv-metadata.json"
    group: Any = TableGroup.from_file(metadata)
    described = {str(one.url) for one in group.tables}
    assert described == {path for path in files if path.endswith(".csv")}
    for table in group.tables:
        rows = sum(1 for _ in table.iterdicts(strict=True))
        assert rows == files[str(table.url)].count(b"\n") - 1


def test_parquet_and_tidy_file_say_the_same(files: Files) -> None:
    parquet = pl.read_parquet(files["release.parquet"])
    assert csv_bytes(parquet) == files["tidy.csv"]
    manifest = json.loads(files["manifest.json"])
    assert set(parquet["release"]) == {manifest["release"]} == {f"{LAST}-1"}


def test_the_table_files_are_the_tidy_figures_in_another_shape(files: Files) -> None:
    tidy = attacked("bundle", files).tidy
    for table in TABLES:
        assert csv_bytes(shape_of(table, tidy).frame) == files[f"tables/{table.file_name}.csv"]


def test_every_page_is_whole_without_script_and_its_tables_are_marked_up(files: Files) -> None:
    pages = {path: html.fromstring(content) for path, content in files.items() if path.endswith(".html")}
    assert len(pages) > 30
    for path, page in pages.items():
        assert page.get("lang") == "en-GB", path
        assert not page.findall(".//script"), path
        assert len(page.findall(".//h1")) == 1, path
        assert not page.xpath("//@src | //link/@href"), path
        for table in page.findall(".//table"):
            assert table.find("caption") is not None, path
            assert all(cell.get("scope") == "col" for cell in table.findall("thead//th")), path
            assert all(cell.get("scope") == "row" for cell in table.findall("tbody//th")), path
        for link in page.xpath("//a/@href"):
            assert link == "#main" or link in files, (path, link)
