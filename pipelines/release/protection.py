"""Protection of atoms: permanent keyed rounding, and for small suppliers permanent keyed factors before it.

Every public figure is a sum of what `protected` returns; nothing is rounded a second time (docs/releases.md).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.keys import Key
from pipelines.release.atoms import IDENTITY
from pipelines.release.suppliers import SMALL
from schemas.policies import DisclosurePolicy

# Factors are in hundredths of a per cent, so that everything is arithmetic of whole numbers.
WHOLE: Final = 10_000
_HASH_BYTES: Final = 8
_SEPARATOR: Final = "\x1f"
Signs = Mapping[str, int]


class NegativeCount(ValueError):
    """An atom is below 0: its cells are wrong, and it cannot be protected."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What figures are protected by: the disclosure key, the policy, and the sign of each small supplier's factor."""

    key: Key
    policy: DisclosurePolicy
    signs: Signs


def _draw(key: Key, person: bytes, words: Iterable[str], below: int) -> int:
    """A number from 0 up to but not including `below`: uniform, and always the same for a key and words."""
    limit = 2 ** (8 * _HASH_BYTES) // below * below
    settings: Any = {"key": key.secret, "digest_size": _HASH_BYTES, "person": person}
    text = _SEPARATOR.join(words).encode()
    for attempt in range(2**16):
        drawn = int.from_bytes(hashlib.blake2b(text + attempt.to_bytes(2, "big"), **settings).digest(), "big")
        if drawn < limit:
            return drawn % below
    raise AssertionError("a uniform number is found after a few attempts")


def offsets(key: Key, base: int, atoms: pl.DataFrame) -> pl.DataFrame:
    """The permanent offset (Int64, 0 to `base` - 1) of every distinct atom: IDENTITY and `offset`."""
    distinct = atoms.select(IDENTITY).unique()
    drawn = [_draw(key, b"atom-offset", row, base) for row in distinct.iter_rows()]
    return distinct.with_columns(offset=pl.Series(drawn, dtype=pl.Int64))


def factor(key: Key, policy: DisclosurePolicy, group: str) -> int:
    """How far a small supplier's counts are moved, in hundredths of a per cent of them."""
    least, most = (percent * WHOLE // 100 for percent in (policy.factor_from_percent, policy.factor_to_percent))
    return least + _draw(key, b"supplier-factor", [group], most - least + 1)


def signs_of(sizes: Mapping[str, int], before: Signs) -> dict[str, int]:
    """The sign of each small supplier's factor: as it was when first published, else such that sizes balance.

    `sizes` are the suppliers' counts. The largest new one comes first; each takes the sign that the sum lacks.
    """
    signs = dict(before)
    balance = sum(sign * sizes.get(group, 0) for group, sign in signs.items())
    for group in sorted(sizes.keys() - signs.keys(), key=lambda one: (-sizes[one], one)):
        signs[group] = -1 if balance > 0 else 1
        balance += signs[group] * sizes[group]
    return signs


def protected(exact: pl.DataFrame, protection: Protection) -> pl.DataFrame:
    """Atoms as they are published: IDENTITY, `quarter`, `value` (a multiple of the base, never 0) and `estimated`.

    `exact` is what `exact_atoms` returns. Raises NegativeCount if an atom is below 0.
    """
    base, key = protection.policy.base, [*IDENTITY, "quarter"]
    scaled = _scaled(exact, protection)
    if scaled.select((pl.col("scaled") < 0).any()).item():
        raise NegativeCount("an atom is below 0")
    drawn = scaled.join(offsets(protection.key, base, scaled), on=IDENTITY, how="left", maintain_order="left")
    rounded = (pl.col("scaled") + pl.col("offset") * WHOLE) // (base * WHOLE) * base
    return drawn.select(*key, rounded.alias("value"), "estimated").filter(pl.col("value") != 0).sort(key)


def _scaled(exact: pl.DataFrame, protection: Protection) -> pl.DataFrame:
    """The count of every atom and quarter times WHOLE, moved by the factors where the small suppliers need them."""
    key = [*IDENTITY, "quarter"]
    small = exact.filter(pl.col("supplier") == SMALL)
    groups = small["contributor"].unique().sort().to_list()
    moved = {one: WHOLE + protection.signs[one] * factor(protection.key, protection.policy, one) for one in groups}
    weights = pl.DataFrame({"contributor": list(moved), "weight": list(moved.values())}, schema=_WEIGHTS)
    needing = pl.when(pl.col("needs")).then(pl.col("moved")).otherwise(pl.col("value") * WHOLE)
    together = (
        small.join(weights, on="contributor", how="left")
        .group_by(key)
        .agg(
            pl.col("value").sum(),
            (pl.col("value") * pl.col("weight")).sum().alias("moved"),
            needs_factors(protection.policy).alias("needs"),
            pl.col("estimated").any(),
        )
        .select(*key, needing.alias("scaled"), "estimated")
    )
    named = exact.filter(pl.col("supplier") != SMALL).group_by(key)
    others = named.agg((pl.col("value").sum() * WHOLE).alias("scaled"), pl.col("estimated").any())
    return pl.concat([others, together]).filter(pl.col("scaled") != 0)


_WEIGHTS: Final = pl.Schema({"contributor": pl.String(), "weight": pl.Int64()})


def needs_factors(policy: DisclosurePolicy) -> pl.Expr:
    """Whether a group of contributors (one `value` each) could be estimated by one of them too closely.

    That is so with fewer contributors than policy asks for, and where all but the two largest together are less than
    `dominance_percent` of the largest (the p% rule).
    """
    largest, second = pl.col("value").max(), pl.col("value").top_k(2).min()
    rest = pl.col("value").sum() - largest - second
    few = pl.len() < policy.least_contributors
    return few | (rest * 100 < largest * policy.dominance_percent)
