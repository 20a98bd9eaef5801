"""What happens to meters in a quarter, as batches: who, and everything as it is right after."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Switched:
    """Supplies that moved: meter places, who lost and who gained them, the mode that the gainer declares, and why."""

    meter: Array
    loser: Array
    gainer: Array
    mode: Array
    reason: Array


@dataclass(frozen=True, slots=True)
class Fitted:
    """Meters fitted: places, sender, what was fitted and why. `replaced` is the type before (NONE: nothing)."""

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
    """Smart meters that began to work in the other mode, and the cause."""

    meter: Array
    supplier: Array
    mode: Array
    cause: Array


@dataclass(frozen=True, slots=True)
class Paying:
    """Customers who began to pay in the other way."""

    meter: Array
    supplier: Array
    payment: Array


@dataclass(frozen=True, slots=True)
class Removed:
    """Meters taken away for good."""

    meter: Array
    supplier: Array
    kind: Array
    reason: Array
    fitting: Array


@dataclass(frozen=True, slots=True)
class Migrated:
    """SMETS1 meters brought onto the DCC's network, and whether they had lost smart mode before."""

    meter: Array
    dormant: Array
    fitting: Array


def joined(batches: list[Any]) -> Any:
    """Batches of one type as one batch. Raises IndexError without any."""
    first = batches[0]
    return type(first)(*(np.concatenate([getattr(b, name) for b in batches]) for name in first.__dataclass_fields__))
