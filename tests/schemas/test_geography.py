"""Regions, GSP groups and distributors."""

import re
from collections import Counter

import pytest

from schemas import geography


def test_there_are_the_eleven_regions_of_great_britain() -> None:
    english = tuple(f"E1200000{number}" for number in range(1, 10))
    assert geography.region_codes() == (*english, "W92000004", "S92000003")


def test_itl1_codes_run_from_c_to_m_and_names_are_unique() -> None:
    regions = geography.regions().values()
    assert [region.itl1_code for region in regions] == [f"TL{letter}" for letter in "CDEFGHIJKLM"]
    assert len({region.name for region in regions}) == 11


def test_countries_are_england_wales_and_scotland() -> None:
    counts = Counter(region.country_code for region in geography.regions().values())
    assert counts == {"E92000001": 9, "W92000004": 1, "S92000003": 1}


def test_there_are_fourteen_gsp_groups_with_one_distributor_each() -> None:
    groups = geography.gsp_groups()
    assert len(groups) == 14
    assert all(re.fullmatch("_[A-HJ-NP]", name) for name in groups)
    assert sorted(group.distributor_id for group in groups.values()) == list(range(10, 24))


@pytest.mark.parametrize("name", geography.gsp_groups())
def test_a_group_s_shares_name_known_regions_and_sum_to_one(name: str) -> None:
    shares = geography.gsp_groups()[name].region_shares
    assert set(shares) <= set(geography.region_codes())
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > 0


def test_every_region_is_served_by_a_distributor() -> None:
    served = {region for regions in geography.distributor_regions().values() for region in regions}
    assert served == set(geography.region_codes())


def test_an_independent_distributor_gives_no_region() -> None:
    assert set(geography.distributor_regions()) == set(range(10, 24))
