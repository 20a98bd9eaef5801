"""One small function for each measure: the cells that a walk and the standing events add to.

A function returns a `Tally`: keys of cells and the value added to each. `CELLS_OF_MOVES` and `CELLS_OF_STANDING` are
the registry; `measures.py` says what each measure means.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.events.calendar import quarters_of
from pipelines.events.columns import RECORD_CODES
from pipelines.history import walk as w
from pipelines.history.state import PARTS
from pipelines.quarterly.cellkeys import LOCAL, empty_cells, keys_of, mask_of, summed, summed_by_key
from schemas import codes
from schemas.quarters import quarter_number

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_DAY_MS: Final = 86_400_000
_CHURN: Final = codes.MODE_CAUSES.index("CHURN")
_EXCHANGED: Final = len(codes.REMOVAL_REASONS)
_OPENING: Final = codes.INSTALL_REASONS.index("OPENING_POSITION")
_DOMESTIC: Final = codes.SECTORS.index("DOMESTIC")
_TRADITIONAL: Final = codes.SMETS_OPERATING_MODES.index("TRADITIONAL")
_FIRST_DAY_OF_DELAY: Final = (1, 8, 29, 92)
_SUPPLIERS_OWN: Final = tuple(name for name in codes.SUPPLIER_RECORDS if name not in codes.RECORDS_WITHOUT_METER_POINT)


@dataclass(frozen=True, slots=True)
class Tally:
    """Keys of cells, the value that each adds (1 if None), and the free text of each if the measure has one."""

    keys: Ints
    values: Ints | None = None
    texts: pl.Series | None = None

    @property
    def each(self) -> Ints:
        """The value that each key adds."""
        return np.ones(len(self.keys), dtype=np.int64) if self.values is None else self.values


def cells_of_tallies(tallies: Sequence[Tally]) -> pl.DataFrame:
    """Returns tallies, with and without text, added up as cells (`text`, `key`, `value`).

    All counts of a measure must be in one tally.
    """
    plain = [tally for tally in tallies if tally.texts is None]
    keys, sums = summed_by_key(
        np.concatenate([tally.keys for tally in plain]),
        np.concatenate([tally.each for tally in plain]),
    )
    without_text = pl.DataFrame(
        {"text": pl.Series([None], dtype=pl.String).new_from_index(0, len(keys)), "key": keys, "value": sums}
    )
    with_text = [
        summed(pl.DataFrame({"text": tally.texts, "key": tally.keys, "value": tally.each}))
        for tally in tallies
        if tally.texts is not None and len(tally.keys)
    ]
    return pl.concat([without_text, *with_text]) if with_text else without_text


@dataclass(frozen=True, slots=True)
class Moves:
    """The walked events of many meters, in order: each event's quarter and the meter before and after it."""

    events: pl.DataFrame
    meter: Ints
    quarter: Ints
    did: Ints
    before: Ints
    after: Ints
    inferred_smart: Mask
    area: Ints
    area_names: pl.Series

    def column(self, name: str) -> Ints:
        """Returns a column of the events as integers, -1 for null."""
        return self.events[name].cast(pl.Int64).fill_null(-1).to_numpy()

    @property
    def fitted(self) -> Mask:
        """Which events put a meter in place."""
        return (self.did == w.FITTED) | (self.did == w.EXCHANGED)

    @property
    def installed(self) -> Mask:
        """Which events count as installations: those that fit a meter, opening positions excluded."""
        return self.fitted & (self.column("install_reason") != _OPENING)

    def cells(self, measure: str, where: Mask, meters: Ints, details: Ints | int = -1) -> Tally:
        """Tallies 1 for each event in a mask, in the cell of its quarter, a packed meter and a detail."""
        chosen = details if isinstance(details, int) else details[where]
        return Tally(keys_of(measure, self.quarter[where], meters[where], chosen))


def moves_of(standing: pl.DataFrame) -> Moves:
    """Walks the standing events of all meters; see `Moves`."""
    ordered = w.in_order(standing)
    area, area_names = w.areas(ordered)
    steps = w.steps_of(ordered, area)
    walked = w.walk(steps)
    first = np.concatenate([[True], np.diff(steps.meter) != 0])[: ordered.height]
    before = np.where(first, 0, np.roll(walked.state, 1))
    return Moves(
        ordered,
        steps.meter,
        quarters_of(steps.at),
        walked.did,
        before,
        walked.state,
        walked.smart,
        walked.area,
        area_names,
    )


def _quarter_ends(moves: Moves) -> Ints:
    """Returns the positions of the last event of every meter and quarter, in order."""
    last = np.ones(len(moves.meter), dtype=bool)
    last[:-1] = (np.diff(moves.meter) != 0) | (np.diff(moves.quarter) != 0)
    return np.flatnonzero(last)


def _net_change(moves: Moves, measure: str, stock: Ints, details: Ints, texts: pl.Series | None = None) -> Tally:
    """Tallies -1 in the cell left and +1 in the cell entered between quarter ends; `stock` is 0 without a meter."""
    ends = _quarter_ends(moves)
    begins = np.concatenate([[True], np.diff(moves.meter[ends]) != 0])[: len(ends)]
    left = np.where(begins, -1, np.roll(ends, 1))
    was = np.where(left < 0, 0, stock[left])
    changed = (was != stock[ends]) | (details[left] != details[ends])
    if texts is not None:
        changed |= (texts.gather(ends) != texts.gather(left)).to_numpy()
    out, into = changed & (was != 0), changed & (stock[ends] != 0)
    places = np.concatenate([left[out], ends[into]])
    quarters = moves.quarter[np.concatenate([ends[out], ends[into]])]
    values = np.repeat(np.array([-1, 1]), [out.sum(), into.sum()])
    keys = keys_of(measure, quarters, stock[places], details[places])
    return Tally(keys, values, None if texts is None else texts.gather(places))


def _meters(moves: Moves) -> Tally:
    return _net_change(moves, "meters", moves.after, np.full(len(moves.after), -1))


def _meters_local(moves: Moves) -> Tally:
    stock = np.where(moves.after != 0, moves.after & mask_of(LOCAL) | 1, 0)
    return _net_change(moves, "meters_local", stock, np.full(len(stock), -1), moves.area_names.gather(moves.area))


def _mode_disagreements(moves: Moves) -> Tally:
    differs = w.is_smets(moves.after) & (moves.inferred_smart != w.is_smart(moves.after))
    inferred = np.where(moves.inferred_smart, 1 - _TRADITIONAL, _TRADITIONAL)
    return _net_change(moves, "mode_disagreements", np.where(differs, moves.after, 0), np.where(differs, inferred, -1))


def _installations(moves: Moves) -> Tally:
    return moves.cells("installations", moves.installed, moves.after, moves.column("install_reason"))


def _displays(moves: Moves) -> Tally:
    domestic = PARTS["sector"].get(moves.after) == _DOMESTIC
    where = moves.installed & w.is_smets(moves.after) & domestic
    return moves.cells("displays", where, moves.after, moves.column("in_home_display"))


def _removals(moves: Moves) -> Tally:
    exchanged = moves.did == w.EXCHANGED
    reason = np.where(exchanged, _EXCHANGED, moves.column("reason"))
    return moves.cells("removals", exchanged | (moves.did == w.TAKEN_AWAY), moves.before, reason)


def _takeovers(moves: Moves) -> Tally:
    supplier = PARTS["source_id"]
    other = supplier.get(moves.before) != supplier.get(moves.after)
    where = (moves.did == w.EXCHANGED) & other
    return moves.cells("takeovers", where, moves.after, moves.column("install_reason"))


def _switches(moves: Moves) -> Tally:
    return moves.cells("switches", moves.did == w.SUPPLIED, moves.after, moves.column("reason"))


def _mode_changes(moves: Moves, measure: str, where: Mask) -> Tally:
    supplied = moves.did == w.SUPPLIED
    cause = np.where(supplied, _CHURN, moves.column("cause"))
    return moves.cells(measure, where & (supplied | (moves.did == w.SET)), moves.after, cause)


def _mode_losses(moves: Moves) -> Tally:
    return _mode_changes(moves, "mode_losses", w.is_smart(moves.before) & w.is_traditional(moves.after))


def _mode_recoveries(moves: Moves) -> Tally:
    return _mode_changes(moves, "mode_recoveries", w.is_traditional(moves.before) & w.is_smart(moves.after))


def _senders(events: pl.DataFrame) -> Ints:
    """Returns the sender and the fuel of each event, packed as a meter's dimensions."""
    source, fuel = events["source"].to_numpy(), events["fuel"].to_numpy()
    return PARTS["source_id"].put(source) | PARTS["fuel"].put(fuel)


def _inconsistent(moves: Moves) -> Tally:
    return moves.cells("inconsistent", moves.did >= w.ISSUES, _senders(moves.events), moves.did - w.ISSUES)


CELLS_OF_MOVES: Final[tuple[Callable[[Moves], Tally], ...]] = (
    _meters,
    _meters_local,
    _mode_disagreements,
    _installations,
    _displays,
    _removals,
    _takeovers,
    _switches,
    _mode_losses,
    _mode_recoveries,
    _inconsistent,
)


def _of(standing: pl.DataFrame, *records: str) -> pl.DataFrame:
    return standing.filter(pl.col("record").is_in([RECORD_CODES[record] for record in records]))


def _sent(measure: str, events: pl.DataFrame, detail: pl.Expr) -> Tally:
    """Tallies 1 for each event in the cell of its quarter, sender, fuel and detail code."""
    quarters = quarters_of(events["effective_at"].to_numpy())
    details = events.select(detail.cast(pl.Int64)).to_series().to_numpy()
    return Tally(keys_of(measure, quarters, _senders(events), details))


def _visits(standing: pl.DataFrame) -> Tally:
    return _sent("visits", standing, pl.col("outcome"))


def _visits_supported(standing: pl.DataFrame) -> Tally:
    visits = standing.filter("vulnerable_customer")
    # In the order of the code list: both, advice only, demonstration only, none.
    support = 3 - 2 * pl.col("energy_advice_given").cast(pl.Int64) - pl.col("display_demonstrated").cast(pl.Int64)
    return _sent("visits_supported", visits, support)


def _reporting_delay(standing: pl.DataFrame) -> Tally:
    days = (pl.col("reported_at") - pl.col("effective_at")).floordiv(_DAY_MS)
    detail = pl.sum_horizontal((days >= first).cast(pl.Int64) for first in _FIRST_DAY_OF_DELAY)
    return _sent("reporting_delay", standing, detail)


def _declared(standing: pl.DataFrame) -> tuple[Ints, Ints, pl.DataFrame]:
    """Returns the quarters and packed cells of the newest declaration of each source and cell, and the declarations."""
    declared = standing.sort("reported_at", "event_a", "event_b")
    cell = ["source", "fuel", "quarter", "sector", "meter_type", "operating_mode", "region_code"]
    newest = declared.unique(cell, keep="last", maintain_order=True)
    texts = newest["quarter"].unique()
    numbers = pl.Series([quarter_number(text) for text in texts.to_list()], dtype=pl.Int64)
    quarters = newest["quarter"].replace_strict(texts, numbers, return_dtype=pl.Int64).to_numpy()
    return quarters, w.installed_state(newest), newest


def _declared_meters(standing: pl.DataFrame) -> Tally:
    quarters, cells, newest = _declared(standing)
    return Tally(keys_of("declared_meters", quarters, cells), newest["meters"].to_numpy())


def _declarations(standing: pl.DataFrame) -> Tally:
    quarters, cells, _ = _declared(standing)
    return Tally(keys_of("declarations", quarters, cells))


def _commissionings(standing: pl.DataFrame) -> Tally:
    return _sent("commissionings", standing, pl.col("result"))


def _hub_connectivity(standing: pl.DataFrame) -> Tally:
    detail = pl.col("csp_region").cast(pl.Int64) * 2 + pl.col("connected").cast(pl.Int64)
    return _sent("hub_connectivity", standing, detail)


def _migrations(standing: pl.DataFrame) -> Tally:
    detail = pl.col("was").cast(pl.Int64) * len(codes.RESULTS) + pl.col("result").cast(pl.Int64)
    return _sent("migrations", standing, detail)


def _credentials_changes(standing: pl.DataFrame) -> Tally:
    return _sent("credentials_changes", standing, pl.col("result"))


def _device_statuses(standing: pl.DataFrame) -> Tally:
    return _sent("device_statuses", standing, pl.col("status"))


def _service(standing: pl.DataFrame, measure: str, value: str) -> Tally:
    days = standing
    words = [
        pl.lit(pl.Series(words, dtype=pl.String)).gather(pl.col(name))
        for name, words in (("csp_region", codes.CSP_REGIONS), ("generation", codes.SMETS_GENERATIONS))
    ]
    texts = days.select(pl.concat_str(*words, "measure", separator="/")).to_series()
    quarters = quarters_of(days["effective_at"].to_numpy())
    return Tally(keys_of(measure, quarters, _senders(days)), days[value].to_numpy(), texts)


def _service_numerator(standing: pl.DataFrame) -> Tally:
    return _service(standing, "service_numerator", "numerator")


def _service_denominator(standing: pl.DataFrame) -> Tally:
    return _service(standing, "service_denominator", "denominator")


# The counts of standing events, each with its record types; a count without any such event is skipped.
CELLS_OF_STANDING: Final[tuple[tuple[Callable[[pl.DataFrame], Tally], tuple[str, ...]], ...]] = (
    (_visits, ("InstallationVisit",)),
    (_visits_supported, ("InstallationVisit",)),
    (_reporting_delay, _SUPPLIERS_OWN),
    (_declared_meters, ("PortfolioDeclared",)),
    (_declarations, ("PortfolioDeclared",)),
    (_commissionings, ("CommissioningCompleted",)),
    (_hub_connectivity, ("HubConnectivityChanged",)),
    (_migrations, ("Smets1Migrated",)),
    (_credentials_changes, ("CredentialsChanged",)),
    (_device_statuses, ("DeviceStatusChanged",)),
    (_service_numerator, ("ServiceMeasured",)),
    (_service_denominator, ("ServiceMeasured",)),
)


def cells_of(standing: pl.DataFrame) -> pl.DataFrame:
    """Returns all cells (`text`, `key`, `value`) to which a frame of standing events adds up."""
    if standing.is_empty():
        return empty_cells()
    there = {codes.RECORDS[code] for code in np.unique(standing["record"].to_numpy())}
    tallies = [count(_of(standing, *records)) for count, records in CELLS_OF_STANDING if not there.isdisjoint(records)]
    moves = moves_of(standing)
    return cells_of_tallies([*tallies, *(count(moves) for count in CELLS_OF_MOVES)])
