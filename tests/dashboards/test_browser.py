"""The site in a real Chromium, from the production server."""

from collections.abc import Iterator
from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dashboards import pages
from tests.dashboards.conftest import served
from tests.dashboards.published import published

pytestmark = pytest.mark.browser
PATHS = tuple(pages.BY_PATH)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    return opened


def go(page: Page, address: str) -> None:
    """Opens a page and waits until Dash has drawn it and its chart."""
    page.goto(address)
    page.wait_for_selector("#page main")
    page.wait_for_selector("#page .chart .main-svg")


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found.response["violations"]]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_free_of_accessibility_violations_wide_and_narrow(page: Page, site: str, path: str) -> None:
    go(page, site + path)
    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_notices_and_problems_are_free_of_accessibility_violations(page: Page, site: str) -> None:
    go(page, f"{site}/stock?fuel=WATER&meter_type=SMETS1")
    assert page.locator("#page .notice").count() == 1
    assert violations(page) == []
    page.goto(f"{site}/no-such-page")
    page.wait_for_selector("#page main")
    assert violations(page) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_page_asks_nobody_else_sets_no_cookie_and_breaks_no_policy(
    context: BrowserContext, page: Page, site: str, path: str
) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    go(page, site + path)
    assert {urlparse(url).netloc for url in asked if not url.startswith("data:")} == {urlparse(site).netloc}
    assert context.cookies() == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert complaints == []


def test_choosing_a_filter_leads_to_an_address_that_shows_the_same_again(page: Page, site: str) -> None:
    go(page, f"{site}/stock")
    everything = page.locator("#page .answer").inner_text()
    page.get_by_label("Region").select_option("W92000004")
    page.get_by_role("button", name="Apply filters").click()
    page.wait_for_url(f"{site}/stock?region=W92000004")
    expect(page.locator("#page .answer")).to_contain_text("in Wales")
    narrowed = page.locator("#page .answer").inner_text()
    page.go_back()
    expect(page.locator("#page .answer")).to_have_text(everything)
    expect(page.locator("#page #filter-region")).to_have_value("")
    go(page, f"{site}/stock?region=W92000004")
    assert page.locator("#page .answer").inner_text() == narrowed


def test_a_page_without_scripts_has_its_text_its_table_and_its_filters(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/installations")
    expect(page.locator("table tbody tr")).to_have_count(11)
    expect(page.locator("noscript")).to_be_visible()
    page.get_by_label("Fuel").select_option("GAS")
    page.get_by_role("button", name="Apply filters").click()
    page.wait_for_url(f"{site}/installations?fuel=GAS")
    expect(page.locator(".answer")).to_contain_text("new smart and advanced gas meters")
    context.close()


def test_what_dash_draws_is_what_the_server_sent(page: Page, browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"{site}/regions?fuel=GAS")
    go(page, f"{site}/regions?fuel=GAS")
    assert page.locator("table").inner_text() == plain.locator("table").inner_text()
    assert page.locator("#first-view").count() == 0
    context.close()


def test_the_keyboard_reaches_the_content_first_and_the_focus_can_be_seen(page: Page, site: str) -> None:
    go(page, site)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to main content")
    expect(skip).to_be_focused()
    assert skip.bounding_box() is not None
    assert skip.evaluate("link => getComputedStyle(link).backgroundColor") == "rgb(255, 221, 0)"
    page.keyboard.press("Enter")
    expect(page.locator("#page main")).to_be_focused()


def test_the_csv_file_comes_by_a_plain_link(page: Page, site: str) -> None:
    go(page, f"{site}/suppliers?fuel=GAS")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download this table (CSV)").click()
    assert download.value.suggested_filename == "suppliers.csv"


def test_a_store_without_a_release_says_so_in_the_browser_too(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = published(tmp_path_factory.mktemp("empty") / "s.db", None, [], [])
    with served(url) as site:
        page.goto(site)
        page.wait_for_selector("#page main")
        expect(page.locator("#page h1")).to_have_text("No figures have been published yet")
        assert violations(page) == []
