"""The dashboard over a store in PostgreSQL, as the role that may read what is published and nothing else."""

import gc
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal
from sqlalchemy import exc

from dashboards.app import create_app
from dashboards.errors import StoreUnreadable
from dashboards.store import PublishedStore, open_published
from pipelines.release.draft import publish_draft
from pipelines.store import StoreError, open_store
from tests.addresses import FILES, OTHERS
from tests.pipelines.store.runs import NOON, Cell, cells, intake, quarantine, run
from tests.postgres import PASSWORD, Server

HELD = Cell(7, detail="")
FITTED = Cell(2, measure="installations", detail="SMART_FOR_NON_SMART")


def published(url: str) -> str:
    """The store has a draft of seven meters, two of them fitted in the quarter."""
    store = open_store(url, create=True)
    store.write_run(run("first"), cells(HELD, FITTED), intake(), quarantine())
    publish_draft(store, NOON)
    return url


def as_user(url: str, user: str) -> str:
    return sa.make_url(url).set(username=user).render_as_string()


@pytest.fixture
def draft(postgres_url: str) -> str:
    """A draft's address for the role of the dashboard."""
    return as_user(published(postgres_url), "dashboard_login")


def refusal(url: str) -> str:
    with pytest.raises(StoreUnreadable) as refused:
        open_published(url)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def read(url: str) -> PublishedStore:
    store = open_published(url)
    assert store.release() is not None
    return store


@pytest.mark.parametrize("form", FILES)
def test_every_form_in_which_a_run_is_given_its_file_serves_the_same_file(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    read(published(form)).close()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("form", OTHERS)
def test_what_a_run_does_not_take_as_a_store_is_not_served_either(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError):
        open_store(form, create=True)
    refusal(form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_draft_is_the_same_from_either_back_end(draft: str, scheme: str, tmp_path: Path) -> None:
    here = open_published(draft.replace("postgresql", scheme))
    there = open_published(published(f"sqlite:///{tmp_path / 'rollout.db'}"))
    ours, theirs = here.release(), there.release()
    assert ours is not None
    assert theirs is not None
    assert_frame_equal(ours.stock, theirs.stock)
    assert_frame_equal(ours.installations, theirs.installations)
    assert (ours.title, ours.published_at, ours.quarters) == (theirs.title, theirs.published_at, theirs.quarters)
    assert ours.stock["meters"].sum() == 7
    here.close()
    there.close()


def test_the_site_shows_a_draft_in_postgresql(draft: str) -> None:
    with create_app(draft).server.test_client() as client:
        assert client.get("/").status_code == 200


def test_a_store_that_nobody_holds_leaves_no_connection_at_the_server(draft: str, postgres_server: Server) -> None:
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as watching:

        def connections() -> set[int]:
            rows = watching.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'dashboard_login'")
            return {pid for (pid,) in rows}

        before = connections()
        store = read(draft)
        ours = connections() - before
        assert ours
        del store
        gc.collect()
        deadline = time.monotonic() + 10
        while connections() & ours:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_nothing_published_yet_is_no_release(postgres_url: str) -> None:
    store = open_published(as_user(postgres_url, "dashboard_login"))
    assert store.release() is None
    store.close()


def test_a_database_without_our_tables_is_no_release(postgres_server: Server) -> None:
    store = open_published(postgres_server.url("postgres"))
    assert store.release() is None
    store.close()


def test_even_its_owner_cannot_write_through_the_dashboard(draft: str) -> None:
    store = open_published(as_user(draft, "postgres"))
    with pytest.raises(exc.InternalError, match="read-only"), store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM published_stock")
    store.close()


def test_a_connection_that_was_cut_is_made_again(draft: str, postgres_server: Server) -> None:
    store = read(draft)
    postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rollout dashboard'"
    )
    assert store.release() is not None
    store.close()


def test_a_name_without_the_right_is_told_so(draft: str) -> None:
    assert "use one that has the role dashboard" in refusal(as_user(draft, "pipeline_login"))


@pytest.mark.parametrize("user", ["stranger", "nobody_at_all"])
def test_a_name_that_is_not_let_in_is_told_so(draft: str, user: str) -> None:
    assert refusal(as_user(draft, user)) in {
        "The store does not take that name and password.",
        "The store does not let that name read what is published; use one that has the role dashboard.",
    }


def test_a_missing_database_and_a_server_that_is_away_are_each_told(postgres_server: Server) -> None:
    assert refusal(postgres_server.url("none", "dashboard_login")) == "The server of the store has no such database."
    assert "cannot be reached" in refusal("postgresql://dashboard_login@127.0.0.1:1/rollout")


def test_the_password_comes_from_the_environment_or_a_file(
    draft: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postgres_server: Server
) -> None:
    postgres_server.execute("GRANT dashboard TO with_password")
    try:
        url = as_user(draft, "with_password")
        assert refusal(url) == "The store does not take that name and password."
        file = tmp_path / "password"
        file.write_text(f"{PASSWORD}\n")
        for name, value in (("PASSWORD", PASSWORD), ("PASSWORD_FILE", str(file))):
            with monkeypatch.context() as environment:
                environment.setenv(f"ROLLOUT_STORE_{name}", value)
                read(url).close()
        with monkeypatch.context() as environment:
            environment.setenv("ROLLOUT_STORE_PASSWORD_FILE", str(tmp_path / "none"))
            assert "cannot be read" in refusal(url)
            assert PASSWORD not in refusal(url.replace("with_password", f"with_password:{PASSWORD}x"))
    finally:
        postgres_server.execute("REVOKE dashboard FROM with_password")


def test_the_dashboard_reads_nothing_but_what_is_published(draft: str) -> None:
    with psycopg.connect(draft) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT value FROM ledger_cells")
