from pathlib import Path

import pytest

from expectations.run import Checker
from tests.pipelines.release.made import Office, growing, write_cells
from tests.pipelines.store.runs import new_store


@pytest.fixture(scope="session")
def checker() -> Checker:
    return Checker()


@pytest.fixture
def office(tmp_path: Path, checker: Checker) -> Office:
    """An office whose store holds a made-up ledger."""
    store = new_store(tmp_path)
    write_cells(store, "first", growing(seed=1))
    return Office(store, tmp_path, checker)
