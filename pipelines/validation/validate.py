"""Layer two of validation: facts about every row are judged by the suites, then rows are accepted or rejected.

`identify` works out, for each row of some blocks, the facts that the rules use (numbers and truth values), and the same
rows with ids and digests in place of texts. It is the last place that sees a raw meter point id; Great Expectations
quotes the values that it rejects, so it receives facts only.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, pairwise
from typing import Final

import polars as pl

from pipelines.events import columns, identifiers, quarantine
from pipelines.events.block import Block
from pipelines.events.outcome import Outcome
from pipelines.keys import Key
from pipelines.validation.pseudonym import digests
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
_SOURCES: Final = pl.Enum(columns.SOURCE_CODES)


@dataclass(frozen=True, slots=True)
class Identified:
    """Blocks without raw ids. `events` is an event frame; `facts` has one row for each of its rows, in order.

    Each fact row has its `record` and its `row` (a position in all blocks together).
    """

    events: pl.DataFrame
    facts: pl.DataFrame


def identify(blocks: Sequence[Block], key: Key) -> Identified:
    """Returns facts and compact events of blocks, one after the other; raw meter point ids go no further."""
    envelope = pl.concat([_envelope(block) for block in blocks], how="diagonal")
    event = identifiers.uuid_halves(envelope["event_id"])
    special = pl.concat([_record_facts(block) for block in blocks], how="diagonal")
    facts = pl.concat([_envelope_facts(envelope, event[0]), special], how="horizontal")
    return Identified(_events(blocks, envelope, event, key), facts)


_PROVENANCE: Final = ("origin", "row", "offset", "received_at")


def _envelope(block: Block) -> pl.DataFrame:
    """Returns the fields that all records share, and what only the block knows about its rows."""
    received = "received_at" if "received_at" in block.frame.columns else pl.lit(None, pl.Int64)
    return block.frame.select(
        *columns.ENVELOPE_FIELDS,
        pl.Series("owner", _owners(block)),
        # Null if no source has this id.
        pl.col("source_id").cast(_SOURCES, strict=False).to_physical().alias("source"),
        pl.Series("opening", _is_opening(block.record, block.frame)),
        received_at=received,
        record=pl.lit(block.record),
        record_code=pl.lit(columns.RECORD_CODES[block.record], pl.UInt8),
        of_dcc=pl.lit(block.record in DCC_RECORDS),
        without_meter_point=pl.lit(block.record in RECORDS_WITHOUT_METER_POINT),
    )


def _events(
    blocks: Sequence[Block], envelope: pl.DataFrame, event: tuple[pl.Series, pl.Series], key: Key
) -> pl.DataFrame:
    meter_a, meter_b = digests(envelope["fuel"], envelope["meter_point_id"], key)
    corrects_a, corrects_b = identifiers.uuid_halves(envelope["corrects"])
    gone = (*columns.ENVELOPE_FIELDS, *_PROVENANCE)
    contents = pl.concat([block.frame.drop(gone, strict=False) for block in blocks], how="diagonal")
    compact = contents.with_columns(
        envelope.select("action", "fuel", "source", "effective_at", "reported_at").get_columns(),
        record=envelope["record_code"],
        meter_a=meter_a,
        meter_b=meter_b,
        event_a=event[0],
        event_b=event[1],
        corrects_a=corrects_a,
        corrects_b=corrects_b,
        corrects_text=pl.select(pl.when(corrects_a.is_null()).then(envelope["corrects"])).to_series(),
    )
    return columns.as_events(compact)


def _owners(block: Block) -> pl.Series:
    return pl.Series([origin.owner for origin in block.origins], dtype=pl.String).gather(block.frame["origin"])


def _envelope_facts(envelope: pl.DataFrame, event_a: pl.Series) -> pl.DataFrame:
    judged = pl.col("action") != _VOID
    facts = envelope.select(
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        record="record",
        event_id_ok=event_a.is_not_null(),
        source_known=pl.col("source").is_not_null(),
        source_is_owner=pl.col("source_id") == pl.col("owner"),
        record_for_source=_of_source(_sources().of_dcc) == pl.col("of_dcc"),
        correction_names_target=(pl.col("action") == _NEW) == pl.col("corrects").is_null(),
        effective_after_reported_ms=pl.when(judged).then(pl.col("effective_at") - pl.col("reported_at")),
        reported_after_received_ms=pl.when(judged).then(pl.col("reported_at") - pl.col("received_at")),
        effective_at_unless_opening_ms=pl.when(judged & ~pl.col("opening")).then(pl.col("effective_at")),
        source_active=pl.when(judged).then(_source_active()),
    )
    return facts.with_columns(_meter_point_facts(envelope))


@dataclass(frozen=True, slots=True)
class _Sources:
    """What the rules need of each source, by its code; `begins` is inclusive, `ends` exclusive, in milliseconds."""

    of_dcc: pl.Series
    begins: pl.Series
    ends: pl.Series


@functools.cache
def _sources() -> _Sources:
    listed = [sources()[source_id] for source_id in columns.SOURCE_CODES]
    return _Sources(
        pl.Series([source.kind == "DCC" for source in listed]),
        pl.Series([_days_ms(source.active_from) for source in listed], dtype=pl.Int64),
        pl.Series([_days_ms(source.active_to) for source in listed], dtype=pl.Int64) + _DAY_MS,
    )


def _of_source(values: pl.Series) -> pl.Expr:
    """Returns the value of each row's source, null if there is no such source."""
    return pl.lit(values).gather(pl.col("source"))


def _is_opening(record: str, frame: pl.DataFrame) -> pl.Series:
    if record != "MeterInstalled":
        return pl.Series([False]).new_from_index(0, frame.height)
    return frame["install_reason"] == INSTALL_REASONS.index("OPENING_POSITION")


def _days_ms(day: date | None) -> int | None:
    return None if day is None else (day - _EPOCH).days * _DAY_MS


def _source_active() -> pl.Expr:
    """Whether the event took effect within the source's dates (in UTC days: exact enough for a warning)."""
    effective = pl.col("effective_at")
    begun = effective >= _of_source(_sources().begins)
    return begun & (effective < _of_source(_sources().ends)).fill_null(value=True)


def _meter_point_facts(envelope: pl.DataFrame) -> list[pl.Series]:
    points, electricity = envelope["meter_point_id"], envelope["fuel"] == _ELECTRICITY
    nobody = pl.Series([None], dtype=pl.Boolean).new_from_index(0, len(points))
    without = envelope["without_meter_point"]
    form = identifiers.meter_point_format_ok(points, electricity)
    mpans, mprns = form & electricity & ~without, form & ~electricity & ~without
    return [
        pl.select(pl.when(without).then(points == "").otherwise(form)).to_series().alias("meter_point_format_ok"),
        nobody.scatter(mpans.arg_true(), identifiers.mpan_check_digit_ok(points.filter(mpans))).alias(
            "mpan_check_digit_ok"
        ),
        nobody.scatter(mprns.arg_true(), identifiers.mprn_check_digits_ok(points.filter(mprns))).alias(
            "mprn_check_digit_ok"
        ),
    ]


def _record_facts(block: Block) -> pl.DataFrame:
    """Returns facts of one record's own fields, one row for each of the block's.

    The only column is null if no rule needs any of the fields.
    """
    judged = pl.col("action") != _VOID
    frame = block.frame
    if block.record == "MeterInstalled":
        return _installation_facts(frame, judged)
    if block.record == "PortfolioDeclared":
        return frame.select(
            region_code=pl.when(judged).then("region_code"),
            mode_fits_type=pl.when(judged).then(_mode_fits_type()),
            quarter=pl.when(judged).then("quarter"),
            meters=pl.when(judged).then("meters"),
        )
    if block.record == "ServiceMeasured":
        return frame.select(
            numerator=pl.when(judged).then("numerator"),
            denominator=pl.when(judged).then("denominator"),
        )
    # A column that no rule uses, so that the block keeps its rows when blocks are joined.
    return pl.DataFrame({"nothing": pl.Series([None], dtype=pl.Boolean).new_from_index(0, frame.height)})


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
        local_authority_has_form=pl.when(judged).then(_local_authority_has_form()),
    )


def _local_authority_has_form() -> pl.Expr:
    return pl.col("local_authority_code").str.contains(f"^{geography.LOCAL_AUTHORITY_FORM}$")


def _reason_fits_type() -> pl.Expr:
    """Whether the install reason fits the meter type.

    A smart reason does not fit a meter that is not smart, and a non-smart replacement fits no other meter.
    """
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
    """Blocks after validation. `accepted` is an event frame; the rest are counts and quarantine rows.

    `intake`: owner, status (received, rejected), records. `quarantine`: owner, record_type, reason_code, provenance,
    rows. `warnings`: owner, record_type, reason_code, records.
    """

    accepted: pl.DataFrame
    intake: pl.DataFrame
    quarantine: pl.DataFrame
    warnings: pl.DataFrame

    @property
    def outcome(self) -> Outcome:
        """The outcome of the rows, to be added to that of others."""
        return Outcome(self.intake, self.quarantine, self.warnings)


def judge(blocks: Sequence[Block], key: Key, check: Callable[[pl.DataFrame], pl.DataFrame]) -> Verdict:
    """Accepts every row of some blocks, or rejects it with all its reasons; counts the warnings.

    `check` returns the findings for facts (`expectations.run.Checker.check_records`).
    """
    if not any(block.frame.height for block in blocks):
        return _nothing()
    identified = identify(blocks, key)
    findings = check(identified.facts)
    rejecting = findings.filter(pl.col("severity") == "reject")
    reasons = (
        rejecting.unique(["row", "reason_code"])
        .sort("row", "reason_code")
        .group_by("row", maintain_order=True)
        .agg(pl.col("reason_code").str.join(";"))
    )
    owners = pl.concat([_owners(block) for block in blocks])
    rejected = reasons["row"]
    keep = ~pl.int_range(len(owners), dtype=pl.UInt32, eager=True).is_in(rejected.implode())
    return Verdict(
        identified.events if keep.all() else identified.events.filter(keep),
        _intake(owners, owners.gather(rejected)),
        pl.concat(_quarantined(blocks, reasons)),
        _warnings(findings.filter(pl.col("severity") == "warning"), owners, identified.facts["record"]),
    )


def _nothing() -> Verdict:
    empty = pl.DataFrame(schema={"row": pl.UInt32})
    nobody = pl.Series([], dtype=pl.String)
    rows = pl.DataFrame(schema=quarantine.ROW_TYPES)
    warned = empty.with_columns(reason_code=nobody)
    return Verdict(columns.empty_events(), _intake(nobody, nobody), rows, _warnings(warned, nobody, nobody))


def _quarantined(blocks: Sequence[Block], reasons: pl.DataFrame) -> list[pl.DataFrame]:
    """Returns the quarantine rows of each block; `reasons` are by position in all blocks together."""
    rows = [pl.DataFrame(schema=quarantine.ROW_TYPES)]
    starts = list(accumulate((block.frame.height for block in blocks), initial=0))
    cuts = reasons["row"].search_sorted(pl.Series(starts, dtype=pl.UInt32)).to_list()
    for block, start, (first, last) in zip(blocks, starts, pairwise(cuts), strict=False):
        if first < last:
            rows.append(quarantine.rows_of(block, reasons[first:last].with_columns(pl.col("row") - start)))
    return rows


def _intake(received: pl.Series, rejected: pl.Series) -> pl.DataFrame:
    parts = [
        pl.DataFrame({"owner": owners})
        .group_by("owner")
        .agg(records=pl.len().cast(pl.Int64))
        .select("owner", pl.lit(status).alias("status"), "records")
        for status, owners in (("received", received), ("rejected", rejected))
    ]
    return pl.concat(parts)


def _warnings(findings: pl.DataFrame, owners: pl.Series, records: pl.Series) -> pl.DataFrame:
    at = findings["row"]
    return (
        findings.select("reason_code", owner=owners.gather(at), record_type=records.gather(at))
        .group_by("owner", "record_type", "reason_code")
        .agg(records=pl.len().cast(pl.Int64))
    )
