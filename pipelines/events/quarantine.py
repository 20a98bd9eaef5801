"""Quarantine rows: the owner of a rejected record, the reasons, and where it lies. Never the record itself."""

from collections.abc import Iterable
from typing import Final

import polars as pl
import polars.selectors as cs

from pipelines.events.block import Block, Loss, provenance
from pipelines.events.columns import SOURCE_CODES
from schemas.codes import RECORDS
from schemas.reasons import sentence

ROW_TYPES: Final = {
    "owner": pl.String,
    "record_type": pl.String,
    "reason_code": pl.String,
    "provenance": pl.String,
    "rows": pl.Int64,
}


def rows_of(block: Block, reasons: pl.DataFrame) -> pl.DataFrame:
    """Returns a quarantine row for each rejected row of a block (`reasons`: row, reason_code)."""
    places = block.frame.select(cs.by_name("origin", "row", "offset", require_all=False))[reasons["row"]]
    owners = pl.Series([origin.owner for origin in block.origins], dtype=pl.String)
    return pl.DataFrame(
        {
            "owner": owners.gather(places["origin"]),
            "record_type": pl.Series([block.record], dtype=pl.String).new_from_index(0, reasons.height),
            "reason_code": reasons["reason_code"],
            "provenance": provenance(block.origins, places),
            "rows": pl.Series([1], dtype=pl.Int64).new_from_index(0, reasons.height),
        }
    )


def of_losses(losses: Iterable[Loss]) -> pl.DataFrame:
    """Returns a quarantine row for each loss; `rows` is 0 if the number of lost records is unknown."""
    rows = [(loss.owner, loss.record, loss.reason, loss.provenance, loss.records or 0) for loss in losses]
    return pl.DataFrame(rows, schema=ROW_TYPES, orient="row")


def of_rejections(rejections: pl.DataFrame) -> pl.DataFrame:
    """Returns quarantine rows, with empty provenance, for `fold.Counted.rejections` (the history rules)."""
    return rejections.select(
        owner=pl.Series(SOURCE_CODES, dtype=pl.String).gather(rejections["source"]),
        record_type=pl.Series(RECORDS, dtype=pl.String).gather(rejections["record"]),
        reason_code="reason",
        provenance=pl.lit(""),
        rows="records",
    )


def with_sentences(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns quarantine rows in the columns of `ledger_quarantine`, each with the sentences of its reasons."""
    codes = rows["reason_code"].unique().to_list()
    sentences = pl.DataFrame(
        {"reason_code": codes, "sentence": [sentence(code) for code in codes]},
        schema={"reason_code": pl.String, "sentence": pl.String},
    )
    joined = rows.join(sentences, on="reason_code", how="left")
    return joined.select("owner", "record_type", "reason_code", "sentence", "provenance", "rows")
