"""What the dashboard shows of a release is made of the atoms in its files."""

from datetime import timedelta

import polars as pl

from dashboards.filters import Filters
from dashboards.pages import view
from dashboards.queries import installations, stock
from dashboards.store import open_published
from dashboards.words import source_words
from pipelines.release.draft import publish_draft
from pipelines.release.figures import ATOMS
from tests.pipelines.release.made import LAST, Office
from tests.pipelines.store.runs import NOON


def atoms_of(office: Office, name: str, measure: str, quarter: str = LAST) -> pl.DataFrame:
    figures = office.store.vintage_figures(name)
    is_own = (pl.col("table") == ATOMS, pl.col("measure") == measure, pl.col("quarter") == quarter)
    return figures.filter(*is_own)


def test_the_dashboard_shows_the_newest_release_and_no_draft(office: Office) -> None:
    publish_draft(office.store, NOON + timedelta(days=400))
    made = office.release()
    published = open_published(f"sqlite:///{office.store.name}")
    release = published.release()
    assert release is not None
    assert (release.key.vintage, release.last_quarter) == (made.name, LAST)
    assert "SMALL" in release.suppliers
    assert source_words("SMALL") == "Small suppliers"
    assert "Smart meters in Great Britain: July to September 2026" in release.title
    assert view(published, "/", "").status == 200


def test_every_figure_of_the_dashboard_is_a_sum_of_published_atoms(office: Office) -> None:
    name = office.release().name
    release = open_published(f"sqlite:///{office.store.name}").release()
    assert release is not None
    for filters, narrowed in (
        (Filters(), pl.lit(value=True)),
        (Filters(supplier="BGAS"), pl.col("supplier") == "BGAS"),
        (Filters(supplier="SMALL", fuel="GAS"), (pl.col("supplier") == "SMALL") & (pl.col("fuel") == "GAS")),
        (Filters(region="S92000003"), pl.col("region") == "S92000003"),
    ):
        own = atoms_of(office, name, "meters").filter(narrowed)
        shown = stock(release, filters, ["fuel"])
        assert shown["meters"].sum() == own["value"].sum()
        smart = own.filter(pl.col("operating_mode") == "SMART")
        assert shown["smart_mode"].sum() == smart["value"].sum()
        fitted = atoms_of(office, name, "installations").filter(narrowed)
        comparable = fitted.filter(pl.col("meter_type") != "NON_SMART")
        assert installations(release, filters, ["fuel"])["installations"].sum() == comparable["value"].sum()


def test_markers_of_a_release_reach_the_dashboard(office: Office) -> None:
    office.release("2026Q2")
    office.release()
    release = open_published(f"sqlite:///{office.store.name}").release()
    assert release is not None
    newest = release.stock.filter(pl.col("quarter") == LAST)
    older = release.stock.filter(pl.col("quarter") == "2025Q1")
    assert (newest["markers"] != 0).all()
    assert (older["markers"] == 0).all()


def test_a_correction_of_an_earlier_quarter_does_not_take_the_newest_quarter_s_place(office: Office) -> None:
    office.release()
    office.release("2026Q2")
    release = open_published(f"sqlite:///{office.store.name}").release()
    assert release is not None
    assert (release.key.vintage, release.last_quarter) == (f"{LAST}-1", LAST)
