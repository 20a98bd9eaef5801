"""A release of a made-up ledger, from its cells to its files and back."""

import io
import json
from dataclasses import replace

import polars as pl
import pytest

from pipelines.keys import SIGNING, key_from_text
from pipelines.release.atoms import DIMENSIONS
from pipelines.release.bundle import BundleError, verified
from pipelines.release.certificate import CertificateFailed, Evidence, certificate_of
from pipelines.release.changes import UNEXPLAINED, Released, changes_between
from pipelines.release.create import ReleaseRefused, export
from pipelines.release.draft import ReleasesExist, publish_draft
from pipelines.release.figures import ATOMS
from pipelines.release.protection import Protection
from pipelines.release.quality import ReleaseStopped
from pipelines.release.reading import attacked
from pipelines.store import StoreError
from schemas.policies import disclosure
from tests.pipelines.release.made import LAST, Office, growing, write_cells
from tests.pipelines.store.runs import NOON, Cell, new_store


def released(office: Office, name: str) -> Released:
    record = next(one for one in office.store.vintages() if one.vintage == name)
    figures, cells = office.store.vintage_figures(name), office.store.vintage_cells(name)
    return Released(name, record.quarter, figures, cells, json.loads(record.facts))


def test_a_release_is_named_and_its_figures_are_the_dashboard_s(office: Office) -> None:
    publish_draft(office.store, NOON)
    made = office.release()
    assert made.name == f"{LAST}-1"
    assert [one.vintage for one in office.store.vintages()] == [made.name]
    with pytest.raises(ReleasesExist):
        publish_draft(office.store, NOON)
    tidy = pl.read_csv(io.BytesIO(made.files["tidy.csv"]), infer_schema=False)
    assert tidy.height == made.figures
    assert tidy.filter(pl.col("value").cast(pl.Int64) % 5 != 0).is_empty()


def test_every_figure_of_a_plain_measure_is_the_sum_of_the_atoms_that_it_names(office: Office) -> None:
    figures = attacked("a", office.release().files).tidy
    atoms = figures.filter(pl.col("table") == ATOMS)
    own = figures.filter(pl.col("table") == "8", pl.col("measure") == "meters", pl.col("operating_mode") == "")
    assert own.height > 20
    for row in own.iter_rows(named=True):
        named = [pl.col(name) == row[name] for name in DIMENSIONS if row[name]]
        same = (pl.col("measure") == "meters", pl.col("quarter") == row["quarter"])
        assert row["value"] == atoms.filter(*same, *named)["value"].sum()


def test_a_release_is_exported_byte_for_byte(office: Office) -> None:
    first = office.release()
    office.release()
    again = export(office.store, first.name, key_from_text("a signing key of tests", SIGNING))
    assert again == first.files


def test_the_same_cells_and_keys_make_the_same_bytes(office: Office, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    store = new_store(other)
    twin = Office(store, other, office.checker)
    write_cells(store, "another run's name", growing(seed=1))
    assert twin.release().files == office.release().files


def test_files_are_what_the_manifest_says(office: Office) -> None:
    files = office.release().files
    assert verified(files)["release"] == f"{LAST}-1"
    with pytest.raises(BundleError, match=r"tidy\.csv was changed"):
        verified({**files, "tidy.csv": b""})
    with pytest.raises(BundleError, match="extra is not in the manifest"):
        verified({**files, "extra": b""})
    with pytest.raises(BundleError, match="signature"):
        verified({**files, "manifest.json": files["manifest.json"].replace(b"2026", b"2025")})
    with pytest.raises(BundleError, match=r"There is no manifest\.json"):
        verified({})


def test_every_page_and_text_says_what_data_it_is(office: Office) -> None:
    files = office.release().files
    said = [
        path
        for path, content in files.items()
        if path.endswith((".html", "metadata.json", "manifest.json"))
        and b"ynthetic data, not official statistics" not in content
    ]
    assert said == []


def test_another_disclosure_key_is_refused(office: Office) -> None:
    office.release()
    with pytest.raises(ReleaseRefused, match="figures protected with two keys could be compared"):
        office.release(key="another key")
    assert len(office.store.vintages()) == 1


def test_findings_want_a_reason_and_the_reason_is_published(office: Office) -> None:
    rows = [*growing(seed=1), Cell(2_000, "meters", LAST, "MRCY", "S92000003")]
    write_cells(office.store, "second", rows)
    with pytest.raises(ReleaseStopped, match="release with --because"):
        office.release(because="")
    made = office.release(because="A book was bought.")
    assert b"A book was bought." in made.files["quality.html"]


def test_a_stock_below_nought_stops_a_release_whatever_is_said(office: Office) -> None:
    write_cells(office.store, "second", [*growing(seed=1), Cell(-9_000, "meters", LAST, "MRCY", "S92000003")])
    with pytest.raises(ReleaseStopped, match="RUNNING_STOCK_NEGATIVE"):
        office.release(because="It is right.")
    assert office.store.vintages() == ()


@pytest.mark.parametrize(
    ("quarter", "words"),
    [("2026", "is not a quarter"), ("2030Q1", "no cell"), ("2010Q1", "begins in 2012Q4")],
)
def test_a_quarter_that_cannot_be_released_is_refused(office: Office, quarter: str, words: str) -> None:
    with pytest.raises(ReleaseRefused, match=words):
        office.release(quarter)


def test_a_folder_that_is_there_leaves_no_release(office: Office) -> None:
    (office.folder / "release 1").mkdir()
    with pytest.raises(ReleaseRefused, match="name a new folder"):
        office.release()
    assert office.store.vintages() == ()


def test_late_and_corrected_events_are_told_with_their_sources(office: Office) -> None:
    office.release("2026Q2")
    rows = growing(seed=1)
    # A late report of an earlier quarter: one more meter in traditional mode, and the event behind it.
    more = [Cell(40, "meters", "2026Q1", "BGAS", operating_mode="TRADITIONAL")]
    more.append(
        replace(
            next(one for one in rows if one.measure == "reporting_delay" and one.quarter == "2026Q1"),
            detail="D92+",
            value=40,
        )
    )
    write_cells(office.store, "second", [*rows, *more], superseded=3)
    office.release()
    changes = changes_between(released(office, "2026Q2-1"), released(office, f"{LAST}-1"))
    old = changes.filter(pl.col("quarter") == "2026Q1", pl.col("supplier") == "BGAS", pl.col("measure") == "meters")
    assert old.height
    assert set(old["why"]) == {"late events from BGAS; amendments or withdrawals from BGAS"}
    assert set(changes.filter(pl.col("quarter") == LAST)["why"]) == {"new quarter"}
    assert changes.filter(pl.col("why") == UNEXPLAINED).is_empty()
    figures = office.store.vintage_figures(f"{LAST}-1")
    marked = figures.filter(pl.col("quarter") == "2026Q1", pl.col("marker").str.contains("r", literal=True))
    assert set(marked["supplier"]) >= {"BGAS", ""}
    assert figures.filter(pl.col("quarter") == "2025Q1", pl.col("marker") != "").is_empty()


def test_small_suppliers_stand_still_between_their_reports(office: Office) -> None:
    office.release()
    every = office.store.vintage_figures(f"{LAST}-1")
    figures = every.filter(pl.col("supplier") == "SMALL", pl.col("table") == ATOMS)
    stock = figures.filter(pl.col("measure") == "meters")
    by_quarter = {
        quarter: own.drop("quarter", "marker").sort(DIMENSIONS) for (quarter,), own in stock.group_by("quarter")
    }
    assert by_quarter["2026Q3"].equals(by_quarter["2025Q4"])
    assert not by_quarter["2025Q3"].equals(by_quarter["2025Q4"])
    assert set(stock.filter(pl.col("quarter") > "2025Q4")["marker"]) == {"[e]", "[p] [e]"}
    assert figures.filter(pl.col("measure") == "installations")["quarter"].max() == "2025Q4"


def test_a_figure_that_is_not_the_sum_of_its_atoms_fails_the_certificate(office: Office) -> None:
    name = office.release().name
    figures = office.store.vintage_figures(name)
    spoilt = figures.with_columns(
        value=pl.when((pl.col("table") == "1") & (pl.col("quarter") == LAST))
        .then(pl.col("value") + 1)
        .otherwise("value")
    )
    protection = Protection(office.tools().disclosure_key, disclosure(NOON.date()), {})
    evidence = Evidence(spoilt, [], pl.DataFrame(), protection, LAST)
    with pytest.raises(CertificateFailed, match="not the sum of their atoms"):
        certificate_of(evidence)


def test_a_vintage_never_changes(office: Office) -> None:
    record = office.store.vintages()
    made = office.release()
    (kept,) = office.store.vintages()
    with pytest.raises(StoreError, match="it never changes"):
        office.store.write_vintage(kept, pl.DataFrame(), pl.DataFrame())
    assert (record, made.changed) == ((), 0)


def test_a_meter_that_another_supplier_gained_is_told_as_such(office: Office) -> None:
    office.release("2026Q2")
    rows = growing(seed=1)
    gained = [Cell(60, "meters", "2026Q1", "EENG"), Cell(-60, "meters", "2026Q1", "MRCY")]
    event = next(one for one in rows if (one.measure, one.quarter) == ("reporting_delay", "2026Q1"))
    gained.append(replace(event, source_id="EENG", detail="D92+", value=60))
    write_cells(office.store, "second", [*rows, *gained])
    office.release()
    changes = changes_between(released(office, "2026Q2-1"), released(office, f"{LAST}-1"))
    own = changes.filter(pl.col("quarter") == "2026Q1", pl.col("measure") == "meters", pl.col("change") == "UPDATE")
    reasons = dict(own.select("supplier", "why").unique().iter_rows())
    assert reasons["EENG"] == "late events from EENG"
    assert reasons["MRCY"] == "events of other suppliers about its meters: late events from EENG"


def test_a_correction_has_the_next_number_and_says_what_was_wrong(office: Office) -> None:
    office.release()
    made = office.release(correction="Table 9 had a supplier twice.", status="final")
    assert made.name == f"{LAST}-2"
    assert b"Correction: Table 9 had a supplier twice." in made.files["index.html"]
    manifest = json.loads(made.files["manifest.json"])
    assert (manifest["correction"], manifest["status"]) == ("Table 9 had a supplier twice.", "final")
    assert "[p]" not in set(office.store.vintage_figures(made.name)["marker"])
    assert b"26 November 2026, 09:30" in made.files["calendar.html"]
