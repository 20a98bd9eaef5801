"""The targets of the synthetic Britain at each quarter's end, interpolated between published and estimated anchors.

Between two anchors a series moves with the year's pattern of installations, so that a quarter in which nobody could
visit a home (the second of 2020) is flat in every series. Quarters are numbers: four times the year plus 0 to 3.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.codes import FUELS, SECTORS
from schemas.quarters import quarter_number, quarter_of_day, year_of
from schemas.sources import Source, sources

_HERE: Final = Path(__file__).parent
FIRST: Final = quarter_number("2012Q1")
OPENING: Final = FIRST - 1
LAST: Final = quarter_number("2030Q4")
SEGMENTS: Final = tuple((sector, fuel) for sector in SECTORS for fuel in FUELS)
MILLION: Final = 1_000_000

Floats = npt.NDArray[np.float64]


def fuel_of(segment: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Returns the code of the fuel of each segment."""
    return segment % len(FUELS)


def sector_of(segment: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Returns the code of the sector of each segment."""
    return segment // len(FUELS)


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _pace() -> dict[int, float]:
    """Returns the years passed at each quarter's end, weighted by each quarter's share of its year's installations."""
    pattern = {int(row["year"]): [float(row[f"q{n}"]) for n in (1, 2, 3, 4)] for row in _rows("pattern.csv")}
    weights = np.concatenate([pattern.get(year, [0.25] * 4) for year in range(year_of(FIRST), year_of(LAST) + 1)])
    passed = np.concatenate([[0.0], np.cumsum(weights)])
    return {OPENING + step: float(years) for step, years in enumerate(passed)}


@dataclass(frozen=True, slots=True)
class Targets:
    """Series by name, each with a value at every quarter's end; see `anchors.csv` and `shares.csv`."""

    series: dict[str, Floats]
    weights: dict[str, dict[str, Floats]]

    def at(self, name: str, quarter: int) -> float:
        """Returns a series' value at a quarter's end. Raises KeyError for a series that is not in `anchors.csv`."""
        return float(self.series[name][quarter - OPENING])

    def segment(self, name: str, segment: int, quarter: int) -> float:
        """Returns a series' value for a segment, or for its sector if the series does not distinguish fuels."""
        sector, fuel = SEGMENTS[segment]
        whole = f"{name}/{sector}"
        return self.at(whole if whole in self.series else f"{whole}/{fuel}", quarter)

    def supplier_shares(self, segment: int, quarter: int) -> Floats:
        """Returns each source's share of a segment's meters at a quarter's end, in the order of sources; sums to 1."""
        sector, fuel = SEGMENTS[segment]
        books = {source: series[quarter - OPENING] for source, series in self.weights[f"{sector}/{fuel}"].items()}
        owned = dict.fromkeys(sources(), 0.0)
        for source, weight in books.items():
            owned[heir(source, quarter)] += weight
        small = np.array([source.size_class == "SMALL" for source in sources().values()])
        weights = np.array(list(owned.values())) * _trading(quarter)
        share = self.segment("small_share", segment, quarter) if (weights * small).any() else 0.0
        return _normal(weights * small) * share + _normal(weights * ~small) * (1 - share)


def _normal(weights: Floats) -> Floats:
    return weights / weights.sum() if weights.any() else weights


def _number_of_day(source: Source) -> tuple[int, int]:
    return quarter_of_day(source.active_from), quarter_of_day(source.active_to) if source.active_to else LAST + 1


def _trading(quarter: int) -> npt.NDArray[np.bool_]:
    """Returns which sources are active in the whole of a quarter; a last day is the end of its quarter."""
    spans = [_number_of_day(source) for source in sources().values()]
    return np.array([begin < quarter <= end for begin, end in spans])


def heir(source_id: str, quarter: int) -> str:
    """Returns the source that has a source's customers in a quarter: itself or, after its end, its successor's heir."""
    source = sources()[source_id]
    if source.successor is None or quarter <= _number_of_day(source)[1]:
        return source_id
    return heir(source.successor, quarter)


def _interpolated(points: str, pace: dict[int, float]) -> Floats:
    anchors = [point.split() for point in points.split(";")]
    at = [pace[quarter_number(quarter)] for quarter, _ in anchors]
    return np.interp(list(pace.values()), at, [float(value) for _, value in anchors])


def read_targets() -> Targets:
    """Reads the targets from the project's files."""
    pace = _pace()
    series = {row["series"]: _interpolated(row["points"], pace) for row in _rows("anchors.csv")}
    weights: dict[str, dict[str, Floats]] = {f"{sector}/{fuel}": {} for sector, fuel in SEGMENTS}
    for row in _rows("shares.csv"):
        points = ";".join(f"{name} {value}" for name, value in row.items() if name[:2] == "20")
        book = _interpolated(points, pace)
        weights[f"{row['sector']}/ELECTRICITY"][row["source_id"]] = book
        weights[f"{row['sector']}/GAS"][row["source_id"]] = book * float(row["gas_factor"])
    return Targets(series, weights)
