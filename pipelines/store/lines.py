"""Rows as lines of CSV, and their order: byte order of the lines, the same wherever rows leave the store."""

import polars as pl

SPECIAL = '[,"\r\n]'


def _field(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype != pl.String:
        return column.cast(pl.String)
    quoted = pl.concat_str(pl.lit('"'), column.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(column.str.contains(SPECIAL)).then(quoted).otherwise(column)


def csv_lines(frame: pl.DataFrame) -> pl.Series:
    """Each row as a line of CSV without its end; a field is quoted only where it must be."""
    fields = [_field(name, dtype) for name, dtype in frame.schema.items()]
    return frame.select(pl.concat_str(fields, separator=",").alias("line"))["line"]


def in_byte_order(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows in byte order of their lines."""
    return frame[csv_lines(frame).arg_sort()]
