"""A store in each back end: a test that takes `store` or `url` runs once in SQLite and once in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipelines.store import Store, open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store without any run."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'rollout.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url, create=True)


@pytest.fixture
def beside(url: str) -> Iterator[sa.Engine]:
    """The same database, past our own code."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.pool.NullPool)
    yield engine
    engine.dispose()
