"""The published tables. Tables 1 to 7 have the shape and definitions of the official series; the others are ours.

The layout of the official tables is partly inferred from other publications, which the tables' notes say.
"""

from typing import Final

from pipelines.release.figures import PLACE, SIZE, Count, Share, Table
from schemas import codes

_FUELS: Final = {"ELECTRICITY": "Electricity", "GAS": "Gas"}
_LAYOUT: Final = "The layout follows the official series as far as it could be read; parts of it are inferred."
_COMPARABLE: Final = "Meters fitted in place of a smart meter, and meters that are not smart, are left out."
_CARRIED: Final = "Small suppliers report once a year; between their reports their last figures stand, marked [e]."
_NOT_HELD: Final = "How long a meter has been in traditional mode is not held."
_READ_BY_HAND: Final = "Manually read"
Only = tuple[tuple[str, str], ...]


def _operated(sector: str, advanced: bool) -> tuple[tuple[Count, ...], tuple[Share, ...]]:
    counts: list[Count] = []
    shares: list[Share] = []
    for fuel, word in _FUELS.items():
        where = (("fuel", fuel), ("sector", sector))
        counts += _by_mode(word, where, advanced)
        all_meters = f"{word}: all meters"
        shares.append(Share(f"{word}: smart and advanced (%)", (f"{word}: smart and advanced",), (all_meters,)))
        shares.append(Share(f"{word}: smart in smart mode (%)", (f"{word}: smart mode",), (f"{word}: smart",)))
    return tuple(counts), tuple(shares)


def _by_mode(word: str, where: Only, advanced: bool) -> list[Count]:
    columns = [
        Count(f"{word}: smart mode", "meters", (*where, ("operating_mode", "SMART"))),
        Count(f"{word}: traditional mode", "meters", (*where, ("operating_mode", "TRADITIONAL"))),
        Count(f"{word}: smart", "smart_meters", where),
    ]
    if advanced:
        columns.append(Count(f"{word}: advanced", "meters", (*where, ("meter_type", "ADVANCED"))))
    return [
        *columns,
        Count(f"{word}: smart and advanced", "smart_and_advanced_meters", where),
        Count(f"{word}: not smart", "meters", (*where, ("meter_type", "NON_SMART"))),
        Count(f"{word}: all meters", "meters", where),
    ]


def _installed(sector: str, measure: str, advanced: bool) -> tuple[Count, ...]:
    counts: list[Count] = []
    types = ("SMETS1", "SMETS2", "ADVANCED") if advanced else ("SMETS1", "SMETS2")
    for fuel, word in _FUELS.items():
        where = (("fuel", fuel), ("sector", sector))
        counts += [Count(f"{word}: {kind}", measure, (*where, ("meter_type", kind))) for kind in types]
        counts.append(Count(f"{word}: all", measure, where))
    return (*counts, Count("Electricity and gas", measure, (("sector", sector),)))


def _operated_table(name: str, sector: str, annual: bool) -> Table:
    advanced = sector == "NON_DOMESTIC"
    counts, shares = _operated(sector, advanced)
    word = "Non-domestic" if advanced else "Domestic"
    who, when = ("all suppliers", "at the end of the year") if annual else ("large suppliers", "by quarter")
    return Table(
        name,
        f"{word} meters operated by {who}, {when}",
        f"{word} meters in place at the end of the period, by fuel, type and operating mode, of {who}.",
        "december" if annual else "quarter",
        counts,
        (SIZE,) if annual else (),
        shares,
        "all" if annual else "large",
        (_LAYOUT,),
    )


def _installed_table(name: str, sector: str, annual: bool) -> Table:
    advanced = sector == "NON_DOMESTIC"
    word = "Non-domestic" if advanced else "Domestic"
    who, when = ("all suppliers", "by year") if annual else ("large suppliers", "by quarter")
    measure = "comparable_installations_in_year" if annual else "comparable_installations"
    return Table(
        name,
        f"{word} smart and advanced meters installed by {who}, {when}",
        f"{word} meters fitted where there was no smart meter, by fuel and type, of {who}.",
        "year" if annual else "quarter",
        _installed(sector, measure, advanced),
        (SIZE,) if annual else (),
        (),
        "all" if annual else "large",
        (_LAYOUT, _COMPARABLE),
    )


_OFFICIAL: Final = (
    _operated_table("1", "DOMESTIC", annual=False),
    _operated_table("2", "NON_DOMESTIC", annual=False),
    _installed_table("3", "DOMESTIC", annual=False),
    _installed_table("4", "NON_DOMESTIC", annual=False),
    _operated_table("5a", "DOMESTIC", annual=True),
    _operated_table("5b", "NON_DOMESTIC", annual=True),
    _installed_table("6a", "DOMESTIC", annual=True),
    _installed_table("6b", "NON_DOMESTIC", annual=True),
)
_DOMESTIC_ELECTRICITY: Final = (("fuel", "ELECTRICITY"), ("sector", "DOMESTIC"))
_REGIONAL: Final = (
    Table(
        "7a",
        "Domestic electricity meters by country and region, at the end of March",
        "Domestic electricity meters in place, and those that are smart in either mode.",
        "march",
        (
            Count("Meters", "meters", _DOMESTIC_ELECTRICITY),
            Count("Smart meters", "smart_meters", _DOMESTIC_ELECTRICITY),
        ),
        (PLACE,),
        (Share("Smart (%)", ("Smart meters",), ("Meters",)),),
        "all",
        (_LAYOUT, _CARRIED),
    ),
    Table(
        "7b",
        "Domestic electricity meters by local authority, at the end of the newest March",
        "Domestic electricity meters in place, and those that are smart in either mode.",
        "newest march",
        (
            Count("Meters", "meters_local", _DOMESTIC_ELECTRICITY),
            Count("Smart meters", "smart_meters_local", _DOMESTIC_ELECTRICITY),
        ),
        ("region",),
        (Share("Smart (%)", ("Smart meters",), ("Meters",)),),
        "all",
        (_LAYOUT, "A row without a code has the meters whose local authority was not reported."),
    ),
)


def _coverage(name: str, title: str, rows: tuple[str, ...], newest: bool, notes: tuple[str, ...] = ()) -> Table:
    return Table(
        name,
        title,
        "Meters in place at the end of the quarter: all, smart and advanced, and those that work as such.",
        "newest" if newest else "quarter",
        (
            Count("All meters", "meters"),
            Count("Smart and advanced", "smart_and_advanced_meters"),
            Count("Smart mode and advanced", "working_smart_meters"),
            Count("Smart", "smart_meters"),
            Count("Traditional mode", "meters", (("operating_mode", "TRADITIONAL"),)),
            Count(_READ_BY_HAND, "manually_read_meters"),
        ),
        rows,
        (
            Share("Smart and advanced (%)", ("Smart and advanced",), ("All meters",)),
            Share("Smart mode and advanced (%)", ("Smart mode and advanced",), ("All meters",)),
            Share("Traditional mode (% of smart)", ("Traditional mode",), ("Smart",)),
            Share("Manually read (%)", (_READ_BY_HAND,), ("All meters",)),
        ),
        "all",
        (_CARRIED, *notes),
    )


def _by_detail(
    name: str, title: str, measure: str, details: tuple[str, ...], rows: tuple[str, ...] = ("fuel",), **more: str
) -> Table:
    words = [one.replace("_", " ").lower() for one in details]
    counts = [Count(word, measure, (("detail", one),)) for word, one in zip(words, details, strict=True)]
    shares = [Share(f"{word} (%)", (word,), ("all",)) for word in words]
    notes = (more["note"],) if "note" in more else ()
    definition = more.get("definition", f"{title}.")
    return Table(
        name, title, definition, "quarter", (*counts, Count("all", measure)), rows, tuple(shares), "all", notes
    )


_OURS: Final = (
    _coverage("8", "Meters in operation by fuel and sector, by quarter", ("fuel", "sector"), newest=False),
    _coverage("9", "Meters in operation by supplier and region, newest quarter", ("supplier", "region"), newest=True),
    _coverage(
        "10",
        "Meters in operation by supplier, fuel and sector, newest quarter",
        ("supplier", "fuel", "sector"),
        newest=True,
    ),
    _coverage("11", "Meters in operation by region and fuel, newest quarter", ("region", "fuel"), newest=True),
    _coverage("12", "Meters in operation by payment mode and fuel, by quarter", ("payment_mode", "fuel"), newest=False),
    _coverage("13", "Meters in operation by generation, by quarter", ("meter_type",), newest=False),
    Table(
        "14",
        "Meters installed by supplier and region, newest quarter",
        "Meters fitted in the quarter: those comparable with the official series, and all.",
        "newest",
        (
            Count("Comparable", "comparable_installations"),
            Count("Smart for smart", "installations", (("detail", "SMART_FOR_SMART"),)),
            Count("All", "installations"),
        ),
        ("supplier", "region"),
        (Share("Smart for smart (%)", ("Smart for smart",), ("All",)),),
        "all",
        (_COMPARABLE,),
    ),
    Table(
        "15",
        "Meters installed by payment mode and fuel, by quarter",
        "Smart and advanced meters fitted in the quarter where there was none.",
        "quarter",
        (Count("Comparable", "comparable_installations"),),
        ("payment_mode", "fuel"),
        (),
        "all",
        (_COMPARABLE,),
    ),
    _by_detail("16", "Losses of smart mode by cause, by quarter", "mode_losses", codes.MODE_CAUSES, note=_NOT_HELD),
    _by_detail("17", "Recoveries of smart mode by cause, by quarter", "mode_recoveries", codes.MODE_CAUSES),
    Table(
        "18",
        "Smart mode lost at a switch, by supplier that gained, by quarter",
        "Meters that left smart mode when they were gained, and all meters gained.",
        "quarter",
        (
            Count("Lost smart mode", "mode_losses", (("detail", "CHURN"),)),
            Count("Gained", "switches"),
        ),
        ("supplier",),
        (Share("Lost smart mode (%)", ("Lost smart mode",), ("Gained",)),),
        "all",
        ("Losses in the 30 and 90 days after a switch are not held; this table has those at the switch itself.",),
    ),
    _by_detail("19", "Meters removed by reason, by quarter", "removals", (*codes.REMOVAL_REASONS, codes.EXCHANGED)),
    _by_detail(
        "20",
        "In-home displays by answer and supplier, by quarter",
        "displays",
        codes.IN_HOME_DISPLAY_ANSWERS,
        ("supplier",),
    ),
    _by_detail("21", "Installation visits by outcome, by quarter", "visits", codes.VISIT_OUTCOMES),
    _by_detail(
        "22", "Visits to vulnerable customers by support given, by quarter", "visits_supported", codes.VISIT_SUPPORT
    ),
    _by_detail("23", "Commissioning attempts by result, by quarter", "commissionings", codes.COMMISSIONING_RESULTS),
    _by_detail(
        "24",
        "Hubs that lost and regained the network by region, by quarter",
        "hub_connectivity",
        tuple(f"{region}_{state}" for region in codes.CSP_REGIONS for state in ("LOST", "REGAINED")),
    ),
    _by_detail(
        "25",
        "Migrations of SMETS1 meters by former state and result, by quarter",
        "migrations",
        tuple(f"{state}_{result}" for state in codes.MIGRATION_STATES for result in codes.RESULTS),
    ),
    _by_detail("26", "Handovers of credentials by result, by quarter", "credentials_changes", codes.RESULTS),
    Table(
        "27",
        "The DCC's service by region, generation and measure, by quarter",
        "What was tried and what went well; the detail is region, generation and measure.",
        "quarter",
        (Count("Went well", "service_numerator"), Count("Tried", "service_denominator")),
        ("detail",),
        (Share("Went well (%)", ("Went well",), ("Tried",)),),
        "all",
        ("Levels of service by guidance year are in the policies; those in force were not read.",),
    ),
    _by_detail(
        "28",
        "Supplier events by days from effect to report, by quarter",
        "reporting_delay",
        codes.REPORTING_DELAYS,
        ("supplier",),
    ),
    Table(
        "29",
        "Supplier mode against the DCC's records by supplier and region, newest quarter",
        "SMETS meters, and those whose mode the DCC's records contradict.",
        "newest",
        (Count("Contradicted", "mode_disagreements"), Count("Smart", "smart_meters")),
        ("supplier", "region"),
        (Share("Contradicted (%)", ("Contradicted",), ("Smart",)),),
        "all",
        (_CARRIED,),
    ),
)
TABLES: Final = (*_OFFICIAL, *_REGIONAL, *_OURS)
