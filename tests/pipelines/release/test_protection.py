"""What holds of protected atoms, whatever the counts."""

from collections import Counter
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.keys import DISCLOSURE, key_from_text
from pipelines.release.atoms import IDENTITY
from pipelines.release.protection import NegativeCount, Protection, factor, needs_factors, offsets, protected, signs_of
from schemas.policies import disclosure

KEY = key_from_text("a key", DISCLOSURE)
POLICY = disclosure(date(2026, 11, 26))
SCHEMA = {
    **dict.fromkeys(IDENTITY, pl.String),
    "quarter": pl.Int32,
    "contributor": pl.String,
    "value": pl.Int64,
    "estimated": pl.Boolean,
}


def exact(*rows: tuple[str, str, int, int], measure: str = "meters") -> pl.DataFrame:
    """Atoms of (supplier, contributor, quarter, value)."""
    full = [
        {**dict.fromkeys(IDENTITY, ""), "measure": measure, "supplier": supplier}
        | {"quarter": quarter, "contributor": contributor, "value": value, "estimated": False}
        for supplier, contributor, quarter, value in rows
    ]
    return pl.DataFrame(full, schema=SCHEMA)


def values(atoms: pl.DataFrame) -> list[tuple[int, int]]:
    return list(atoms.select("quarter", "value").iter_rows())


@given(st.integers(0, 10**9), st.integers(1, 4_000))
def test_a_count_lies_within_four_of_its_figure_and_nought_stays_nought(count: int, other: int) -> None:
    made = protected(exact(("BGAS", "BGAS", 1, count), ("BGAS", "BGAS", 2, other)), Protection(KEY, POLICY, {}))
    figures = dict(values(made))
    assert figures.get(1, 0) % 5 == 0
    assert abs(figures.get(1, 0) - count) <= 4
    assert count > 0 or 1 not in figures


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_same_count_is_the_same_figure_in_every_quarter_and_order_is_kept(first: int, second: int) -> None:
    made = protected(exact(("BGAS", "BGAS", 1, first), ("BGAS", "BGAS", 9, second)), Protection(KEY, POLICY, {}))
    figures = dict(values(made))
    one, two = figures.get(1, 0), figures.get(9, 0)
    assert (one == two) if first == second else ((one <= two) == (first < second) or one == two)


def test_offsets_are_uniform_and_belong_to_the_key_and_the_atom() -> None:
    atoms = exact(*((f"S{number}", "", 1, 1) for number in range(5_000)))
    drawn = offsets(KEY, 5, atoms)
    counts = Counter(drawn["offset"])
    assert set(counts) == set(range(5))
    assert all(900 < count < 1_100 for count in counts.values())
    other = offsets(key_from_text("another", DISCLOSURE), 5, atoms)
    joined = drawn.join(other, on=IDENTITY, suffix="_other")
    assert 800 < joined.filter(pl.col("offset") == pl.col("offset_other")).height < 1_200


def test_rounding_is_unbiased() -> None:
    atoms = exact(*((f"S{number}", "", 1, number % 97) for number in range(20_000)))
    made = protected(atoms, Protection(KEY, POLICY, {}))
    bias = made.select(pl.col("value").sum()).item() - atoms.select(pl.col("value").sum()).item()
    assert abs(bias) < 20_000 * 0.05


@pytest.mark.parametrize(
    ("counts", "needed"),
    [([100], True), ([100, 90], True), ([100, 90, 9], True), ([100, 90, 10], False), ([5, 5, 5], False)],
)
def test_factors_are_needed_with_few_contributors_or_a_dominant_one(counts: list[int], needed: bool) -> None:
    frame = pl.DataFrame({"value": counts})
    assert frame.select(needs_factors(POLICY)).item() is needed


def test_a_lone_small_supplier_s_count_is_moved_by_its_permanent_factor() -> None:
    alone = exact(("SMALL", "PURE", 1, 100_000), ("SMALL", "PURE", 2, 200_000))
    up = dict(values(protected(alone, Protection(KEY, POLICY, {"PURE": 1}))))
    share = factor(KEY, POLICY, "PURE")
    assert 1_000 <= share <= 1_500
    assert abs(up[1] - 100_000 * (10_000 + share) // 10_000) <= 5
    assert abs(up[2] - 2 * up[1]) <= 10
    down = dict(values(protected(alone, Protection(KEY, POLICY, {"PURE": -1}))))
    assert down[1] < 100_000 < up[1]


def test_a_group_of_many_is_not_moved() -> None:
    groups: list[str] = ["PURE", "ECOT", "OUTF", "HOME"]
    many = exact(*(("SMALL", one, 1, 1_000) for one in groups))
    signs = dict.fromkeys(groups, 1)
    ((_, figure),) = values(protected(many, Protection(KEY, POLICY, signs)))
    assert abs(figure - 4_000) <= 4


def test_signs_balance_sizes_and_never_change() -> None:
    signs = signs_of({"PURE": 10, "ECOT": 9, "OUTF": 5}, {})
    assert signs == {"PURE": 1, "ECOT": -1, "OUTF": -1}
    later = signs_of({"PURE": 1, "ECOT": 100, "OUTF": 5, "HOME": 50}, signs)
    assert later == {**signs, "HOME": 1}


def test_a_count_below_nought_is_refused() -> None:
    with pytest.raises(NegativeCount):
        protected(exact(("BGAS", "BGAS", 1, -1)), Protection(KEY, POLICY, {}))
