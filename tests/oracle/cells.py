"""Rule 6: the cells that one meter point adds to, one function a measure of the table."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from schemas.codes import EXCHANGED, RECORDS_WITHOUT_METER_POINT, SMETS_TYPES, SUPPLIER_RECORDS
from tests.oracle.event import Cell, Event
from tests.oracle.inferred import Point, timeline
from tests.oracle.quarters import quarter_of
from tests.oracle.walk import Meter, Seven, Step, walk

DAY = 86_400_000
Counted = Iterator[tuple[Cell, int]]


@dataclass(frozen=True, slots=True)
class Life:
    """All that is counted of one meter point: its standing events, the steps of its walk and its states in time."""

    standing: list[Event]
    steps: list[Step]
    points: list[Point]


def life_of(standing: list[Event]) -> Life:
    """The life of a meter point from its standing events in order."""
    steps = walk(standing)
    return Life(standing, steps, list(timeline(steps)))


def meters(life: Life) -> Counted:
    """Net change of stock between the ends of the quarter before and this one, by the seven at the quarter's end."""
    yield from net_changes(life.points, lambda point: stock_cell("meters", point.meter))


def meters_local(life: Life) -> Counted:
    """As `meters`, with the local authority's code (or empty) in `region_code`, and no source and no payment mode."""
    yield from net_changes(life.points, lambda point: local_cell(point.meter))


def mode_disagreements(life: Life) -> Counted:
    """Net change of stock of SMETS meters whose inferred mode differs; detail = inferred mode."""
    yield from net_changes(life.points, disagreement_cell)


def net_changes(points: Iterable[Point], cell_of: Callable[[Point], Cell | None]) -> Counted:
    """−1 in the cell left, +1 in the cell entered, where the last states of two successive quarters differ."""
    at_end: dict[str, Cell | None] = {}
    for point in points:
        at_end[quarter_of(point.instant)] = cell_of(point)
    before: Cell | None = None
    for quarter in sorted(at_end):
        now = at_end[quarter]
        if now != before:
            if before is not None:
                yield before._replace(quarter=quarter), -1
            if now is not None:
                yield now._replace(quarter=quarter), 1
        before = now


def stock_cell(measure: str, meter: Meter | None) -> Cell | None:
    """The cell of a meter that is present, its quarter still open."""
    return None if meter is None else Cell(measure, "", *meter.seven)


def local_cell(meter: Meter | None) -> Cell | None:
    """The cell of a meter by local authority, its quarter still open."""
    if meter is None:
        return None
    return Cell("meters_local", "", "", meter.local_authority, meter.fuel, meter.sector, meter.meter_type, meter.mode)


def disagreement_cell(point: Point) -> Cell | None:
    """The cell of a SMETS meter whose inferred mode is not the published one, its quarter still open."""
    if point.meter is None or not point.meter.is_smets or point.inferred == point.meter.mode:
        return None
    return Cell("mode_disagreements", "", *point.meter.seven, point.inferred)


def flow(measure: str, event: Event, seven: Seven, detail: str) -> tuple[Cell, int]:
    """One in the quarter of the local date on which the event took effect."""
    return Cell(measure, quarter_of(event.effective_at), *seven, detail), 1


def by_fuel(measure: str, event: Event, detail: str) -> tuple[Cell, int]:
    """One by source and fuel alone."""
    cell = Cell(measure, quarter_of(event.effective_at), event.source_id, fuel=event.fuel, detail=detail)
    return cell, 1


def fitted(life: Life) -> Iterator[tuple[Event, Meter]]:
    """Each consistent MeterInstalled that is not OPENING_POSITION, with the meter it put in place."""
    for step in life.steps:
        event = step.event
        if event.record != "MeterInstalled" or step.inconsistency or step.after is None:
            continue
        if event.details["install_reason"] != "OPENING_POSITION":
            yield event, step.after


def installations(life: Life) -> Counted:
    """Each consistent MeterInstalled that is not OPENING_POSITION, by the event's own seven; detail = reason."""
    for event, meter in fitted(life):
        yield flow("installations", event, meter.seven, event.details["install_reason"])


def displays(life: Life) -> Counted:
    """Each of `installations` that is SMETS1 or SMETS2 and DOMESTIC; detail = in-home-display answer."""
    for event, meter in fitted(life):
        if meter.meter_type in SMETS_TYPES and meter.sector == "DOMESTIC":
            yield flow("displays", event, meter.seven, event.details["in_home_display"])


def removals(life: Life) -> Counted:
    """Each removal, by the seven of the state removed; detail = reason, or EXCHANGED."""
    for step in life.steps:
        if step.inconsistency or step.before is None:
            continue
        if step.event.record == "MeterRemoved":
            yield flow("removals", step.event, step.before.seven, step.event.details["reason"])
        elif step.event.record == "MeterInstalled":
            yield flow("removals", step.event, step.before.seven, EXCHANGED)


def takeovers(life: Life) -> Counted:
    """Each exchange whose sender was not the supplier, by the seven after; detail = reason of the install."""
    for step in life.steps:
        if step.event.record != "MeterInstalled" or step.inconsistency or not step.before or not step.after:
            continue
        if step.before.supplier != step.event.source_id:
            yield flow("takeovers", step.event, step.after.seven, step.event.details["install_reason"])


def mode_losses(life: Life) -> Counted:
    """SMART to TRADITIONAL by OperatingModeChanged or SupplyGained; detail = cause, CHURN for SupplyGained."""
    yield from mode_moves("mode_losses", life, "SMART", "TRADITIONAL")


def mode_recoveries(life: Life) -> Counted:
    """TRADITIONAL to SMART by OperatingModeChanged or SupplyGained; detail = cause, CHURN for SupplyGained."""
    yield from mode_moves("mode_recoveries", life, "TRADITIONAL", "SMART")


def mode_moves(measure: str, life: Life, left: str, entered: str) -> Counted:
    """Each move of the published mode from one to the other, by the seven after."""
    for step in life.steps:
        if step.event.record not in {"OperatingModeChanged", "SupplyGained"} or not step.before or not step.after:
            continue
        if (step.before.mode, step.after.mode) == (left, entered):
            yield flow(measure, step.event, step.after.seven, step.event.details.get("cause", "CHURN"))


def switches(life: Life) -> Counted:
    """Each consistent SupplyGained, by the seven after; detail = reason."""
    for step in life.steps:
        if step.event.record == "SupplyGained" and not step.inconsistency and step.after is not None:
            yield flow("switches", step.event, step.after.seven, step.event.details["reason"])


def inconsistent(life: Life) -> Counted:
    """Each inconsistent event, by source and fuel; detail = reason."""
    for step in life.steps:
        if step.inconsistency:
            yield by_fuel("inconsistent", step.event, step.inconsistency)


def visits(life: Life) -> Counted:
    """Each standing InstallationVisit, meter or no meter; detail = outcome."""
    for event in life.standing:
        if event.record == "InstallationVisit":
            yield by_fuel("visits", event, event.details["outcome"])


def visits_supported(life: Life) -> Counted:
    """The visits to a vulnerable customer; detail = what support was given."""
    names = {
        (True, True): "ADVICE_AND_DEMONSTRATION",
        (True, False): "ADVICE",
        (False, True): "DEMONSTRATION",
        (False, False): "NONE",
    }
    for event in life.standing:
        if event.record == "InstallationVisit" and event.details["vulnerable_customer"]:
            given = event.details["energy_advice_given"], event.details["display_demonstrated"]
            yield by_fuel("visits_supported", event, names[given])


def reporting_delay(life: Life) -> Counted:
    """Each standing supplier event with a meter point; detail = whole days from effective_at to reported_at."""
    for event in life.standing:
        if event.record in SUPPLIER_RECORDS and event.record not in RECORDS_WITHOUT_METER_POINT:
            yield by_fuel("reporting_delay", event, delay_class((event.reported_at - event.effective_at) // DAY))


def delay_class(days: int) -> str:
    """The class of a delay in whole days: D0 is under one, or negative."""
    if days < 1:
        return "D0"
    for last, name in ((7, "D1-7"), (28, "D8-28"), (91, "D29-91")):
        if days <= last:
            return name
    return "D92+"


def newest_declarations(life: Life) -> dict[Cell, Event]:
    """The newest PortfolioDeclared by (reported_at, event_id) of each (source, cell), in the quarter it names."""
    newest: dict[Cell, Event] = {}
    for event in sorted(life.standing, key=lambda event: (event.reported_at, event.event_id)):
        if event.record == "PortfolioDeclared":
            of = event.details
            place = (event.source_id, of["region_code"], event.fuel)
            kind = (of["sector"], of["meter_type"], of["operating_mode"])
            newest[Cell("", of["quarter"], *place, *kind)] = event
    return newest


def declared_meters(life: Life) -> Counted:
    """The meters of each declaration that stands; a declared 0 is not written."""
    for cell, event in newest_declarations(life).items():
        if event.details["meters"]:
            yield cell._replace(measure="declared_meters"), event.details["meters"]


def declarations(life: Life) -> Counted:
    """1 for each declaration that stands, a declared 0 too."""
    for cell in newest_declarations(life):
        yield cell._replace(measure="declarations"), 1


MEASURES: tuple[Callable[[Life], Counted], ...] = (
    meters,
    meters_local,
    installations,
    removals,
    takeovers,
    mode_losses,
    mode_recoveries,
    switches,
    inconsistent,
    displays,
    visits,
    visits_supported,
    reporting_delay,
    declared_meters,
    declarations,
    mode_disagreements,
)
MEASURE_NAMES = tuple(measure.__name__ for measure in MEASURES)
