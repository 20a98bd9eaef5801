"""Figures in words."""

from hypothesis import given
from hypothesis import strategies as st

from dashboards.words import change, compared, joined, quarter_words, share


def test_a_quarter_is_said_as_people_say_it() -> None:
    assert quarter_words("2026Q3") == "Q3 2026"


def test_a_share_is_rounded_half_up_from_exact_counts() -> None:
    # 0.25 % and 0.35 % as floats fall on either side of the half.
    assert (share(1, 400), share(7, 2000), share(2, 3)) == ("0.3%", "0.4%", "66.7%")


@given(st.integers(1, 10**9).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_a_share_is_never_further_than_half_a_tenth_from_the_truth(part_and_whole: tuple[int, int]) -> None:
    part, whole = part_and_whole
    tenths = int(share(part, whole).replace(".", "").rstrip("%"))
    assert abs(2 * (tenths * whole - 1000 * part)) <= whole


def test_a_share_of_nothing_is_not_applicable() -> None:
    assert share(0, 0) == "[z]"


def test_a_change_has_a_sign_and_needs_something_to_compare_with() -> None:
    assert (change(103, 100), change(97, 100), change(5, 5), change(5, None)) == ("+3.0%", "-3.0%", "0.0%", "[x]")


def test_a_comparison_says_more_or_fewer_and_than_what() -> None:
    assert compared(1_030, 1_000, "2025Q3") == "3.0% more than in Q3 2025 (1,000)"
    assert compared(970, 1_000, "2025Q3") == "3.0% fewer than in Q3 2025 (1,000)"
    assert compared(970, 970, "2025Q3") == "the same as in Q3 2025"


def test_a_list_is_joined_as_in_a_sentence() -> None:
    assert (joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])) == ("a", "a and b", "a, b and c")
