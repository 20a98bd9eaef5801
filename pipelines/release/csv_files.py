"""CSV files of a release: the tidy file of all public counts, the tables in their own shapes, and their metadata."""

import json
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from pipelines.release.edition import Edition, Extra
from pipelines.release.figures import MEASURES, TIDY
from pipelines.release.shapes import MARKER, Shape
from schemas.spreadsheets import FORMULA

TIDY_COLUMNS: Final = ("release", *TIDY, "value", "marker")
_MEANINGS: Final = {
    "release": "The release's name.",
    "quarter": "Calendar quarter by the local date in Great Britain; of a year its last quarter.",
    "table": "The table that shows the figure; `atoms` are the finest cells, of which all others are sums.",
    "measure": "What is counted.",
    "supplier": "The supplier's group, by the market participant id of its first source; LARGE and SMALL are groups.",
    "region": "ONS code of the area.",
    "fuel": "Electricity or gas.",
    "sector": "Domestic or non-domestic premises.",
    "meter_type": "SMETS1, SMETS2, advanced or not smart.",
    "operating_mode": "Smart or traditional mode; not applicable to other meters.",
    "payment_mode": "Credit or prepayment.",
    "detail": "The measure's own breakdown, such as the reason or the outcome.",
    "value": "The count; a multiple of the rounding base.",
    "marker": "Status of the figure: [p] provisional, [r] revised, [e] estimated.",
}


def csv_bytes(frame: pl.DataFrame) -> bytes:
    """The frame as CSV (UTF-8, LF); a text that a spreadsheet would run as a formula has an apostrophe before it."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(_harmless(name) for name in texts).write_csv().encode()


def _harmless(name: str) -> pl.Expr:
    text = pl.col(name)
    return pl.when(text.str.contains(FORMULA)).then(pl.concat_str(pl.lit("'"), text)).otherwise(text).alias(name)


def tidy_frame(edition: Edition) -> pl.DataFrame:
    """Every public count of a release, one a row, in TIDY_COLUMNS."""
    return edition.figures.with_columns(release=pl.lit(edition.name)).select(TIDY_COLUMNS)


def csv_files(edition: Edition) -> dict[str, bytes]:
    """The CSV files of a release and the metadata that describes them, by path."""
    files = {"tidy.csv": csv_bytes(tidy_frame(edition))}
    files |= {f"tables/{shape.table.file_name}.csv": csv_bytes(shape.frame) for shape in edition.shapes}
    files |= {f"tables/{name}.csv": csv_bytes(extra.frame) for name, extra in edition.extras.items()}
    files["tidy.csv-metadata.json"] = metadata_bytes(edition)
    return files


def metadata_bytes(edition: Edition) -> bytes:
    """The metadata of all CSV files as CSV on the Web describes it (W3C, Metadata Vocabulary for Tabular Data)."""
    tables = [_tidy_metadata(edition)]
    tables += [_shape_metadata(edition, shape) for shape in edition.shapes]
    tables += [_extra_metadata(edition, name, extra) for name, extra in edition.extras.items()]
    value = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "dc:title": edition.title,
        "dc:description": f"{edition.notice}.",
        "dc:issued": edition.released_at,
        "tables": tables,
    }
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _tidy_metadata(edition: Edition) -> dict[str, Any]:
    columns = [
        _column(name, _MEANINGS[name], "integer" if name == "value" else "string", required=name == "value")
        for name in TIDY_COLUMNS
    ]
    measures = {name: one.meaning for name, one in MEASURES.items()}
    return {
        "url": "tidy.csv",
        "dc:title": f"{edition.title}: all public counts",
        "dc:description": f"{edition.notice}. Measures: {json.dumps(measures)}",
        "tableSchema": {"columns": columns, "primaryKey": list(TIDY_COLUMNS[:-2])},
    }


def _column(name: str, meaning: str, datatype: str, required: bool = False) -> dict[str, Any]:
    column = {"name": _name(name), "titles": name, "dc:description": meaning, "datatype": datatype}
    return column | ({"required": True} if required else {})


def _name(heading: str) -> str:
    """A column's name as CSVW allows it: letters, digits and underscores."""
    plain = "".join(
        one if one.isascii() and one.isalnum() else "_" for one in heading.lower().replace("%", " percent ")
    )
    return "_".join(filter(None, plain.split("_")))


def _shape_metadata(edition: Edition, shape: Shape) -> dict[str, Any]:
    types = {"text": "string", "count": "integer", "share": "decimal", "marker": "string"}
    counts = {count.label: MEASURES[count.measure].meaning for count in shape.table.counts}
    meanings: Mapping[str, str] = counts | {MARKER: _MEANINGS["marker"]}
    columns = [_column(name, meanings.get(name, name), types[kind]) for name, kind in shape.columns]
    return {
        "url": f"tables/{shape.table.file_name}.csv",
        "dc:title": f"Table {shape.table.name}: {shape.table.title}",
        "dc:description": " ".join([shape.table.definition, *shape.table.notes, f"{edition.notice}."]),
        "tableSchema": {"columns": columns},
    }


def _extra_metadata(edition: Edition, name: str, extra: Extra) -> dict[str, Any]:
    columns = [_column(column, column, _datatype(kind)) for column, kind in extra.frame.schema.items()]
    return {
        "url": f"tables/{name}.csv",
        "dc:title": extra.title,
        "dc:description": " ".join([extra.definition, *extra.notes, f"{edition.notice}."]),
        "tableSchema": {"columns": columns},
    }


def _datatype(kind: pl.DataType) -> str:
    if kind.is_integer():
        return "integer"
    return "decimal" if kind.is_float() else "string"
