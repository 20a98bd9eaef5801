"""Rows as lines of CSV, and their order: all rows leave the store in the byte order of these lines."""

import polars as pl

SPECIAL = '[,"\r\n]'


def _field(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype != pl.String:
        return column.cast(pl.String)
    quoted = pl.concat_str(pl.lit('"'), column.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(column.str.contains(SPECIAL)).then(quoted).otherwise(column)


def csv_lines(frame: pl.DataFrame) -> pl.Series:
    """Returns each row as a line of CSV without its line end; a field is quoted only if it must be."""
    fields = [_field(name, dtype) for name, dtype in frame.schema.items()]
    return frame.select(pl.concat_str(fields, separator=",").alias("line"))["line"]


def in_byte_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows in byte order of their lines."""
    return frame[csv_lines(frame).arg_sort()]
