"""One Checker for all tests of a process, and Great Expectations only for the tests that use it: it costs seconds."""

import importlib
import warnings
from types import ModuleType

import pytest

from expectations.run import Checker


@pytest.fixture(scope="session")
def engine() -> ModuleType:
    before = warnings.showwarning
    module = importlib.import_module("expectations.engine")
    assert warnings.showwarning is before, "Great Expectations keeps the warnings of the process to itself."
    return module


@pytest.fixture(scope="session")
def checker(engine: ModuleType) -> Checker:
    assert engine
    return Checker()
