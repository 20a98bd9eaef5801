"""Ways to make a machine refuse: no room on the disk, no permission."""

import os
import resource
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def _no_file_beyond(size: int) -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def no_file_beyond() -> Callable[[int], AbstractContextManager[None]]:
    """Within it no file of this process grows beyond a number of bytes, as on a full disk."""
    return _no_file_beyond


@contextmanager
def _unprivileged() -> Generator[None]:
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Within it this process is not root, whom no file refuses."""
    return _unprivileged


@pytest.fixture
def closed_folder() -> Generator[Path]:
    """A folder, empty yet, in which others than root may read and not write."""
    # Not in `tmp_path`, which others may not even enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
