"""Rules 3 and 4: the standing events of every meter in order, walked in lockstep.

All meters take their first step together, then their second, and so on: one step is some
sixty NumPy operations over every meter that still has events. A meter's state is one
packed number (`history/state.py`), 0 while no meter is present.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.events import columns
from pipelines.history.copies import mixed, repeated
from pipelines.history.state import PARTS, PRESENT
from schemas import codes
from schemas.geography import LOCAL_AUTHORITY_FORM

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# The kinds of event in the walk, in the order of rule 3; the timer is added by the walk and comes last.
REMOVED, GAINED, INSTALLED, MODE, PAYMENT, COMMISSIONED, CREDENTIALS, STATUS, HUB, MIGRATED, HUB_DUE = range(11)
_KIND_OF_RECORD: Final = {
    "MeterRemoved": REMOVED,
    "SupplyGained": GAINED,
    "MeterInstalled": INSTALLED,
    "OperatingModeChanged": MODE,
    "PaymentModeChanged": PAYMENT,
    "CommissioningCompleted": COMMISSIONED,
    "CredentialsChanged": CREDENTIALS,
    "DeviceStatusChanged": STATUS,
    "HubConnectivityChanged": HUB,
    "Smets1Migrated": MIGRATED,
}
HUB_GRACE_MS: Final = 31 * 24 * 3_600_000

# What an event did; codes from ISSUES on are inconsistencies, in the order of the code list.
NOTHING, FITTED, EXCHANGED, TAKEN_AWAY, SUPPLIED, SET = range(6)
ISSUES: Final = 6
_ISSUE: Final = {reason: ISSUES + place for place, reason in enumerate(codes.INCONSISTENCIES)}

_SOURCE: Final = PARTS["source_id"]
_TYPE: Final = PARTS["meter_type"]
_MODE: Final = PARTS["operating_mode"]
_PAY: Final = PARTS["payment_mode"]
_SMETS2: Final = codes.METER_TYPES.index("SMETS2")
_SMART: Final = codes.OPERATING_MODES.index("SMART")
_TRADITIONAL: Final = codes.OPERATING_MODES.index("TRADITIONAL")
_NOT_APPLICABLE: Final = codes.OPERATING_MODES.index(codes.NOT_APPLICABLE)
_OPENING: Final = codes.INSTALL_REASONS.index("OPENING_POSITION")
_NEW_SUPPLY: Final = codes.SUPPLY_REASONS.index("NEW")
_NEVER: Final = np.iinfo(np.int64).max
_SUCCESS: Final = codes.RESULTS.index("SUCCESS")
_BAD_STATUSES: Final = [codes.DEVICE_STATUSES.index(s) for s in ("Suspended", "Decommissioned", "Withdrawn")]


@dataclass(frozen=True, slots=True)
class Steps:
    """The fields of each event that the walk needs, as arrays of one length in the order of rule 3.

    `meter` numbers the meters from 0 upwards without gaps. `install` is the state that an installation sets; `twin` is
    a number shared by installations of equal content, 0 if there is only one; `area` is the number of the local
    authority. `mode` and `payment` are the operating and payment mode that an event names, `to_source` the source that
    has the credentials after it; -1 for none. `succeeded` marks a commissioning or migration that succeeded, `fallen` a
    status that ends commissioning, `connected` a hub that is connected again.
    """

    meter: Ints
    kind: Ints
    at: Ints
    source: Ints
    install: Ints
    twin: Ints
    reason: Ints
    area: Ints
    mode: Ints
    payment: Ints
    to_source: Ints
    succeeded: Mask
    fallen: Mask
    connected: Mask


@dataclass(frozen=True, slots=True)
class Walked:
    """For every event: the meter's state after it, its local authority, what the event did, and the inferred mode.

    `smart` is the inferred mode of SMETS meters (True: SMART).
    """

    state: Ints
    area: Ints
    did: Ints
    smart: Mask


@dataclass(slots=True)
class _Meters:
    """The state of all meters between two steps, longest history first."""

    state: Ints
    area: Ints
    twin: Ints
    commissioned: Mask
    waiting: Mask
    lost: Mask
    lost_at: Ints

    @classmethod
    def at_first(cls, count: int) -> "_Meters":
        """Returns the state before the first step: no meter is present."""
        zeros, no = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
        return cls(zeros, zeros.copy(), zeros.copy(), no, no.copy(), no.copy(), np.full(count, _NEVER))

    def first(self, count: int) -> "_Meters":
        """Returns a view of the first `count` meters."""
        return _Meters(*(getattr(self, field.name)[:count] for field in fields(self)))


def walk(steps: Steps) -> Walked:
    """Walks all meters at once by rule 4."""
    total = len(steps.meter)
    out = Walked(
        np.zeros(total, dtype=np.int64),
        np.zeros(total, dtype=np.int64),
        np.zeros(total, dtype=np.int64),
        np.zeros(total, dtype=bool),
    )
    counts = np.bincount(steps.meter)
    starts = np.cumsum(counts) - counts
    longest_first = np.argsort(-counts, kind="stable")
    starts, counts = starts[longest_first], counts[longest_first]
    meters = _Meters.at_first(len(counts))
    for step in range(counts[0] if total else 0):
        active = int(np.searchsorted(-counts, -step))
        here = starts[:active] + step
        _take(meters.first(active), Steps(*(getattr(steps, f.name)[here] for f in fields(steps))), here, out)
    return out


def _take(meters: _Meters, event: Steps, here: Ints, out: Walked) -> None:
    """Takes one step of every active meter: judges, moves, infers, and writes the results to `out`."""
    did = _judge(meters, event)
    _move(meters, event, did)
    _infer(meters, event, did)
    out.did[here] = did
    out.state[here] = meters.state
    out.area[here] = meters.area
    out.smart[here] = meters.commissioned & ~meters.waiting & ~meters.lost


def _judge(meters: _Meters, event: Steps) -> Ints:
    """Returns what each event does, or the first reason for which it is inconsistent."""
    kind, present = event.kind, meters.state != 0
    own = _SOURCE.get(meters.state) == event.source
    smets = is_smets(meters.state)
    installed, gained = kind == INSTALLED, kind == GAINED
    changes = (kind == REMOVED) | (kind == MODE) | (kind == PAYMENT)
    same = (event.twin != 0) & (event.twin == meters.twin)
    return np.select(
        [
            installed & ~present,
            installed & same,
            installed & (event.reason == _OPENING),
            installed,
            gained & ~present & (event.reason == _NEW_SUPPLY),
            (gained | changes) & ~present,
            gained & own,
            gained,
            changes & ~own,
            (kind == MODE) & ~smets,
            kind == REMOVED,
            changes,
        ],
        [
            FITTED,
            _ISSUE["SAME_INSTALLATION"],
            _ISSUE["ALREADY_PRESENT"],
            EXCHANGED,
            _ISSUE["NO_METER_YET"],
            _ISSUE["NO_METER"],
            _ISSUE["ALREADY_SUPPLIER"],
            SUPPLIED,
            _ISSUE["NOT_CURRENT_SUPPLIER"],
            _ISSUE["MODE_NOT_APPLICABLE"],
            TAKEN_AWAY,
            SET,
        ],
        NOTHING,
    )


def is_smets(state: Ints) -> Mask:
    """Returns a mask of the states with a SMETS1 or SMETS2 meter in place."""
    kind = _TYPE.get(state)
    return (kind >= 0) & (kind <= _SMETS2)


def is_smart(state: Ints) -> Mask:
    """Returns a mask of the states with a meter in smart mode."""
    return _MODE.get(state) == _SMART


def is_traditional(state: Ints) -> Mask:
    """Returns a mask of the states with a meter in traditional mode."""
    return _MODE.get(state) == _TRADITIONAL


def _move(meters: _Meters, event: Steps, did: Ints) -> None:
    """Sets the published state after the step."""
    fitted = (did == FITTED) | (did == EXCHANGED)
    supplied, changed = did == SUPPLIED, did == SET
    mode = (supplied & is_smets(meters.state) & (event.mode != _NOT_APPLICABLE)) | (changed & (event.kind == MODE))
    pay = changed & (event.kind == PAYMENT)
    state = np.where(supplied, (meters.state & ~_SOURCE.mask) | _SOURCE.put(event.source), meters.state)
    state = np.where(mode, (state & ~_MODE.mask) | _MODE.put(event.mode), state)
    state = np.where(pay, (state & ~_PAY.mask) | _PAY.put(event.payment), state)
    state = np.where(fitted, event.install, state)
    meters.state[:] = np.where(did == TAKEN_AWAY, 0, state)
    meters.area[:] = np.where(fitted, event.area, meters.area)
    meters.twin[:] = np.where(fitted, event.twin, meters.twin)


def _infer(meters: _Meters, event: Steps, did: Ints) -> None:
    """Sets the mode that the DCC's records suggest after the step.

    `commissioned` follows from commissioning, migration and device status; two conditions override it: waiting for
    credentials after a change of supplier, and a hub that has been away for the days of grace.
    """
    kind = event.kind
    fitted = (did == FITTED) | (did == EXCHANGED)
    meters.commissioned[:] = (meters.commissioned | event.succeeded) & ~event.fallen & ~fitted
    handed_over = (kind == CREDENTIALS) & (event.to_source == _SOURCE.get(meters.state))
    gained = (did == SUPPLIED) & is_smets(meters.state)
    meters.waiting[:] = (meters.waiting | gained) & ~handed_over & ~fitted
    back = fitted | event.connected
    away = (kind == HUB) & ~event.connected & (meters.lost_at == _NEVER)
    meters.lost_at[:] = np.where(back, _NEVER, np.where(away, event.at, meters.lost_at))
    overdue = (kind == HUB_DUE) & (meters.lost_at <= event.at - HUB_GRACE_MS)
    meters.lost[:] = (meters.lost | overdue) & ~back


_ORDER: Final = ("meter_a", "meter_b", "at", "kind", "reported_at", "event_a", "event_b", "source")
_NEEDED: Final = (
    *("fuel", "source", "meter_a", "meter_b", "event_a", "event_b", "effective_at", "reported_at"),
    *("kind", "at", "reason", "cause", "to_source_id", "result", "status", "connected"),
    *columns.content_types("MeterInstalled"),
)


def in_order(standing: pl.DataFrame) -> pl.DataFrame:
    """Returns the standing events that take part, in the order of rule 3, with a row for each timer.

    It keeps the columns that the walk and the measures need, and adds `kind` and `at`, the instant of the step.
    """
    kinds = [_KIND_OF_RECORD.get(record) for record in codes.RECORDS]
    kind = pl.Series(kinds, dtype=pl.Int64).gather(standing["record"])
    taking = standing.with_columns(kind=kind, at="effective_at").filter(kind.is_not_null()).select(_NEEDED)
    due = taking.filter((pl.col("kind") == HUB) & ~pl.col("connected")).with_columns(
        kind=pl.lit(HUB_DUE, pl.Int64), at=pl.col("effective_at") + HUB_GRACE_MS
    )
    return pl.concat([taking, due]).sort(_ORDER)


def meter_numbers(ordered: pl.DataFrame) -> Ints:
    """Returns the number of each ordered event's meter, from 0 upwards."""
    meter_a, meter_b = ordered["meter_a"].to_numpy(), ordered["meter_b"].to_numpy()
    begins = (meter_a[1:] != meter_a[:-1]) | (meter_b[1:] != meter_b[:-1])
    return np.concatenate([np.zeros(min(1, len(meter_a)), dtype=np.int64), np.cumsum(begins)])


def steps_of(ordered: pl.DataFrame, area: Ints) -> Steps:
    """Returns ordered events as arrays (see `Steps`); `area` is each event's local authority (see `areas`)."""
    marks = ordered.select(
        succeeded=pl.col("kind").is_in([COMMISSIONED, MIGRATED]) & (pl.col("result") == _SUCCESS),
        fallen=(pl.col("kind") == STATUS) & pl.col("status").is_in(_BAD_STATUSES),
        connected=(pl.col("kind") == HUB) & pl.col("connected"),
    ).fill_null(value=False)
    return Steps(
        meter=meter_numbers(ordered),
        kind=ordered["kind"].to_numpy(),
        at=ordered["at"].to_numpy(),
        source=ordered["source"].to_numpy().astype(np.int64),
        install=installed_state(ordered),
        twin=_twins(ordered),
        reason=_int(ordered.select(pl.coalesce("install_reason", "reason")).to_series()),
        area=area,
        mode=_int(ordered["operating_mode"]),
        payment=_int(ordered["payment_mode"]),
        to_source=_receivers(ordered),
        **{name: marks[name].to_numpy() for name in marks.columns},
    )


def _int(series: pl.Series) -> Ints:
    return series.cast(pl.Int64).fill_null(-1).to_numpy()


def areas(frame: pl.DataFrame) -> tuple[Ints, pl.Series]:
    """Returns each row's local authority as a number, and the authorities' codes by number ('' for none).

    A code in another form counts as missing.
    """
    texts = frame["local_authority_code"]
    sent = texts.unique().sort()
    codes_sent = sent.filter(sent.str.contains(f"^{LOCAL_AUTHORITY_FORM}$"))
    numbers = texts.replace_strict(
        codes_sent, pl.int_range(1, len(codes_sent) + 1, eager=True), default=0, return_dtype=pl.Int64
    )
    return numbers.to_numpy(), pl.concat([pl.Series([""], dtype=pl.String), codes_sent])


def installed_state(frame: pl.DataFrame) -> Ints:
    """Returns the packed state of a meter in place, with the seven dimensions of the rows' own fields."""
    regions = frame["region_code"].cast(pl.Enum(PARTS["region_code"].words), strict=False).to_physical()
    values = {"source_id": frame["source"], "region_code": regions}
    state = np.full(frame.height, PRESENT, dtype=np.int64)
    for name, part in PARTS.items():
        state |= part.put(_int(values[name] if name in values else frame[name]))
    return state


def _twins(ordered: pl.DataFrame) -> Ints:
    """Returns a number for each installation that equals another of the same source in all but id, report and action.

    The number is 0 for all other events.
    """
    out = np.zeros(ordered.height, dtype=np.int64)
    installs = np.flatnonzero((ordered["kind"] == INSTALLED).to_numpy())
    frame = ordered[installs]
    again = repeated(mixed(frame, ("meter_a", "meter_b", "at", "source")))
    if again.any():
        content = ["meter_a", "meter_b", "fuel", "source", "effective_at", *columns.content_types("MeterInstalled")]
        groups = frame.filter(pl.Series(again)).select(number=pl.struct(content).rank("dense")).to_series()
        out[installs[again]] = groups.to_numpy()
    return out


def _receivers(ordered: pl.DataFrame) -> Ints:
    """Returns the source to which an event hands the credentials of a meter, -1 for none."""
    source = pl.col("to_source_id").cast(pl.Enum(columns.SOURCE_CODES), strict=False).to_physical()
    handed = (pl.col("kind") == CREDENTIALS) & (pl.col("result") == _SUCCESS)
    return _int(ordered.select(pl.when(handed).then(source)).to_series())
