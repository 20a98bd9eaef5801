"""The questions, against answers worked out by hand."""

import pytest

from dashboards import queries
from dashboards.filters import Filters
from dashboards.markers import codes_of
from dashboards.store import Release, open_published
from tests.dashboards.published import Meters, of_meters

WALES, LONDON = "W92000004", "E12000007"
OLD = {"meter_type": "NON_SMART", "operating_mode": "NOT_APPLICABLE"}
ADVANCED = {"meter_type": "ADVANCED", "operating_mode": "NOT_APPLICABLE", "sector": "NON_DOMESTIC"}
STOCK = [
    Meters(region_code=WALES, number=50),
    Meters(region_code=WALES, meter_type="SMETS1", operating_mode="TRADITIONAL", number=10),
    Meters(region_code=WALES, number=40, **OLD),
    Meters(source_id="EENG", region_code=LONDON, fuel="GAS", number=20, marker="r"),
    Meters(source_id="EENG", region_code=LONDON, fuel="GAS", number=60, **OLD),
    Meters(source_id="EENG", region_code=LONDON, number=20, **ADVANCED),
    Meters(quarter="2025Q3", region_code=WALES, number=30),
    Meters(quarter="2025Q3", region_code=WALES, number=70, **OLD),
]
FITTED = [
    Meters(region_code=WALES, number=8),
    Meters(region_code=WALES, number=2, install_reason="NEW_CONNECTION", meter_type="SMETS1"),
    Meters(region_code=WALES, number=4, install_reason="SMART_FOR_SMART"),
    Meters(region_code=WALES, number=3, install_reason="NON_SMART_REPLACEMENT", **OLD),
    Meters(region_code=WALES, number=5, install_reason="NEW_CONNECTION", **OLD),
    Meters(source_id="EENG", region_code=LONDON, number=1, **ADVANCED),
    Meters(quarter="2026Q2", region_code=WALES, number=20),
    Meters(quarter="2025Q3", region_code=WALES, number=10),
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Release:
    store = open_published(of_meters(tmp_path_factory.mktemp("small") / "s.db", STOCK, FITTED))
    release = store.release()
    store.close()
    assert release is not None
    return release


def test_smart_is_both_modes_and_the_headline_adds_advanced(small: Release) -> None:
    row = queries.in_quarter(queries.stock_by_quarter(small, Filters()), "2026Q3")
    figures = ("smart_mode", "traditional", "smart", "advanced", "smart_and_advanced", "non_smart", "meters")
    assert [row[name] for name in figures] == [70, 10, 80, 20, 100, 100, 200]


def test_every_quarter_has_a_row_even_without_a_meter(small: Release) -> None:
    frame = queries.stock_by_quarter(small, Filters())
    assert frame["quarter"].to_list() == ["2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3"]
    assert frame["meters"].to_list() == [100, 0, 0, 0, 200]


@pytest.mark.parametrize(
    ("filters", "meters"),
    [
        (Filters(fuel="GAS"), 80),
        (Filters(sector="NON_DOMESTIC"), 20),
        (Filters(supplier="BGAS"), 100),
        (Filters(region=LONDON, fuel="ELECTRICITY"), 20),
        (Filters(meter_type="SMETS1"), 10),
        (Filters(region="S92000003"), 0),
    ],
)
def test_filters_narrow_the_stock(small: Release, filters: Filters, meters: int) -> None:
    assert queries.in_quarter(queries.stock_by_quarter(small, filters), "2026Q3")["meters"] == meters


def test_a_row_carries_the_markers_of_its_figures(small: Release) -> None:
    frame = queries.stock_by_quarter(small, Filters())
    assert [codes_of(bits) for bits in frame["markers"]] == [("p",), (), (), (), ("p", "r")]


@pytest.mark.parametrize(("basis", "fitted"), [(None, 11), ("SMART_FOR_SMART", 4), ("ALL", 23)])
def test_the_official_count_leaves_out_replacements_and_meters_that_are_not_smart(
    small: Release, basis: str | None, fitted: int
) -> None:
    row = queries.in_quarter(queries.installations_by_quarter(small, Filters(basis=basis)), "2026Q3")
    assert (row["installations"], row["replacements"]) == (fitted, 4)


def test_installations_are_compared_with_the_quarter_and_the_year_before(small: Release) -> None:
    frame = queries.installations_by_quarter(small, Filters())
    row = queries.in_quarter(frame, "2026Q3")
    assert (row["installations"], row["before"], row["year_before"]) == (11, 20, 10)
    assert queries.in_quarter(frame, "2025Q3")["year_before"] is None


def test_regions_stand_in_the_order_of_their_share(small: Release) -> None:
    frame = queries.compared_by(small, Filters(), "region_code")
    columns = frame.select("region_code", "smart_and_advanced", "meters", "installations")
    assert columns.rows() == [(WALES, 60, 100, 10), (LONDON, 40, 100, 1)]


def test_suppliers_are_those_of_the_chosen_quarter(small: Release) -> None:
    frame = queries.compared_by(small, Filters(quarter="2025Q3"), "source_id")
    assert frame.select("source_id", "meters", "installations").rows() == [("BGAS", 100, 10)]


def test_coverage_by_fuel_adds_up_to_the_whole(small: Release) -> None:
    row = queries.in_quarter(queries.coverage_by_fuel(small, Filters()), "2026Q3")
    assert (row["electricity_smart_and_advanced"], row["electricity_meters"]) == (80, 120)
    assert (row["gas_smart_and_advanced"], row["gas_meters"]) == (20, 80)
    assert (row["smart_and_advanced"], row["meters"]) == (100, 200)


def test_coverage_ends_at_the_chosen_quarter(small: Release) -> None:
    assert queries.coverage_by_fuel(small, Filters(quarter="2026Q1"))["quarter"].to_list()[-1] == "2026Q1"


def test_suppliers_and_regions_add_up_to_great_britain(release: Release) -> None:
    for column in ("source_id", "region_code"):
        parts = queries.compared_by(release, Filters(fuel="GAS"), column)
        whole = queries.in_quarter(queries.stock_by_quarter(release, Filters(fuel="GAS")), release.last_quarter)
        assert parts["smart_and_advanced"].sum() == whole["smart_and_advanced"]
        assert parts["meters"].sum() == whole["meters"]
