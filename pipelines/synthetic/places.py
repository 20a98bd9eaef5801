"""Where meters are: regions, the networks that serve them, service provider regions and local authorities.

A region's number of meters, its lead or lag in the rollout and its customers' spread over networks are estimates.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.codes import CSP_REGIONS, FUELS
from schemas.geography import gsp_groups, region_codes

_CSV: Final = Path(__file__).parent / "places.csv"
AREAS_IN_A_REGION: Final = 8
# Customers of each distributor in millions, an estimate: used only to spread a region's meters over networks.
_CUSTOMERS: Final = {
    10: 3.7, 11: 2.7, 12: 2.4, 13: 1.5, 14: 2.5, 15: 1.6, 16: 2.4,
    17: 0.8, 18: 2.0, 19: 2.4, 20: 3.1, 21: 1.15, 22: 1.7, 23: 2.3,
}  # fmt: skip
INDEPENDENT_NETWORKS: Final = np.arange(24, 39)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Places:
    """Facts about the eleven regions, in their order. `areas` are local authority codes, AREAS_IN_A_REGION a region."""

    meters: dict[str, Floats]
    smart_factor: Floats
    csp_region: npt.NDArray[np.int8]
    areas: tuple[str, ...]
    distributors: npt.NDArray[np.int64]
    distributor_shares: Floats


def _distributor_shares() -> tuple[npt.NDArray[np.int64], Floats]:
    """Returns distributor ids, and for each region (row) the share of its meters on each network (column)."""
    groups = sorted(gsp_groups().values(), key=lambda group: group.distributor_id)
    table = np.array(
        [[_CUSTOMERS[g.distributor_id] * g.region_shares.get(code, 0) for g in groups] for code in region_codes()]
    )
    return np.array([group.distributor_id for group in groups]), table / table.sum(axis=1, keepdims=True)


def read_places() -> Places:
    """Reads the places from the project's files."""
    with _CSV.open(encoding="utf-8", newline="") as file:
        rows = {row["region_code"]: row for row in csv.DictReader(file)}
    ordered = [rows[code] for code in region_codes()]
    areas = [f"{row['area_prefix']}{n:03d}" for row in ordered for n in range(1, AREAS_IN_A_REGION + 1)]
    distributors, shares = _distributor_shares()
    return Places(
        {fuel: np.array([float(row[f"{fuel.lower()}_meters"]) for row in ordered]) for fuel in FUELS},
        np.array([float(row["smart_factor"]) for row in ordered]),
        np.array([CSP_REGIONS.index(row["csp_region"]) for row in ordered], dtype=np.int8),
        tuple(areas),
        distributors,
        shares,
    )
