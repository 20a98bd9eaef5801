"""Markers of public figures: provisional, revised since the release before, estimated."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.release.figures import TIDY
from schemas.quarters import quarter_text

PROVISIONAL: Final = "provisional"
FINAL: Final = "final"
STATUSES: Final = (PROVISIONAL, FINAL)


@dataclass(frozen=True, slots=True)
class Before:
    """The public figures of the release before, and its last quarter (as text)."""

    figures: pl.DataFrame
    last_quarter: str


def marked(tidy: pl.DataFrame, last_quarter: int, status: str, before: Before | None) -> pl.DataFrame:
    """Public figures with their `marker` in place of `estimated`: TIDY, `value`, `marker`.

    [p]: of the last quarter of a provisional release; [e]: has figures that small suppliers will report later; [r]:
    differs from the release before, or was not in it though its quarter was.
    """
    given = tidy.join(before.figures.select(*TIDY, old="value"), on=TIDY, how="left") if before else _new(tidy)
    known = pl.col("quarter") <= before.last_quarter if before else pl.lit(value=False)
    revised = known & (pl.col("value") != pl.col("old").fill_null(0))
    provisional = pl.lit(status == PROVISIONAL) & (pl.col("quarter") == quarter_text(last_quarter))
    marks = (("p", provisional), ("e", pl.col("estimated")), ("r", revised))
    texts = [pl.when(holds).then(pl.lit(f"[{code}]")) for code, holds in marks]
    marker = pl.concat_list(texts).list.drop_nulls().list.join(" ").alias("marker")
    return given.select(*TIDY, "value", marker).sort(TIDY)


def _new(tidy: pl.DataFrame) -> pl.DataFrame:
    return tidy.with_columns(old=pl.lit(None, pl.Int64))


def changed(figures: pl.DataFrame) -> int:
    """How many figures are marked revised."""
    return figures.filter(pl.col("marker").str.contains("[r]", literal=True)).height
