"""Migrations say themselves what they make; here it is held against what the store expects."""

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from infra.postgres.migrating import UnknownMigration, WrongEncoding, migrate
from pipelines.store.tables import LAYOUT, METADATA
from tests.postgres import Server

CATALOGUE = {
    "columns": """
        SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    """,
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def engine_of(server: Server, database: str) -> sa.Engine:
    url = sa.make_url(server.url(database)).set(drivername="postgresql+psycopg")
    return sa.create_engine(url, poolclass=sa.pool.NullPool)


@pytest.fixture
def bare(postgres_server: Server) -> sa.Engine:
    """A database without any table."""
    name = f"bare_{next(postgres_server.numbers)}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    return engine_of(postgres_server, name)


def described(engine: sa.Engine, question: str) -> set[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = {tuple(row) for row in connection.execute(sa.text(CATALOGUE[question]))}
    return {row for row in rows if row[0] != "alembic_version"}


@pytest.mark.parametrize("question", CATALOGUE)
def test_a_migrated_database_is_the_one_that_the_store_expects(
    postgres_server: Server, postgres_url: str, bare: sa.Engine, question: str
) -> None:
    METADATA.create_all(bare)
    migrated = engine_of(postgres_server, sa.make_url(postgres_url).database or "")
    expected = described(bare, question)
    assert described(migrated, question) == expected
    assert {row[0] for row in expected} >= set(METADATA.tables) - {"ledger_quarantine"}


def test_every_migration_is_made_once_and_told_by_its_title(bare: sa.Engine) -> None:
    with bare.begin() as connection:
        first = migrate(connection)
    with bare.begin() as connection:
        again = migrate(connection)
        layout = connection.scalar(sa.text("SELECT number FROM store_version"))
    assert first == (
        "The ledger and the published tables of layout 2.",
        "The roles of the pipeline, the release and the dashboard, and nothing for anybody else.",
        "Releases: layout 3. Markers may be several, a release says its status, and restricted vintages are kept.",
    )
    assert (again, layout) == ((), LAYOUT)


def test_a_migration_that_fails_leaves_nothing(bare: sa.Engine) -> None:
    with bare.begin() as connection:
        connection.execute(sa.text("CREATE TABLE fences (height integer)"))
    with pytest.raises(ProgrammingError, match="already exists"), bare.begin() as connection:
        migrate(connection)
    assert {row[0] for row in described(bare, "columns")} == {"fences"}


def test_a_database_that_a_newer_version_has_migrated_is_left_alone(bare: sa.Engine) -> None:
    with bare.begin() as connection:
        migrate(connection)
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with bare.begin() as connection, pytest.raises(UnknownMigration, match="A newer version of this program"):
        migrate(connection)


def test_a_database_that_is_not_of_utf8_is_left_alone(postgres_server: Server) -> None:
    engine = engine_of(postgres_server, postgres_server.database_of("LATIN1"))
    with engine.begin() as connection, pytest.raises(WrongEncoding, match=r"has the encoding LATIN1; make one with"):
        migrate(connection)
    assert described(engine, "columns") == set()


def test_an_owner_who_is_no_superuser_migrates_where_the_roles_are_there(
    postgres_server: Server, bare: sa.Engine
) -> None:
    postgres_server.execute("CREATE ROLE plain_owner LOGIN")
    try:
        postgres_server.execute(f"ALTER DATABASE {bare.url.database} OWNER TO plain_owner")
        with sa.create_engine(bare.url.set(username="plain_owner"), poolclass=sa.pool.NullPool).begin() as connection:
            migrate(connection)
        url = bare.url.set(drivername="postgresql", username="stranger").render_as_string()
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url)
    finally:
        postgres_server.execute(f"DROP DATABASE {bare.url.database} WITH (FORCE)")
        postgres_server.execute("DROP ROLE plain_owner")


def test_a_second_database_of_a_server_has_the_same_roles(bare: sa.Engine) -> None:
    with bare.begin() as connection:
        migrate(connection)
    url = bare.url.set(drivername="postgresql", username="dashboard_login").render_as_string()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM published_stock").fetchone() == (0,)
