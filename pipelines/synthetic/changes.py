"""The changes to meters in a quarter, as batches: the meters, and their state right after the change."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Switched:
    """Switches: meter places, losing and gaining supplier, the mode that the gainer declares, and the reason."""

    meter: Array
    loser: Array
    gainer: Array
    mode: Array
    reason: Array


@dataclass(frozen=True, slots=True)
class Fitted:
    """Meters fitted: places, supplier, what was fitted and why. `replaced` is the type before (NONE: no meter)."""

    meter: Array
    supplier: Array
    kind: Array
    mode: Array
    payment: Array
    reason: Array
    replaced: Array
    fitting: Array


@dataclass(frozen=True, slots=True)
class Moded:
    """Smart meters that changed their operating mode, and the cause."""

    meter: Array
    supplier: Array
    mode: Array
    cause: Array


@dataclass(frozen=True, slots=True)
class Paying:
    """Meters that changed their payment mode."""

    meter: Array
    supplier: Array
    payment: Array


@dataclass(frozen=True, slots=True)
class Removed:
    """Meters removed without replacement."""

    meter: Array
    supplier: Array
    kind: Array
    reason: Array
    fitting: Array


@dataclass(frozen=True, slots=True)
class Migrated:
    """SMETS1 meters that migrated to the DCC's network, and whether they had lost smart mode before."""

    meter: Array
    dormant: Array
    fitting: Array


def joined(batches: list[Any]) -> Any:
    """Joins batches of one type into one. Raises IndexError if there are none."""
    first = batches[0]
    return type(first)(*(np.concatenate([getattr(b, name) for b in batches]) for name in first.__dataclass_fields__))
