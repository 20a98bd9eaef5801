"""Attacks on published bundles: what somebody without a key can learn of an atom from all figures together.

The attacker knows the bundles, the policy and the tables' definitions, and takes atoms that no bundle ever shows for
true zeros. Each attack returns intervals for atoms; policy says how narrow one may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from pipelines.release.atoms import DIMENSIONS, IDENTITY
from pipelines.release.figures import ATOMS, TIDY, Table, tidy_of
from pipelines.release.protection import WHOLE
from pipelines.release.suppliers import SMALL
from schemas.policies import DisclosurePolicy, published_measures
from schemas.quarters import numbers_of

ATOM: Final = (*IDENTITY, "quarter")
REVISED: Final = "[r]"
# An equation: some atoms, each with a sign, whose sum lies within bounds.
TERMS: Final = ("equation", "sign", "least", "most", *ATOM, "low", "high")
_FLOWS: Final = ("meters", "installations", "removals")


@dataclass(frozen=True, slots=True)
class Found:
    """What an attack found: how many atoms it looked at, the narrowest interval, and the atoms narrower than policy.

    `narrower` has the columns ATOM, `low` and `high`.
    """

    attack: str
    looked_at: int
    narrowest: int | None
    narrower: pl.DataFrame

    def json(self) -> dict[str, object]:
        """The finding as a JSON value."""
        numbers = {"looked_at": self.looked_at, "narrowest": self.narrowest, "narrower": self.narrower.height}
        return {"attack": self.attack, **numbers}


def atoms_in(tidy: pl.DataFrame) -> pl.DataFrame:
    """The atoms of a bundle's tidy figures: ATOM (quarters as numbers), `value` and `marker`."""
    own = tidy.filter(pl.col("table") == ATOMS)
    return own.select(*IDENTITY, numbers_of(pl.col("quarter")).alias("quarter"), "value", "marker")


def bounded(atoms: pl.DataFrame, policy: DisclosurePolicy, reach: int | None = None) -> pl.DataFrame:
    """The atoms with `low` and `high`, between which each lies by its value alone.

    `reach` is how far rounding may have moved a value: by default one less than the base. A value that is no multiple
    of the base was not rounded: it is known exactly. The count of a small supplier may also have been moved by the
    largest factor.
    """
    reach, value = policy.base - 1 if reach is None else reach, pl.col("value")
    rounded = value % policy.base == 0
    low = pl.when(rounded).then((value - reach).clip(lower_bound=0)).otherwise(value)
    high = pl.when(rounded).then(value + reach).otherwise(value)
    moved = WHOLE * policy.factor_to_percent // 100
    is_small = (pl.col("supplier") == SMALL) & rounded
    return atoms.with_columns(
        low=pl.when(is_small).then(low * WHOLE // (WHOLE + moved)).otherwise(low),
        high=pl.when(is_small).then(high * WHOLE // (WHOLE - moved) + 1).otherwise(high),
    )


def _found(attack: str, intervals: pl.DataFrame, policy: DisclosurePolicy) -> Found:
    width = pl.col("high") - pl.col("low")
    narrowest = intervals.select(width.min()).item()
    narrower = intervals.filter(width < policy.least_width).select(*ATOM, "low", "high").unique(maintain_order=True)
    return Found(attack, intervals.height, narrowest, narrower)


def by_value(tidy: pl.DataFrame, policy: DisclosurePolicy) -> Found:
    """Each atom by its own value."""
    return _found("value", bounded(atoms_in(tidy), policy), policy)


def solved(terms: pl.DataFrame) -> pl.DataFrame:
    """Intervals of the atoms in equations (TERMS), each equation by itself: exact, as one equation leaves no choice.

    An equation that contradicts the intervals is not true of these atoms, and says nothing.
    """
    positive = pl.col("sign") > 0
    ends = terms.with_columns(
        bottom=pl.when(positive).then(pl.col("low")).otherwise(-pl.col("high")),
        top=pl.when(positive).then(pl.col("high")).otherwise(-pl.col("low")),
    )
    others_bottom = pl.col("bottom").sum().over("equation") - pl.col("bottom")
    others_top = pl.col("top").sum().over("equation") - pl.col("top")
    inside = ends.with_columns(
        new_top=pl.min_horizontal("top", pl.col("most") - others_bottom),
        new_bottom=pl.max_horizontal("bottom", pl.col("least") - others_top),
    )
    true = inside.filter((pl.col("new_bottom") <= pl.col("new_top")).all().over("equation"))
    return true.with_columns(
        low=pl.when(positive).then(pl.col("new_bottom")).otherwise(-pl.col("new_top")),
        high=pl.when(positive).then(pl.col("new_top")).otherwise(-pl.col("new_bottom")),
    )


def by_differencing(
    tidy: pl.DataFrame,
    tables: Sequence[Table],
    policy: DisclosurePolicy,
    last_quarter: int,
    reach: int | None = None,
) -> Found:
    """Figures that are not the sum of their atoms: each is an equation of its own, from which atoms may be told.

    A figure that is the sum of its atoms says nothing that the atoms do not. `reach` is that of `bounded`.
    """
    step = policy.base - 1 if reach is None else reach
    atoms = bounded(atoms_in(tidy), policy, step)
    sums = tidy_of(atoms.with_columns(estimated=pl.lit(value=False)), tables, last_quarter)
    given = tidy.filter(pl.col("table") != ATOMS).select(*TIDY, "value")
    other = given.join(sums.select(*TIDY, pl.col("value").alias("sum")), on=TIDY, how="left")
    other = other.filter(pl.col("value") != pl.col("sum").fill_null(0)).with_row_index("equation")
    if other.is_empty():
        return _found("differencing", atoms, policy)
    rounded = pl.col("figure") % policy.base == 0
    figures = other.rename({"value": "figure"}).with_columns(
        least=pl.when(rounded).then(pl.col("figure") - step).otherwise(pl.col("figure")),
        most=pl.when(rounded).then(pl.col("figure") + step).otherwise(pl.col("figure")),
    )
    return _found("differencing", solved(_terms_of_figures(figures, atoms, tables)), policy)


def _terms_of_figures(figures: pl.DataFrame, atoms: pl.DataFrame, tables: Sequence[Table]) -> pl.DataFrame:
    """The terms of figures of quarterly tables whose measure is a plain sum of atoms."""
    plain = figures.filter(pl.col("measure").is_in(atoms["measure"].unique().to_list()))
    quarterly = plain.filter(pl.col("table").is_in([one.name for one in tables if one.period != "year"]))
    named = quarterly.with_columns(numbers_of(pl.col("quarter")).alias("quarter"))
    parts = [pl.DataFrame(schema=_TERM_TYPES)]
    for pattern, group in named.group_by([pl.col(name) == "" for name in DIMENSIONS]):
        given = [name for name, empty in zip(DIMENSIONS, pattern, strict=True) if not empty]
        on = ["measure", "quarter", *given]
        joined = group.select("equation", "least", "most", *on).join(atoms, on=on, how="inner")
        parts.append(joined.with_columns(sign=pl.lit(1, pl.Int64)).select(TERMS).cast(_TERM_TYPES))
    return pl.concat(parts)


_TERM_TYPES: Final = pl.Schema(
    {
        "equation": pl.UInt32(),
        **dict.fromkeys(("sign", "least", "most"), pl.Int64()),
        **dict.fromkeys(IDENTITY, pl.String()),
        "quarter": pl.Int32(),
        **dict.fromkeys(("low", "high"), pl.Int64()),
    }
)


def with_zeros(atoms: pl.DataFrame, policy: DisclosurePolicy) -> pl.DataFrame:
    """Bounded atoms, with a row for every quarter in which an atom that is shown in another quarter is 0."""
    known, quarters = atoms.select(IDENTITY).unique(), atoms.select("quarter").unique()
    every = known.join(quarters, how="cross").join(atoms, on=[*ATOM], how="left")
    return bounded(every.with_columns(pl.col("value").fill_null(0)), policy)


def stock_and_flow_terms(tidy: pl.DataFrame, policy: DisclosurePolicy, quarters: int = 8) -> pl.DataFrame:
    """Stock now less stock before is what was fitted less what was removed, by all dimensions that the three share.

    Only of the newest `quarters`, as each equation has every atom of its kind.
    """
    kind = [name for name in DIMENSIONS[:-1] if all(name in published_measures()[one].keeps for one in _FLOWS)]
    own = atoms_in(tidy).filter(pl.col("measure").is_in(_FLOWS))
    newest = own.filter(pl.col("quarter") > pl.col("quarter").max() - quarters)
    every = with_zeros(newest.drop("marker"), policy)
    stock = every.filter(pl.col("measure") == "meters")
    after = stock.with_columns(at=pl.col("quarter"), sign=pl.lit(1))
    before = stock.with_columns(at=pl.col("quarter") + 1, sign=pl.lit(-1))
    flows = every.filter(pl.col("measure") != "meters").with_columns(
        at=pl.col("quarter"), sign=pl.when(pl.col("measure") == "installations").then(-1).otherwise(1)
    )
    terms = pl.concat([after, before, flows])
    complete = terms.filter(((pl.col("measure") == "meters") & (pl.col("sign") < 0)).any().over("at", *kind))
    last = complete["at"].max()
    whole = complete.filter(pl.col("at") < (last if last is not None else 0))
    equation = pl.struct("at", *kind).rank("dense").cast(pl.UInt32)
    zero = pl.lit(0, pl.Int64)
    return whole.with_columns(equation=equation, least=zero, most=zero).select(TERMS).cast(_TERM_TYPES)


def geography_terms(tidy: pl.DataFrame, policy: DisclosurePolicy) -> pl.DataFrame:
    """For every country, type and mode: the meters of its local authorities are those of its regions."""
    own = bounded(atoms_in(tidy), policy)
    keys = ("quarter", "fuel", "sector", "meter_type", "operating_mode")
    local = own.filter(pl.col("measure") == "meters_local").with_columns(sign=pl.lit(1))
    regional = own.filter(pl.col("measure") == "meters").with_columns(sign=pl.lit(-1))
    regional = regional.join(local.select(keys).unique(), on=keys, how="semi")
    # A meter without a local authority may be in any country, so the equations are those of Great Britain.
    terms = pl.concat([local, regional])
    zero = pl.lit(0, pl.Int64)
    equation = pl.struct(keys).rank("dense").cast(pl.UInt32)
    return terms.with_columns(equation=equation, least=zero, most=zero).select(TERMS).cast(_TERM_TYPES)


def by_equations(attack: str, terms: pl.DataFrame, policy: DisclosurePolicy) -> Found:
    """Atoms by equations between stock and flow, or between two geographies, each equation by itself."""
    return _found(attack, solved(terms), policy)


def by_linear_programme(terms: pl.DataFrame, policy: DisclosurePolicy, seed: int) -> Found:
    """A seeded sample of atoms by linear programmes over the equations of one kind that hold the atom.

    Each programme has all atoms of the equation of the atom's quarter and of the two beside it, solved by HiGHS.
    """
    atoms = terms.select(*ATOM).unique().sort(ATOM)
    sampled = atoms.sample(min(policy.audited_atoms, atoms.height), seed=seed).sort(ATOM)
    rows = []
    for atom in sampled.iter_rows(named=True):
        interval = _programmed(terms, atom)
        if interval is not None:
            rows.append((*atom.values(), *interval))
    schema = {**{name: _TERM_TYPES[name] for name in ATOM}, "low": pl.Int64, "high": pl.Int64}
    return _found("linear programme", pl.DataFrame(rows, schema=schema, orient="row"), policy)


def _programmed(terms: pl.DataFrame, atom: dict[str, object]) -> tuple[int, int] | None:
    own = terms.filter(*(pl.col(name) == value for name, value in atom.items()))
    linked = terms.filter(pl.col("equation").is_in(own["equation"].to_list()))
    variables = linked.select(*ATOM, "low", "high").unique(subset=ATOM, maintain_order=True).with_row_index("variable")
    placed = linked.join(variables.select(*ATOM, "variable"), on=list(ATOM), how="left", nulls_equal=True)
    rows = placed["equation"].rank("dense").to_numpy() - 1
    shape = (int(rows.max()) + 1, variables.height)
    matrix = csr_matrix((placed["sign"].to_numpy().astype(float), (rows, placed["variable"].to_numpy())), shape)
    wanted = variables.filter(*(pl.col(name) == value for name, value in atom.items()))["variable"].item()
    bounds = variables.select("low", "high").to_numpy()
    least, most = _end(matrix, bounds, wanted, 1.0), _end(matrix, bounds, wanted, -1.0)
    if least is None or most is None:
        return None
    # Counts are whole numbers, so the ends of an interval are rounded inwards.
    return int(np.ceil(least - 1e-6)), int(np.floor(-most + 1e-6))


def _end(matrix: csr_matrix, bounds: "np.ndarray[Any, Any]", wanted: int, direction: float) -> float | None:
    equations, variables = matrix.get_shape()
    costs = np.zeros(variables)
    costs[wanted] = direction
    answer = linprog(costs, A_eq=matrix, b_eq=np.zeros(equations), bounds=bounds, method="highs")
    return float(answer.fun) if answer.success else None


def by_vintages(bundles: Sequence[pl.DataFrame], policy: DisclosurePolicy) -> Found:
    """The same atom and quarter in several bundles, oldest first: what is not marked revised is taken for unchanged."""
    numbered = [
        bounded(atoms_in(tidy), policy).with_columns(bundle=pl.lit(place, pl.Int32))
        for place, tidy in enumerate(bundles)
    ]
    every = pl.concat(numbered).sort(*ATOM, "bundle")
    # A revision begins a new stretch, in which the atom is unchanged.
    revised = pl.col("marker").str.contains(REVISED, literal=True).cast(pl.Int32).cum_sum().over(ATOM).alias("stretch")
    stretches = every.with_columns(revised).group_by(*ATOM, "stretch").agg(pl.col("low").max(), pl.col("high").min())
    # An empty interval says that the atom has changed after all.
    return _found("vintages", stretches.filter(pl.col("low") <= pl.col("high")), policy)


def attacks_on(
    bundles: Sequence[pl.DataFrame], tables: Sequence[Table], policy: DisclosurePolicy, last_quarter: int, seed: int = 0
) -> list[Found]:
    """All attacks on bundles' tidy figures, oldest first; those on one bundle are made on the newest."""
    newest = bundles[-1]
    flows, places = stock_and_flow_terms(newest, policy), geography_terms(newest, policy)
    return [
        by_value(newest, policy),
        by_differencing(newest, tables, policy, last_quarter),
        by_equations("stock and flow", flows, policy),
        by_equations("second geography", places, policy),
        by_linear_programme(pl.concat([flows, places.with_columns(pl.col("equation") + 1_000_000)]), policy, seed),
        by_vintages(bundles, policy),
    ]
