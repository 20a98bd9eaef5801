"""What each role may do is tried, on every table there is: a grant, not a habit."""

from itertools import product
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors, sql

from expectations.run import Checker
from pipelines.cli.counting import _publish
from pipelines.release.create import export
from pipelines.release.draft import publish_draft
from pipelines.store import NotAllowed, Store, open_store
from pipelines.store.tables import METADATA
from tests.pipelines.release.made import Office, growing, write_cells
from tests.pipelines.store.runs import NOON, Cell, cells, intake, many_cells, quarantine, run, write
from tests.pipelines.store.streams import begun, portion
from tests.postgres import Server

VERBS: dict[str, LiteralString] = {
    "SELECT": "SELECT FROM {table}",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {column} = NULL WHERE false",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table}",
    "DROP": "DROP TABLE {table} CASCADE",
}
ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
LEDGER = ("ledger_cells", "ledger_intake", "ledger_quarantine", "current_run", "streams", "fences")
PUBLISHED = ("published_releases", "published_stock", "published_installations")
MAY = {
    "pipeline": {*product(LEDGER, ROWS), ("runs", "SELECT"), ("runs", "INSERT"), ("store_version", "SELECT")},
    "release": {
        *product((*LEDGER, "runs", "store_version"), ("SELECT",)),
        *product(PUBLISHED, ROWS),
        *product(("release_vintages",), ("SELECT", "INSERT")),
    },
    "dashboard": set(product(PUBLISHED, ("SELECT",))),
}
HELD = Cell(7)
FITTED = Cell(2, measure="installations", detail="SMART_FOR_NON_SMART")


def as_user(url: str, user: str) -> str:
    return sa.make_url(url).set(username=user).render_as_string()


def may(connection: psycopg.Connection, statement: sql.Composed) -> bool:
    """Whether a statement fails for want of a right; nothing of it stays."""
    try:
        connection.execute(statement)
    except errors.InsufficientPrivilege:
        return False
    except errors.NotNullViolation:
        return True
    finally:
        connection.rollback()
    return True


def tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Every table with one of its columns."""
    found = connection.execute(
        "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND attnum = 1"
    ).fetchall()
    assert {name for name, _ in found} == {*METADATA.tables, "alembic_version"}
    return found


@pytest.fixture
def store(postgres_url: str) -> Store:
    """As the role of the pipeline opens it."""
    return open_store(as_user(postgres_url, "pipeline_login"))


def drafted(store: Store) -> None:
    store.write_run(run("first"), cells(HELD, FITTED), intake(), quarantine())


@pytest.mark.parametrize("role", MAY)
def test_a_role_may_do_on_each_table_what_it_is_for_and_nothing_else(postgres_url: str, role: str) -> None:
    with psycopg.connect(as_user(postgres_url, f"{role}_login")) as connection:
        allowed = {
            (table, verb)
            for (table, column), (verb, text) in product(tables(connection), VERBS.items())
            if may(connection, sql.SQL(text).format(table=sql.Identifier(table), column=sql.Identifier(column)))
        }
    assert allowed == MAY[role]


@pytest.mark.parametrize("role", MAY)
def test_no_role_may_make_tables_or_schemas(postgres_url: str, role: str) -> None:
    with psycopg.connect(as_user(postgres_url, f"{role}_login")) as connection:
        for text in ("CREATE TABLE mine (a integer)", "CREATE SCHEMA mine"):
            assert not may(connection, sql.SQL(text).format())
        assert may(connection, sql.SQL("CREATE TEMPORARY TABLE mine (a integer)").format()) == (role == "pipeline")


def test_who_has_no_role_is_not_let_in(postgres_url: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(as_user(postgres_url, "stranger"))


@pytest.mark.parametrize("role", MAY)
def test_a_role_itself_cannot_log_in(postgres_url: str, role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="is not permitted to log in"):
        psycopg.connect(as_user(postgres_url, role))


def test_the_pipeline_writes_runs_and_streams(store: Store) -> None:
    store.write_run(run("base"), many_cells(1_000), intake(), quarantine())
    begun(store, baseline="base")
    store.write_portions("live", [portion(), portion("BOLT", cells_of=(Cell(1, detail="new"),))])
    store.end_stream("live")
    assert store.cells().height == 1_001


def test_the_pipeline_may_not_publish(store: Store) -> None:
    drafted(store)
    with pytest.raises(NotAllowed, match=r"does not let that name do this; docs/ledger\.md says"):
        publish_draft(store, NOON)


def test_a_run_by_one_who_may_not_publish_says_so_and_stands(store: Store) -> None:
    drafted(store)
    assert _publish(store).startswith("No draft was published")
    assert store.current_run().run_id == "first"


def test_one_who_has_both_roles_counts_and_publishes(store: Store, postgres_url: str, postgres_server: Server) -> None:
    postgres_server.execute("CREATE ROLE both_login LOGIN IN ROLE pipeline, release")
    try:
        drafted(store)
        told = _publish(open_store(as_user(postgres_url, "both_login")))
    finally:
        postgres_server.execute("DROP ROLE both_login")
    assert told.startswith("Published as a draft up to 2026Q3")


def test_the_release_publishes_and_counts_nothing(store: Store, postgres_url: str) -> None:
    drafted(store)
    release = open_store(as_user(postgres_url, "release_login"))
    assert publish_draft(release, NOON).stock_rows == 1
    assert release.cells().height == 2
    for attempt in (lambda: write(release, "second", Cell()), lambda: begun(release, "third")):
        with pytest.raises(NotAllowed):
            attempt()
    begun(store)
    for attempt in (lambda: release.write_portions("live", [portion()]), lambda: release.end_stream("live")):
        with pytest.raises(NotAllowed):
            attempt()
    assert store.live_stream() is not None


def test_the_dashboard_does_not_open_the_ledger(store: Store, postgres_url: str) -> None:
    drafted(store)
    with pytest.raises(NotAllowed):
        open_store(as_user(postgres_url, "dashboard_login"))


def test_the_release_makes_and_exports_releases_and_nobody_changes_one(
    store: Store, postgres_url: str, tmp_path: Path
) -> None:
    write_cells(store, "first", growing(seed=1))
    office = Office(open_store(as_user(postgres_url, "release_login")), tmp_path, Checker())
    made = office.release()
    again = export(office.store, made.name, office.tools().signing_key)
    assert again == made.files
    with pytest.raises(NotAllowed):
        open_store(as_user(postgres_url, "pipeline_login")).vintage_figures(made.name)


def test_a_run_of_the_pipeline_alone_is_kept_whole_though_it_may_publish_nothing(store: Store) -> None:
    with store.together():
        drafted(store)
        said = _publish(store)
    assert said.startswith("No draft was published: the name that the store was opened with may not")
    assert store.current_run().run_id == "first"
    assert store.cells().height == 2
