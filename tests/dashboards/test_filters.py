"""The URL is the only state."""

from hypothesis import given
from hypothesis import strategies as st

from dashboards.filters import NAMES, Filters, form_fields, parse, without_empty
from dashboards.store import Release


def test_every_choice_of_every_filter_survives_the_way_through_the_address(release: Release) -> None:
    for field in form_fields(release):
        for choice in field.choices:
            filters = Filters(**{field.name: choice.code})
            assert parse(filters.as_query, NAMES, release).filters == filters


def test_all_filters_at_once_survive_the_way_through_the_address(release: Release) -> None:
    filters = Filters("GAS", "DOMESTIC", "BGAS", "W92000004", "SMETS2", "ALL", "2025Q4")
    parsed = parse(f"?{filters.as_query}", NAMES, release)
    assert (parsed.filters, parsed.notices) == (filters, ())


def test_no_filter_gives_no_query(release: Release) -> None:
    assert Filters().as_query == ""
    assert parse("", NAMES, release).filters == Filters()


def test_small_letters_are_understood(release: Release) -> None:
    assert parse("fuel=gas", NAMES, release).filters.fuel == "GAS"


def test_an_unknown_value_is_not_used_and_said_to_be_so(release: Release) -> None:
    parsed = parse("fuel=WATER&region=W92000004", NAMES, release)
    assert parsed.filters == Filters(region="W92000004")
    assert parsed.notices == ("Fuel: the address asks for one that is not known here, so it is not used.",)


def test_of_two_values_the_first_is_used_and_that_is_said(release: Release) -> None:
    parsed = parse("fuel=GAS&fuel=ELECTRICITY", NAMES, release)
    assert parsed.filters.fuel == "GAS"
    assert "only the first is used" in parsed.notices[0]


def test_a_filter_that_the_page_lacks_is_not_used_and_said_to_be_so(release: Release) -> None:
    parsed = parse("supplier=BGAS", ("fuel",), release)
    assert parsed.filters == Filters()
    assert parsed.notices == ("Supplier: this page cannot be narrowed by it, so it is not used.",)


def test_names_of_others_are_left_aside_in_silence(release: Release) -> None:
    assert parse("utm_source=mail&fuel=GAS", NAMES, release).notices == ()


def test_the_newest_quarter_is_what_no_quarter_means(release: Release) -> None:
    assert parse("quarter=2026Q3", NAMES, release).filters == Filters()


def test_a_form_s_empty_parameters_are_dropped() -> None:
    assert without_empty("fuel=&sector=DOMESTIC&region=") == "sector=DOMESTIC"


def test_filters_can_be_kept_in_part() -> None:
    assert Filters(fuel="GAS", supplier="BGAS").only(("fuel",)) == Filters(fuel="GAS")


@given(st.text())
def test_no_query_whatever_is_an_error(query: str) -> None:
    assert without_empty(without_empty(query)) == without_empty(query)
