"""The misreport of 2023, replayed: a supplier reports meters in traditional mode as smart for a year, then corrects."""

import json

import polars as pl
import pytest

from pipelines.release.changes import Released, changes_between, triangle
from pipelines.release.quality import ReleaseStopped
from pipelines.release.restricted import restricted_files
from schemas.quarters import quarters_between
from tests.pipelines.release.made import Office, growing, write_cells
from tests.pipelines.store.runs import Cell

WRONG = quarters_between("2025Q1", "2025Q4")


def misreported() -> list[Cell]:
    """British Gas calls its meters in traditional mode smart from 2025Q1 on; the DCC's records contradict that."""
    traditional: dict[tuple[str, str], int] = {}
    for cell in growing(seed=1):
        is_its = (cell.measure, cell.source_id, cell.operating_mode) == ("meters", "BGAS", "TRADITIONAL")
        if is_its and cell.quarter < WRONG[0]:
            place = (cell.region_code, cell.fuel)
            traditional[place] = traditional.get(place, 0) + cell.value
    return [
        cell
        for (region, fuel), count in traditional.items()
        for cell in (
            Cell(-count, "meters", WRONG[0], "BGAS", region, fuel, operating_mode="TRADITIONAL"),
            Cell(count, "meters", WRONG[0], "BGAS", region, fuel),
            Cell(count, "mode_disagreements", WRONG[0], "BGAS", region, fuel, detail="TRADITIONAL"),
        )
    ]


def released(office: Office, name: str) -> Released:
    record = next(one for one in office.store.vintages() if one.vintage == name)
    figures, cells = office.store.vintage_figures(name), office.store.vintage_cells(name)
    return Released(name, record.quarter, figures, cells, json.loads(record.facts))


def test_the_misreport_is_flagged_and_its_correction_is_told(office: Office) -> None:
    office.release("2024Q4")
    write_cells(office.store, "misreport", [*growing(seed=1), *misreported()])
    with pytest.raises(ReleaseStopped, match=r"TRADITIONAL_JUMP|DCC_MODE_DIFFERS") as stopped:
        office.release(WRONG[0], because="")
    assert "BGAS" in str(stopped.value)
    for quarter in WRONG:
        office.release(quarter, because="The supplier says that its figures are right.")
    findings = json.loads(office.store.vintages()[1].facts)["quality"]["findings"]
    assert {one["reason_code"] for one in findings if one["supplier"] == "BGAS"} >= {
        "TRADITIONAL_JUMP",
        "DCC_MODE_DIFFERS",
    }

    write_cells(office.store, "corrected", growing(seed=1), superseded=500)
    with pytest.raises(ReleaseStopped, match=r"REVISION_LARGE at BGAS"):
        office.release("2026Q1", because="")
    office.release("2026Q1", because="British Gas has corrected its operating modes of 2025.")

    before, after = released(office, "2025Q4-1"), released(office, "2026Q1-1")
    changes = changes_between(before, after)
    national = changes.filter(
        pl.col("table") == "1", pl.col("operating_mode") == "TRADITIONAL", pl.col("quarter").is_in(WRONG)
    )
    assert national.height == 2 * len(WRONG)
    assert (national["new"] > national["old"]).all()
    assert national["why"].str.contains("amendments or withdrawals from BGAS").all()

    values = triangle([(one.vintage, office.store.vintage_figures(one.vintage)) for one in office.store.vintages()])
    working = values.filter(pl.col("measure") == "working_smart_meters", pl.col("quarter") == "2025Q2")
    assert working["release"].to_list()[-1] == "2026Q1-1"
    assert working["value"].to_list()[-1] < working["value"].to_list()[-2]

    card = pl.read_csv(restricted_files(after, before)["scorecard.csv"])
    effect = card.filter(pl.col("quarter") == "2025Q2", pl.col("source_id") == "BGAS").row(0, named=True)
    assert effect["changed_figures"] > 0
    assert effect["superseded"] == 500
    assert card.filter(pl.col("source_id") == "MRCY")["changed_figures"].sum() == 0
