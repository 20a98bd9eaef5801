"""Judges rows and makes them small: the rules that reject are expressions, every text becomes a number."""

from typing import Final

import numpy as np
import polars as pl

from benchmarks.one_thread.states import REGIONS, SOURCES, installed
from schemas.codes import (
    ACTIONS,
    FUELS,
    INSTALL_REASONS,
    METER_TYPES,
    OPERATING_MODES,
    RECORDS,
    RECORDS_WITHOUT_METER_POINT,
    SECTORS,
    SMETS_TYPES,
)
from schemas.sources import records_of, sources

_DAY: Final = 86_400_000
_BEGINNING: Final = 1_199_145_600_000
_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_ELECTRICITY: Final = pl.col("fuel") == FUELS.index("ELECTRICITY")
_SMETS: Final = pl.col("meter_type").is_in([METER_TYPES.index(kind) for kind in SMETS_TYPES])
_POINT: Final = pl.col("meter_point_id")
_DETAILS_OF_MESSAGE: Final = ("event_id", "reported_at", "action", "corrects", "owner")


def rules(record: str) -> dict[str, pl.Expr]:
    """Returns, for each reason, the expression for whether a row of a record fails it."""
    senders = [source.source_id for source in sources().values() if record in records_of(source.kind)]
    known, new = pl.col("source_id").is_in(SOURCES), pl.col("action") == ACTIONS.index("NEW")
    judged = pl.col("action") != ACTIONS.index("VOID")
    return {
        "EVENT_ID_FORMAT": ~pl.col("event_id").str.contains(_UUID),
        "SOURCE_UNKNOWN": ~known,
        "SOURCE_NOT_OWNER": pl.col("source_id") != pl.col("owner"),
        "RECORD_NOT_FOR_SOURCE": known & ~pl.col("source_id").is_in(senders),
        "METER_POINT_FORMAT": _malformed(record),
        "CORRECTION_WITHOUT_TARGET": new != pl.col("corrects").is_null(),
        "EFFECTIVE_AFTER_REPORTED": judged & (pl.col("effective_at") - pl.col("reported_at") > _DAY),
        "EFFECTIVE_BEFORE_ROLLOUT": judged & (pl.col("effective_at") < _BEGINNING) & _not_opening(record),
        **{reason: judged & fails for reason, fails in _content(record).items()},
    }


def _malformed(record: str) -> pl.Expr:
    if record in RECORDS_WITHOUT_METER_POINT:
        return _POINT != ""
    length, digits = _POINT.str.len_bytes(), _POINT.str.contains("^[0-9]+$")
    return ~(digits & pl.when(_ELECTRICITY).then(length == 13).otherwise(length.is_between(6, 10)))


def _not_opening(record: str) -> pl.Expr:
    if record != "MeterInstalled":
        return pl.lit(value=True)
    return pl.col("install_reason") != INSTALL_REASONS.index("OPENING_POSITION")


def _content(record: str) -> dict[str, pl.Expr]:
    cell = {
        "REGION_UNKNOWN": ~pl.col("region_code").is_in(REGIONS),
        "MODE_TYPE_MISMATCH": (pl.col("operating_mode") == OPERATING_MODES.index("NOT_APPLICABLE")) == _SMETS,
    }
    if record == "MeterInstalled":
        domestic = pl.col("sector") == SECTORS.index("DOMESTIC")
        return cell | {"UPFRONT_CHARGE": domestic & (pl.col("upfront_charge_pence") != 0)}
    if record == "PortfolioDeclared":
        quarter = ~pl.col("quarter").str.contains("^[0-9]{4}Q[1-4]$")
        return cell | {"QUARTER_FORMAT": quarter, "COUNT_NEGATIVE": pl.col("meters") < 0}
    if record == "ServiceMeasured":
        return {"COUNT_NEGATIVE": pl.min_horizontal("numerator", "denominator") < 0}
    return {}


def checked(record: str, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Returns the rows that pass, made small (see `_small`), and how many fail each rule.

    Wrong MPANs are found later, by `resolving.with_meters`.
    """
    marks = frame.select(fails.alias(reason) for reason, fails in rules(record).items())
    counts = marks.sum().row(0, named=True)
    bad = marks.select(pl.any_horizontal(pl.all())).to_series()
    return _small(record, frame.filter(~bad) if bad.any() else frame), counts


def _small(record: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Returns rows of numbers only.

    `point` names fuel and meter point, `content` and `twin` are hashes; `states.py` defines `state`.
    """
    content = [name for name in frame.columns if name not in {"meter_point_id", "owner"}]
    event_a, event_b = _halves(frame["event_id"])
    corrects_a, corrects_b = _halves(frame["corrects"])
    source = pl.col("source_id").cast(pl.Enum(SOURCES)).to_physical().cast(pl.Int64)
    small = frame.select(
        pl.lit(RECORDS.index(record), pl.Int8).alias("record"),
        pl.col("action").cast(pl.Int8),
        source.alias("source"),
        _point_number().alias("point"),
        "effective_at",
        "reported_at",
        *(pl.col(name).cast(pl.Int8) if name in frame.columns else pl.lit(-1, pl.Int8).alias(name) for name in _CODES),
    )
    install = record == "MeterInstalled"
    zeros = pl.zeros(frame.height, pl.UInt64, eager=True)
    details = [name for name in content if name not in _DETAILS_OF_MESSAGE]
    return small.with_columns(
        event_a=event_a,
        event_b=event_b,
        corrects_a=corrects_a,
        corrects_b=corrects_b,
        content=frame.select(content).hash_rows(seed=RECORDS.index(record)),
        twin=frame.select(details).hash_rows().reinterpret(signed=True) if install else zeros.cast(pl.Int64),
        state=installed(frame) if install else zeros.cast(pl.Int64),
    )


_CODES: Final = ("operating_mode", "payment_mode", "install_reason", "reason", "cause")


def _point_number() -> pl.Expr:
    """Returns fuel, length and digits of a meter point as one number."""
    number = _POINT.cast(pl.Int64, strict=False).fill_null(0)
    return (number * 16 + _POINT.str.len_bytes().cast(pl.Int64)) * 2 + pl.col("fuel").cast(pl.Int64)


def _halves(ids: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Returns the halves of lower-case uuids, 0 for any other text or null."""
    right = ids.str.contains(_UUID).fill_null(value=False)
    if not right.any():
        zeros = pl.zeros(len(ids), pl.UInt64, eager=True)
        return zeros, zeros
    plain = ids.filter(right).str.replace_all("-", "", literal=True).str.decode("hex")
    halves = np.frombuffer(b"".join(plain.to_list()), dtype=">u8").astype(np.uint64).reshape(-1, 2)
    out = np.zeros((len(ids), 2), dtype=np.uint64)
    out[right.to_numpy()] = halves
    return pl.Series(out[:, 0]), pl.Series(out[:, 1])
