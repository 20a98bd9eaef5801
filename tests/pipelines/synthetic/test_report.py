"""How close the synthetic Britain comes, and who says so."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.synthetic import Plan, Report, compare, contradictions, generate, report_lines
from pipelines.synthetic.report import figures, held_frame
from schemas.tables import SYNTHETIC_NOTICE
from tests.pipelines.synthetic.conftest import UNTIL, Britain, quiet


@pytest.fixture(scope="module")
def one_in_a_thousand(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return generate(tmp_path_factory.mktemp("thousandth"), Plan(57_900, 1, UNTIL, 0.0), quiet)


def test_at_one_in_a_thousand_every_figure_of_a_million_meters_or_more_is_met(one_in_a_thousand: Report) -> None:
    due = [held for held in one_in_a_thousand.held if held.tolerance is not None]
    assert len(due) > 100
    assert [f"{h.figure.ref}: {h.deviation:+.1f} %" for h in due if not h.met] == []


def test_the_largest_figures_are_held_to_three_per_cent_and_the_others_to_six(one_in_a_thousand: Report) -> None:
    for held in one_in_a_thousand.held:
        expected = 3.0 if held.meters >= 5e6 else 6.0 if held.meters >= 1e6 else None
        assert held.tolerance == expected


def test_a_recount_of_the_files_agrees_with_the_report_figure_by_figure(clean: Britain) -> None:
    assert compare(clean.cells, clean.report.plan.scale).equals(held_frame(clean.report.held))


def test_a_lost_meter_shows_in_the_comparison(clean: Britain) -> None:
    cells = clean.cells
    fewer = cells.filter(~((pl.col("measure") == "meters") & (pl.col("quarter") == "2024Q4")))
    assert not compare(fewer, clean.report.plan.scale).equals(compare(cells, clean.report.plan.scale))


def test_there_is_nothing_to_compare_in_no_cells(clean: Britain) -> None:
    assert compare(clean.cells.clear(), 0.001).is_empty()


def test_the_quarter_without_visits_stands_out(one_in_a_thousand: Report) -> None:
    fitted = one_in_a_thousand.cells.filter(
        (pl.col("measure") == "installations") & (pl.col("detail") == "SMART_FOR_NON_SMART")
    )
    by_quarter = dict(fitted.group_by("quarter").agg(pl.col("value").sum()).iter_rows())
    assert by_quarter["2020Q2"] < by_quarter["2020Q1"] / 4
    assert by_quarter["2020Q3"] > by_quarter["2020Q2"] * 4


def test_figures_of_periods_that_are_not_over_are_left_out(tmp_path: Path) -> None:
    report = generate(tmp_path, Plan(100, 1, UNTIL.replace(year=2018, month=11), 0.0), quiet)
    periods = {held.figure.period for held in report.held}
    assert "2018Q1" in periods
    assert not periods & {"2018", "2018Q4", "2019Q1"}


def test_every_contradiction_names_figures_that_there_are() -> None:
    known = {figure.ref for figure in figures()}
    assert contradictions()
    assert all(set(each.refs) <= known and each.contradiction and each.choice for each in contradictions())


def test_the_lines_for_a_person_name_every_figure_and_say_that_it_is_synthetic(clean: Britain) -> None:
    lines = report_lines(clean.report)
    assert lines[0] == SYNTHETIC_NOTICE
    for held in clean.report.held:
        assert any(line.split()[:3] == [held.figure.ref, held.figure.period, held.figure.what] for line in lines)
    assert all(any(each.choice in line for line in lines) for each in contradictions())
