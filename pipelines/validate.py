"""Layer two of validation: facts about every row, judged by the suites, then accepted or turned away.

`facts` works out, for each row of a block, the numbers and truths that the rules speak of.
It is the last place that sees a raw meter point id; Great Expectations quotes the values it
rejects, so it is given facts only. `identified` is the same rows with ids and digests in
place of texts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from pipelines import columns, identifiers, quarantine
from pipelines.block import Block
from pipelines.pseudonym import Key, digests
from schemas import geography
from schemas.codes import (
    ACTIONS,
    DCC_RECORDS,
    FUELS,
    INSTALL_REASONS,
    METER_TYPES,
    OPERATING_MODES,
    RECORDS_WITHOUT_METER_POINT,
    SECTORS,
    SMETS_TYPES,
)
from schemas.sources import sources

_VOID: Final = ACTIONS.index("VOID")
_NEW: Final = ACTIONS.index("NEW")
_ELECTRICITY: Final = FUELS.index("ELECTRICITY")
_DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Identified:
    """A block without raw ids. `events` is an event frame; `facts` has one row for each of its rows, in order."""

    record: str
    events: pl.DataFrame
    facts: pl.DataFrame


def identify(block: Block, key: Key) -> Identified:
    """Facts and compact events of a block; the raw meter point ids end here."""
    frame = block.frame
    event_a, event_b = identifiers.uuid_halves(frame["event_id"])
    facts = pl.concat(
        [_envelope_facts(block, event_a), *_record_facts(block)],
        how="horizontal",
    )
    return Identified(block.record, _events(block, (event_a, event_b), key), facts)


def _events(block: Block, event: tuple[pl.Series, pl.Series], key: Key) -> pl.DataFrame:
    frame = block.frame
    meter_a, meter_b = digests(frame["fuel"], frame["meter_point_id"], key)
    corrects_a, corrects_b = identifiers.uuid_halves(frame["corrects"])
    source = frame["source_id"].cast(pl.Enum(columns.SOURCE_CODES), strict=False).to_physical()
    compact = frame.drop("event_id", "corrects", "source_id", "meter_point_id", "origin", "row").with_columns(
        record=pl.lit(columns.RECORD_CODES[block.record], pl.UInt8),
        source=source.cast(pl.UInt16),
        meter_a=meter_a,
        meter_b=meter_b,
        event_a=event[0],
        event_b=event[1],
        corrects_a=corrects_a,
        corrects_b=corrects_b,
        corrects_text=pl.when(corrects_a.is_null()).then(frame["corrects"]),
    )
    return columns.as_events(compact)


def _owners(block: Block) -> pl.Series:
    return pl.Series([origin.owner for origin in block.origins], dtype=pl.String).gather(block.frame["origin"])


def _envelope_facts(block: Block, event_a: pl.Series) -> pl.DataFrame:
    frame = block.frame.select(
        "action", "corrects", "source_id", "fuel", "meter_point_id", "effective_at", "reported_at"
    ).with_columns(owner=_owners(block), received_at=pl.lit(None, pl.Int64))
    judged = pl.col("action") != _VOID
    opening = _is_opening(block.record, block.frame)
    return frame.select(
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        event_id_ok=event_a.is_not_null(),
        source_known=pl.col("source_id").is_in(list(sources())),
        source_is_owner=pl.col("source_id") == pl.col("owner"),
        record_for_source=_record_for_source(block.record),
        correction_names_target=(pl.col("action") == _NEW) == pl.col("corrects").is_null(),
        effective_after_reported_ms=pl.when(judged).then(pl.col("effective_at") - pl.col("reported_at")),
        reported_after_received_ms=pl.when(judged).then(pl.col("reported_at") - pl.col("received_at")),
        effective_at_unless_opening_ms=pl.when(judged & ~opening).then(pl.col("effective_at")),
        source_active=pl.when(judged).then(_source_active()),
    ).with_columns(_meter_point_facts(block))


def _record_for_source(record: str) -> pl.Expr:
    kind = "DCC" if record in DCC_RECORDS else "SUPPLIER"
    kinds = {source.source_id: source.kind == kind for source in sources().values()}
    return pl.col("source_id").replace_strict(kinds, default=None, return_dtype=pl.Boolean)


def _is_opening(record: str, frame: pl.DataFrame) -> pl.Series:
    if record != "MeterInstalled":
        return pl.Series([False]).new_from_index(0, frame.height)
    return frame["install_reason"] == INSTALL_REASONS.index("OPENING_POSITION")


def _days_ms(day: date | None) -> int | None:
    return None if day is None else (day - _EPOCH).days * _DAY_MS


def _source_active() -> pl.Expr:
    """Whether the event took effect within the source's dates (days in UTC: a warning needs no finer)."""
    begins = {s.source_id: _days_ms(s.active_from) for s in sources().values()}
    ends = {s.source_id: _days_ms(s.active_to) for s in sources().values()}
    source = pl.col("source_id")
    begin = source.replace_strict(begins, default=None, return_dtype=pl.Int64)
    end = source.replace_strict(ends, default=None, return_dtype=pl.Int64)
    effective = pl.col("effective_at")
    return (effective >= begin) & (effective < end + _DAY_MS).fill_null(value=True)


def _meter_point_facts(block: Block) -> list[pl.Series]:
    points, electricity = block.frame["meter_point_id"], block.frame["fuel"] == _ELECTRICITY
    nobody = pl.Series([None], dtype=pl.Boolean).new_from_index(0, len(points))
    if block.record in RECORDS_WITHOUT_METER_POINT:
        form = (points == "").alias("meter_point_format_ok")
        return [form, nobody.alias("mpan_check_digit_ok"), nobody.alias("mprn_check_digit_ok")]
    form = identifiers.meter_point_format_ok(points, electricity)
    mpans, mprns = form & electricity, form & ~electricity
    return [
        form.alias("meter_point_format_ok"),
        nobody.scatter(mpans.arg_true(), identifiers.mpan_check_digit_ok(points.filter(mpans))).alias(
            "mpan_check_digit_ok"
        ),
        nobody.scatter(mprns.arg_true(), identifiers.mprn_check_digits_ok(points.filter(mprns))).alias(
            "mprn_check_digit_ok"
        ),
    ]


def _record_facts(block: Block) -> list[pl.DataFrame]:
    judged = pl.col("action") != _VOID
    frame = block.frame
    if block.record == "MeterInstalled":
        return [_installation_facts(frame, judged)]
    if block.record == "PortfolioDeclared":
        return [
            frame.select(
                region_code=pl.when(judged).then("region_code"),
                mode_fits_type=pl.when(judged).then(_mode_fits_type()),
                quarter=pl.when(judged).then("quarter"),
                meters=pl.when(judged).then("meters"),
            )
        ]
    if block.record == "ServiceMeasured":
        return [
            frame.select(
                numerator=pl.when(judged).then("numerator"),
                denominator=pl.when(judged).then("denominator"),
            )
        ]
    return []


def _smets() -> pl.Expr:
    return pl.col("meter_type").is_in([METER_TYPES.index(kind) for kind in SMETS_TYPES])


def _mode_fits_type() -> pl.Expr:
    return _smets() == (pl.col("operating_mode") != OPERATING_MODES.index("NOT_APPLICABLE"))


def _installation_facts(frame: pl.DataFrame, judged: pl.Expr) -> pl.DataFrame:
    domestic = pl.col("sector") == SECTORS.index("DOMESTIC")
    return frame.select(
        region_code=pl.when(judged).then("region_code"),
        mode_fits_type=pl.when(judged).then(_mode_fits_type()),
        domestic_upfront_charge_pence=pl.when(judged & domestic).then("upfront_charge_pence"),
        reason_fits_type=pl.when(judged).then(_reason_fits_type()),
        device_named=pl.when(judged & _smets()).then(pl.col("device_id").is_not_null()),
        hub_named=pl.when(judged & _smets()).then(pl.col("hub_id").is_not_null()),
        region_of_distributor=pl.when(judged).then(_region_of_distributor(frame)),
    )


def _reason_fits_type() -> pl.Expr:
    """A smart reason with a meter that is not smart, or a non-smart replacement with one that is, is odd."""
    reason, non_smart = pl.col("install_reason"), pl.col("meter_type") == METER_TYPES.index("NON_SMART")
    smart = reason.is_in([INSTALL_REASONS.index(r) for r in ("SMART_FOR_NON_SMART", "SMART_FOR_SMART")])
    plain = reason == INSTALL_REASONS.index("NON_SMART_REPLACEMENT")
    return ~(smart & non_smart) & ~(plain & ~non_smart)


def _region_of_distributor(frame: pl.DataFrame) -> pl.Series:
    """Whether the region is one that the MPAN's distributor serves; null for gas and independent networks."""
    electricity = frame["fuel"] == _ELECTRICITY
    distributor = frame["meter_point_id"].str.slice(0, 2)
    served = [f"{number}{region}" for number, codes in geography.distributor_regions().items() for region in codes]
    numbers = [str(number) for number in geography.distributor_regions()]
    return pl.select(
        pl.when(electricity & distributor.is_in(numbers)).then((distributor + frame["region_code"]).is_in(served))
    ).to_series()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A block after validation. `accepted` is an event frame; the rest are counts and quarantine rows.

    `intake`: owner, status (received, rejected), records. `quarantine`: owner, record_type, reason_code,
    provenance, rows. `warnings`: owner, record_type, reason_code, records.
    """

    accepted: pl.DataFrame
    intake: pl.DataFrame
    quarantine: pl.DataFrame
    warnings: pl.DataFrame


def judge(block: Block, key: Key, check: Callable[[str, pl.DataFrame], pl.DataFrame]) -> Verdict:
    """Every row of a block accepted or turned away with all its reasons; warnings counted."""
    identified = identify(block, key)
    findings = check(block.record, identified.facts)
    rejecting = findings.filter(pl.col("severity") == "reject")
    reasons = (
        rejecting.unique(["row", "reason_code"])
        .sort("row", "reason_code")
        .group_by("row", maintain_order=True)
        .agg(pl.col("reason_code").str.join(";"))
    )
    owners = _owners(block)
    rejected = reasons["row"]
    keep = ~pl.int_range(block.frame.height, dtype=pl.UInt32, eager=True).is_in(rejected.implode())
    return Verdict(
        identified.events if keep.all() else identified.events.filter(keep),
        _intake(owners, owners.gather(rejected)),
        quarantine.rows_of(block, reasons),
        _warnings(findings.filter(pl.col("severity") == "warning"), owners, block.record),
    )


def _intake(received: pl.Series, rejected: pl.Series) -> pl.DataFrame:
    parts = [
        pl.DataFrame({"owner": owners})
        .group_by("owner")
        .agg(records=pl.len().cast(pl.Int64))
        .select("owner", pl.lit(status).alias("status"), "records")
        for status, owners in (("received", received), ("rejected", rejected))
    ]
    return pl.concat(parts)


def _warnings(findings: pl.DataFrame, owners: pl.Series, record: str) -> pl.DataFrame:
    return (
        findings.select("reason_code", owner=owners.gather(findings["row"]), record_type=pl.lit(record))
        .group_by("owner", "record_type", "reason_code")
        .agg(records=pl.len().cast(pl.Int64))
    )
