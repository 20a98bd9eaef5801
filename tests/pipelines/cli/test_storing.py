from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.store import open_store
from tests.pipelines.cli.commands import rollout
from tests.pipelines.store.runs import Cell, write
from tests.postgres import Server


@pytest.fixture
def bare(postgres_server: Server) -> Iterator[str]:
    """The address of a database without any table."""
    name = f"bare_{next(postgres_server.numbers)}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_migrate_makes_a_store_and_says_what_it_made(bare: str, tmp_path: Path) -> None:
    made = rollout(tmp_path / "home", "store", "migrate", "--store", bare)
    assert (made.returncode, made.stderr) == (0, "")
    first, second, third, last = made.stdout.splitlines()
    assert first == "Made: The ledger and the published tables of layout 2."
    assert second.startswith("Made: The roles of the pipeline")
    assert third.startswith("Made: Releases")
    assert last == f"The store {bare} is up to date."
    write(open_store(bare), "first", Cell(7))
    assert rollout(tmp_path / "home", "store", "migrate", "--store", bare).stdout == last + "\n"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///rollout.db", "Only a store in PostgreSQL is migrated"),
        ("postgresql://127.0.0.1:1/rollout", "cannot be reached"),
    ],
)
def test_what_cannot_be_migrated_is_one_sentence_and_status_2(tmp_path: Path, url: str, words: str) -> None:
    refused = rollout(tmp_path / "home", "store", "migrate", "--store", url)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_who_owns_nothing_may_not_migrate(bare: str, tmp_path: Path) -> None:
    refused = rollout(tmp_path / "home", "store", "migrate", "--store", bare.replace("postgres@", "pipeline_login@"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "does not let that name do this" in refused.stderr


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
@pytest.mark.parametrize("verb", [("store", "migrate"), ("cells", "--out", "cells.csv"), ("dashboard",)])
def test_a_database_that_is_not_of_utf8_is_one_sentence(
    postgres_server: Server, tmp_path: Path, encoding: str, verb: tuple[str, ...]
) -> None:
    url = postgres_server.url(postgres_server.database_of(encoding))
    refused = rollout(tmp_path / "home", *verb, "--store", url)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"in a database of the encoding {encoding}" in refused.stderr
    assert refused.stderr.count("\n") == 1
