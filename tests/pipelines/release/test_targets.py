"""The worked example of the targets framework, and what the published rows say."""

import pytest

from pipelines.release.targets import regime_of, target_number, target_of, targets_frame
from schemas.policies import tolerances
from tests.pipelines.release.made import Office

DOMESTIC = {year: tolerances()[(year, "DOMESTIC")] for year in (2022, 2023, 2024, 2025)}


@pytest.mark.parametrize(
    ("base", "coverage_percent", "year", "target"),
    # Base and coverage at the end of the year before; 0.45 / 3 - 0.054 = 0.096, and so on.
    [
        (1_000_000, 55, 2023, 96_000),
        (1_020_000, 61, 2024, 71_400),
        (1_020_000, 67, 2025, 76_500),
        (500_000, 90, 2023, 0),
    ],
)
def test_the_worked_example_holds(base: int, coverage_percent: int, year: int, target: int) -> None:
    tolerance = DOMESTIC[year]
    assert target_number(base, base * coverage_percent // 100, tolerance.years_left, tolerance.percent) == target


def test_progress_shortfall_and_pace_follow_from_what_was_done() -> None:
    whole = target_of(1_000_000, 550_000, 70_000, DOMESTIC[2023])
    assert (whole.target, whole.progress_percent, whole.shortfall, whole.expected) == (96_000, 72.9, 26_000, 70_000)
    half = target_of(1_000_000, 550_000, 30_000, DOMESTIC[2023], quarters=2)
    assert (half.expected, half.shortfall) == (60_000, 66_000)
    none = target_of(0, 0, 5, DOMESTIC[2023])
    assert (none.target, none.progress_percent, none.shortfall) == (0, None, 0)


def test_halves_are_rounded_upwards() -> None:
    assert target_number(base=1, qualifying=0, years_left=2, tolerance_percent=0) == 1


@pytest.mark.parametrize(
    ("year", "name"),
    [
        (2021, "All reasonable steps"),
        (2022, "Binding annual targets"),
        (2025, "Binding annual targets"),
        (2026, "After the framework"),
    ],
)
def test_each_year_has_its_regime(year: int, name: str) -> None:
    assert regime_of(year) == name


def test_a_year_without_a_tolerance_has_no_target_and_what_is_not_verified_says_so(office: Office) -> None:
    made = office.release()
    figures = office.store.vintage_figures(made.name)
    rows = targets_frame(figures, 2026 * 4 + 2)
    # The ledger begins in 2024, so 2025 is the first year with a base at the end of the year before.
    assert set(rows["year"]) == {"2025"}
    assert set(rows["verified"]) == {"no"}
    assert set(rows["sector"]) == {"DOMESTIC"}
    assert b"premises, not meters" in made.files["targets.html"]
