"""Public atoms as the tables that the dashboard reads: stock and installations, exactly as they are in the files."""

import polars as pl

from pipelines.release.figures import ATOMS
from schemas.tables import PUBLISHED_INSTALLATIONS, PUBLISHED_STOCK

_NAMES = {"supplier": "source_id", "region": "region_code"}


def published_frames(figures: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The atoms of `meters` and `installations` in the columns of the published tables, without the vintage."""
    atoms = figures.filter(pl.col("table") == ATOMS).rename(_NAMES)
    stock = atoms.filter(pl.col("measure") == "meters").rename({"value": "meters"})
    fitted = atoms.filter(pl.col("measure") == "installations").rename(
        {"value": "installations", "detail": "install_reason"}
    )
    return stock.select(PUBLISHED_STOCK.column_names[1:]), fitted.select(PUBLISHED_INSTALLATIONS.column_names[1:])
