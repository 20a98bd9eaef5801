"""The certificate of a release: that every figure is a sum of atoms, and that no attack narrows an atom too far."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from pipelines.keys import DISCLOSURE, key_from_text
from pipelines.release.atoms import FIRST_QUARTER, IDENTITY
from pipelines.release.attack import (
    ATOM,
    TERMS,
    Found,
    atoms_in,
    attacks_on,
    bounded,
    by_differencing,
    by_value,
    by_vintages,
    solved,
)
from pipelines.release.catalogue import TABLES
from pipelines.release.figures import ATOMS, TIDY, tidy_of
from pipelines.release.protection import Protection, protected
from schemas.policies import DisclosurePolicy, policy_hash
from schemas.quarters import quarter_number, texts_of

# The attacks on unprotected tables are also made on one made-up table, so that they are seen to find something in any
# release, however small.
_SEED: Final = 20_260_901


class CertificateFailed(Exception):
    """The figures are not protected as policy says, so no release is made; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a certificate is made from: the new figures, those of earlier vintages, exact atoms and the protection."""

    figures: pl.DataFrame
    earlier: Sequence[pl.DataFrame]
    exact: pl.DataFrame
    protection: Protection
    last_quarter: str


def certificate_of(evidence: Evidence) -> dict[str, Any]:
    """The certificate as a JSON value. Raises CertificateFailed."""
    policy, number = evidence.protection.policy, quarter_number(evidence.last_quarter)
    closed = _closure(evidence.figures, number)
    attacks = attacks_on([*evidence.earlier, evidence.figures], TABLES, policy, number)
    attacks.append(_known_totals(evidence, policy))
    controls = controls_of(evidence.exact, policy, number)
    for one in attacks:
        if one.narrower.height:
            raise CertificateFailed(f"The attack by {one.attack} narrows {one.narrower.height:,} atoms beyond policy.")
    blind = [one.attack for one in controls if not one.narrower.height]
    if blind:
        raise CertificateFailed(f"The attack by {blind[0]} finds nothing in unprotected tables, so it proves nothing.")
    return {
        "policy": asdict(policy),
        "policy_hash": policy_hash("disclosure"),
        "least_width": policy.least_width,
        "disclosure_key_id": evidence.protection.key.key_id,
        "earlier_vintages": len(evidence.earlier),
        **closed,
        "widths": _widths(evidence.figures, policy),
        "attacks": [one.json() for one in attacks],
        "controls": [one.json() for one in controls],
    }


def _closure(figures: pl.DataFrame, last_quarter: int) -> dict[str, int]:
    """How many figures are the sum of their atoms. Raises CertificateFailed unless all are."""
    atoms = atoms_in(figures).with_columns(estimated=pl.lit(value=False))
    sums = tidy_of(atoms, TABLES, last_quarter).select(*TIDY, sum="value")
    joined = figures.select(*TIDY, "value").join(sums, on=TIDY, how="full", coalesce=True)
    open_ones = joined.filter(pl.col("value").ne_missing(pl.col("sum"))).height
    if open_ones:
        raise CertificateFailed(f"{open_ones:,} figures are not the sum of their atoms.")
    return {"figures": figures.height, "atoms": atoms.height, "not_sums": open_ones}


def _widths(figures: pl.DataFrame, policy: DisclosurePolicy) -> dict[str, int]:
    """How many atoms are left with an interval of each width; an atom that is 0 has the width of the policy's least."""
    intervals = bounded(atoms_in(figures), policy).select(width=pl.col("high") - pl.col("low"))
    counts: dict[str, int] = {}
    for width, count in intervals.group_by("width").len().sort("width").iter_rows():
        name = str(width) if width <= 4 * policy.base else "more"
        counts[name] = counts.get(name, 0) + count
    return counts


def _known_totals(evidence: Evidence, policy: DisclosurePolicy) -> Found:
    """Atoms by exact totals that somebody may know from elsewhere: all meters of a fuel and sector in a quarter."""
    keys = ["quarter", "fuel", "sector"]
    own = bounded(atoms_in(evidence.figures), policy).filter(pl.col("measure") == "meters")
    true = evidence.exact.filter(pl.col("measure") == "meters").group_by(keys).agg(total=pl.col("value").sum())
    terms = own.join(true, on=keys).with_columns(
        equation=pl.struct(keys).rank("dense"), sign=pl.lit(1, pl.Int64), least=pl.col("total"), most=pl.col("total")
    )
    intervals = solved(terms.select(TERMS))
    width = pl.col("high") - pl.col("low")
    narrower = intervals.filter(width < policy.least_width).select(*ATOM, "low", "high")
    return Found("known totals", intervals.height, intervals.select(width.min()).item(), narrower)


def controls_of(exact: pl.DataFrame, policy: DisclosurePolicy, last_quarter: int) -> list[Found]:
    """The attacks on unprotected tables: exact atoms, figures rounded each by itself, and offsets fresh each time."""
    known = pl.concat([_summed(exact), _made_up()])
    exact_tidy = _tidy_atoms(known)
    rounded = _rounded_each(known, policy, last_quarter)
    fresh = [_tidy_atoms(_with_offsets_of(known, f"vintage {number}", policy)) for number in range(4)]
    return [
        _named("exact atoms", by_value(exact_tidy, policy)),
        _named(
            "figures rounded each by itself", by_differencing(rounded, TABLES, policy, last_quarter, policy.base // 2)
        ),
        _named("fresh offsets in each vintage", by_vintages(fresh, policy)),
    ]


def _named(name: str, found: Found) -> Found:
    return Found(name, found.looked_at, found.narrowest, found.narrower)


def _summed(exact: pl.DataFrame) -> pl.DataFrame:
    return exact.group_by(*IDENTITY, "quarter").agg(pl.col("value").sum()).filter(pl.col("value") > 0).sort(ATOM)


def _made_up() -> pl.DataFrame:
    """Small counts of made-up suppliers, two each, in the first quarter of the series."""
    values = [(7 * place * place + _SEED) % 23 + 1 for place in range(80)]
    rows = [
        dict.fromkeys(IDENTITY, "")
        | {
            "measure": "switches",
            "supplier": f"made up {place // 2}",
            "detail": f"D{place % 2}",
            "quarter": FIRST_QUARTER,
        }
        for place in range(len(values))
    ]
    frame = pl.DataFrame(rows, schema={**dict.fromkeys(IDENTITY, pl.String), "quarter": pl.Int32})
    return frame.with_columns(value=pl.Series(values, dtype=pl.Int64))


def _tidy_atoms(atoms: pl.DataFrame) -> pl.DataFrame:
    words = (texts_of(pl.col("quarter")).alias("quarter"), pl.lit(ATOMS).alias("table"), pl.lit("").alias("marker"))
    return atoms.with_columns(words).select(*TIDY, "value", "marker").filter(pl.col("value") != 0)


def _rounded_each(exact: pl.DataFrame, policy: DisclosurePolicy, last_quarter: int) -> pl.DataFrame:
    """Figures and atoms, each rounded to the nearest multiple of the base by itself, as is often done."""
    atoms = exact.with_columns(estimated=pl.lit(value=False))
    every = tidy_of(atoms, TABLES, last_quarter)
    base = policy.base
    nearest = (pl.col("value") + base // 2) // base * base
    return every.with_columns(value=nearest, marker=pl.lit("")).drop("estimated")


def _with_offsets_of(exact: pl.DataFrame, words: str, policy: DisclosurePolicy) -> pl.DataFrame:
    """Atoms as they would be published with offsets of another key."""
    alone = exact.with_columns(contributor=pl.lit(""), estimated=pl.lit(value=False)).with_columns(
        supplier=pl.col("supplier").replace({"SMALL": "small"})
    )
    return protected(alone, Protection(key_from_text(words, DISCLOSURE), policy, {})).drop("estimated")
