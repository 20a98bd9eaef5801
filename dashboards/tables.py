"""Defines a published table as a value, from which both the page's HTML and the CSV file are written."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from dashboards import words
from dashboards.markers import bracketed, codes_of

Kind = Literal["label", "quarter", "count", "share", "change"]
Row = dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `key` holds the figure; a share or a change relates to the figure in column `of`."""

    key: str
    heading: str
    kind: Kind = "count"
    of: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as shown, the markers beside it, and the bare figure for a file."""

    text: str
    markers: str
    bare: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: `name` is its file's name, the first column holds the row headings, `total` is a last row or None."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    frame: pl.DataFrame
    total: pl.DataFrame | None = None

    @property
    def marker_codes(self) -> tuple[str, ...]:
        """Every marker code in the table, including those of figures that cannot be calculated."""
        stored = codes_of(self.frame.select(pl.col("markers").bitwise_or()).item() or 0)
        shown = {cell.text for row in self.rows for cell in row}
        extra = tuple(code for code in ("x", "z") if f"[{code}]" in shown and code not in stored)
        return stored + extra

    @property
    def rows(self) -> list[list[Cell]]:
        """The cells of the rows, in the frame's order."""
        return [_cells(self.columns, row) for row in self.frame.iter_rows(named=True)]

    @property
    def total_rows(self) -> list[list[Cell]]:
        """The cells of the total, as a list of one row or none."""
        return [] if self.total is None else [_cells(self.columns, row) for row in self.total.iter_rows(named=True)]


def _number(row: Row, key: str) -> int:
    value = row[key]
    if not isinstance(value, int):
        raise TypeError(f"Column {key} holds no whole number.")
    return value


def _text(column: Column, row: Row) -> str:
    match column.kind:
        case "label":
            return str(row[column.key])
        case "quarter":
            return words.quarter_words(str(row[column.key]))
        case "count":
            return words.count(_number(row, column.key))
        case "share":
            return words.share(_number(row, column.key), _number(row, column.of))
        case "change":
            before = None if row[column.of] is None else _number(row, column.of)
            return words.change(_number(row, column.key), before)


def _cell(column: Column, row: Row) -> Cell:
    text = _text(column, row)
    if column.kind in ("label", "quarter"):
        return Cell(text, "", text)
    if text.startswith("["):
        return Cell(text, "", "")
    markers = bracketed(codes_of(_number(row, "markers")))
    return Cell(text, markers, text.replace(",", "").replace("%", ""))


def _cells(columns: tuple[Column, ...], row: Row) -> list[Cell]:
    return [_cell(column, row) for column in columns]


def total_of(frame: pl.DataFrame, label: str, words_for_all: str) -> pl.DataFrame:
    """Returns one row with the sum of every figure and the markers of all rows."""
    sums = frame.select(pl.col(pl.Int64).sum(), pl.col("markers").bitwise_or().fill_null(0))
    return sums.with_columns(pl.lit(words_for_all).alias(label))
