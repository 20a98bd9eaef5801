"""Reads files into frames: many files of one record in a frame, enums as the numbers of Avro's encoding."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.containers import Container, containers, whole_blocks, with_schema

ROWS: Final = 500_000


def frames(folder: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yields record names with frames of about half a million rows or fewer, each row with its `owner`."""
    held: dict[str, list[pl.DataFrame]] = {}
    for container in containers(folder):
        read = _frame(container)
        if read.height:
            parts = held.setdefault(container.record, [])
            parts.append(read.with_columns(owner=pl.lit(container.owner)))
            if sum(part.height for part in parts) >= ROWS:
                yield container.record, pl.concat(held.pop(container.record))
    for record, parts in held.items():
        yield record, pl.concat(parts)


def _plain(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_plain(branch) for branch in kind]
    if isinstance(kind, dict):
        return "int" if kind["type"] == "enum" else kind["type"]
    return kind


def _frame(container: Container) -> pl.DataFrame:
    schema = container.schema | {
        "fields": [{"name": field["name"], "type": _plain(field["type"])} for field in container.schema["fields"]]
    }
    whole = _read(with_schema(schema, container.sync, container.blocks))
    if whole is not None:
        return whole
    blocks = (_read(with_schema(schema, container.sync, block)) for block in whole_blocks(container))
    read = [block for block in blocks if block is not None]
    return pl.concat(read) if read else pl.DataFrame()


def _read(file: io.BytesIO) -> pl.DataFrame | None:
    try:
        return pl.read_avro(file)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None
