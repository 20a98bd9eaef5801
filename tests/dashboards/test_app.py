"""The site as a server answers it, without a browser."""

import csv
import io
import re
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dashboards import pages
from dashboards.app import AddressUnavailable, create_app, listening
from dashboards.store import StoreUnreadable
from tests.dashboards.conftest import client_of
from tests.dashboards.published import Meters, of_meters, published

PATHS = tuple(pages.BY_PATH)
FILES = ("home", "home-by-fuel-and-sector", "stock", "installations", "suppliers", "regions")


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_complete_before_any_script_runs(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.text.startswith('<!DOCTYPE html>\n<html lang="en-GB">')
    assert len(re.findall("<h1>", answer.text)) == 1
    assert "<table" in answer.text
    assert "Synthetic data, not official statistics" in answer.text
    assert "This is not a government service." in answer.text


def test_every_page_has_a_title_of_its_own(client: FlaskClient) -> None:
    titles = {re.findall("<title>(.*)</title>", client.get(path).text)[0] for path in PATHS}
    assert len(titles) == len(PATHS)


@pytest.mark.parametrize("path", [*PATHS, "/no-such-page", "/download/stock.csv", "/_dash-layout"])
def test_every_answer_carries_the_security_headers_and_no_cookie(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'self'( 'sha256-[A-Za-z0-9+/=]+')+", policy["script-src"])
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in headers


def test_a_filter_in_the_address_changes_the_figures(client: FlaskClient) -> None:
    every, wales = client.get("/").text, client.get("/?region=W92000004").text
    assert "meters in Great Britain were smart or advanced" in every
    assert "meters in Wales were smart or advanced" in wales


def test_a_bad_filter_is_named_and_the_page_still_stands(client: FlaskClient) -> None:
    answer = client.get("/stock?fuel=WATER&region=%F0%28%8C%28&quarter=1999Q1")
    assert answer.status_code == 200
    assert "Fuel: the address asks for one that is not known here" in answer.text


def test_what_a_reader_writes_in_the_address_is_never_html(client: FlaskClient) -> None:
    assert "<script>alert" not in client.get("/stock?fuel=<script>alert(1)</script>").text


def test_links_between_pages_keep_the_filters_that_both_have(client: FlaskClient) -> None:
    text = client.get("/stock?fuel=GAS&supplier=BGAS").text
    assert 'href="/regions?fuel=GAS&amp;supplier=BGAS"' in text
    assert 'href="/suppliers?fuel=GAS"' in text


def test_a_form_s_empty_parameters_leave_the_address(client: FlaskClient) -> None:
    answer = client.get("/stock?fuel=GAS&sector=&region=")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/stock?fuel=GAS")


def test_an_unknown_page_is_not_found_in_words(client: FlaskClient) -> None:
    answer = client.get("/no-such-page")
    assert answer.status_code == 404
    assert "<h1>Page not found</h1>" in answer.text


@pytest.mark.parametrize("name", FILES)
def test_every_table_is_a_csv_file(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/download/{name}.csv?fuel=GAS")
    assert answer.mimetype == "text/csv"
    assert f'filename="{name}.csv"' in answer.headers["Content-Disposition"]
    assert len(list(csv.DictReader(io.StringIO(answer.text)))) > 1


def test_the_page_links_to_the_csv_of_what_it_shows(client: FlaskClient) -> None:
    link = re.findall(r'href="(/download/stock[^"]*)"', client.get("/stock?fuel=GAS").text)[0]
    shown = re.findall(r'<th scope="row">Q3 2026</th><td class="number">([\d,]+)', client.get("/stock?fuel=GAS").text)
    row = next(csv.DictReader(io.StringIO(client.get(link).text)))
    assert row["Smart, in smart mode"] == shown[0].replace(",", "")


def test_an_unknown_file_is_not_found(client: FlaskClient) -> None:
    assert client.get("/download/nothing.csv").status_code == 404


def test_a_store_without_a_release_says_so(tmp_path: Path) -> None:
    with client_of(published(tmp_path / "s.db", None, [], [])) as client:
        answer = client.get("/")
        assert client.get("/download/stock.csv").status_code == 404
    assert answer.status_code == 503
    assert "No figures have been published yet" in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_a_release_without_a_figure_still_has_its_pages(tmp_path: Path, path: str) -> None:
    with client_of(of_meters(tmp_path / "s.db", [])) as client:
        assert client.get(path).status_code == 200


def test_one_meter_is_enough_for_every_page_and_filter(tmp_path: Path) -> None:
    with client_of(of_meters(tmp_path / "s.db", [Meters()], [Meters()])) as client:
        answers = [client.get(f"{path}?{query}") for path in PATHS for query in ("", "fuel=GAS", "meter_type=ADVANCED")]
    assert {answer.status_code for answer in answers} == {200}


def test_a_store_that_goes_away_is_said_to_be_away(tmp_path: Path) -> None:
    with client_of(of_meters(tmp_path / "s.db", [Meters()])) as client:
        with sqlite3.connect(tmp_path / "s.db") as connection:
            connection.execute("ALTER TABLE published_releases RENAME COLUMN title TO name")
        connection.close()
        page, file = client.get("/"), client.get("/download/stock.csv")
    assert (page.status_code, file.status_code) == (503, 503)
    assert "The figures cannot be read at the moment" in page.text


def test_a_store_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable, match="There is no store at"):
        create_app(f"sqlite:///{tmp_path / 'none.db'}")


def test_a_port_that_is_taken_stops_the_start_in_one_sentence(store_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressUnavailable, match=f"cannot listen on 127.0.0.1:{port}"):
            listening(store_url, "127.0.0.1", port)


def test_the_dashboard_starts_without_beam_great_expectations_and_pipelines(store_url: str) -> None:
    unwanted = ("apache_beam", "great_expectations", "pandas", "pyarrow", "pipelines", "expectations")
    script = (
        "import sys\n"
        f"for name in {unwanted!r}: sys.modules[name] = None\n"
        "from dashboards.app import create_app\n"
        f"assert create_app({store_url!r}).server.test_client().get('/suppliers').status_code == 200\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
