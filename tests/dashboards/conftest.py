"""A site over a made-up Britain, served as in production, and a Chromium to read it with."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, sync_playwright

from dashboards.app import create_app, listening
from dashboards.store import PublishedStore, Release, open_published
from tests.dashboards.published import plausible

# As root, Chromium has no sandbox; everything else keeps it from calling home, which a test would take for ours.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return plausible(tmp_path_factory.mktemp("published") / "rollout.db")


@pytest.fixture
def store(store_url: str) -> Iterator[PublishedStore]:
    opened = open_published(store_url)
    yield opened
    opened.close()


@pytest.fixture
def release(store: PublishedStore) -> Release:
    newest = store.release()
    assert newest is not None
    return newest


@contextmanager
def client_of(url: str) -> Iterator[FlaskClient]:
    """A client that asks the site over a store without a network between."""
    site = create_app(url)
    yield site.server.test_client()
    site.published.close()


@pytest.fixture(scope="session")
def client(store_url: str) -> Iterator[FlaskClient]:
    with client_of(store_url) as asked:
        yield asked


@contextmanager
def served(url: str) -> Iterator[str]:
    """The address of the site over a store while the production server serves it."""
    server = listening(url, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.close()
    thread.join(timeout=10)


@pytest.fixture(scope="session")
def site(store_url: str) -> Iterator[str]:
    with served(store_url) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium where there is one, else Playwright's own; without either the tests fail."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        yield found
        found.close()
