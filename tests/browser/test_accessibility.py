"""Every page, light and dark, wide and narrow: no rule of axe is broken, and nothing scrolls sideways.

axe-core knows the criteria of WCAG 2 (A and AA) that a program can check, and good practice beyond them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, get_type_hints

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, BrowserContext, Page

from benchmarks.browser import WAITING, open_page, signed_in
from benchmarks.every_page import PAGES, ShownPage, fill_pages
from search_server.web.routes import router
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.client.served import Served, serve

pytestmark = NEEDS_CHROMIUM

WIDTHS = (1440, 390)
HIGHEST_HEADER = 100
"""Pixels that the bar at the top may take on a phone, of some 800."""
OPTIONS = {
    "resultTypes": ["violations"],
    # Off by default: experimental, and new with WCAG 2.2.
    "rules": {"label-content-name-mismatch": {"enabled": True}, "target-size": {"enabled": True}},
}

EMPTY = [page for page in PAGES if "{" not in page.path and page.path not in ("/docs", "/login")]
"""Pages that look otherwise on a server without anything."""

Scheme = Literal["light", "dark"]
Filled = tuple[Served, Mapping[str, str]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A server with something on every page, and the names in the pages' addresses."""
    with serve(tmp_path_factory.mktemp("filled")) as served, served.client() as client:
        yield served, fill_pages(client, served.database)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("empty")) as served:
        yield served


def context_of(browser: Browser, served: Served, scheme: Scheme) -> BrowserContext:
    return signed_in(
        browser, served.url, served.new_token("admin"), color_scheme=scheme, reduced_motion="reduce"
    )


@pytest.fixture(scope="module", params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, filled: Filled) -> Iterator[Page]:
    """A page of the filled server in one colour scheme, as an administrator sees it."""
    context = context_of(browser, filled[0], request.param)
    yield context.new_page()
    context.close()


def broken_rules(page: Page) -> str:
    """Return a line for each place that breaks a rule: the rule, the place, and what is wrong there."""
    violations = Axe().run(page, options=OPTIONS).response["violations"]
    return "\n".join(
        f"{rule['id']} at {' '.join(map(str, node['target']))}: {' '.join(node['failureSummary'].split())}"
        for rule in violations
        for node in rule["nodes"]
    )


def require_accessible(page: Page, where: str, widths: tuple[int, ...] = WIDTHS) -> None:
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        widest = page.evaluate("document.scrollingElement.scrollWidth")
        assert widest <= width, f"{where} scrolls sideways: {widest} of {width} pixels"
        broken = broken_rules(page)
        assert not broken, f"{where}, {width} pixels wide:\n{broken}"


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_a_page_with_things_on_it_breaks_no_rule(page: Page, filled: Filled, shown: ShownPage) -> None:
    open_page(page, shown, filled[1])
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    require_accessible(page, shown.name)
    height = page.locator("header").evaluate("(header) => header.offsetHeight")
    assert height <= HIGHEST_HEADER, f"the header takes {height} pixels on a phone"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("shown", EMPTY, ids=lambda shown: shown.name)
def test_a_page_without_anything_breaks_no_rule(
    browser: Browser, empty: Served, shown: ShownPage, scheme: Scheme
) -> None:
    context = context_of(browser, empty, scheme)
    page = context.new_page()
    page.goto(shown.path)
    page.locator(WAITING).first.wait_for(state="detached")
    require_accessible(page, f"{shown.name}, empty")
    context.close()


def test_what_breaks_rules_is_told(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.set_content("<img src='data:,'><button aria-label='Add'>Send</button>")
    assert {"image-alt at img", "label-content-name-mismatch at button"} <= {
        line.partition(":")[0] for line in broken_rules(page).splitlines()
    }
    page.set_content("<div style='width: 500px'>wide</div>")
    with pytest.raises(AssertionError, match="this scrolls sideways: 508 of 390 pixels"):
        require_accessible(page, "this", widths=(390,))
    page.close()


def test_every_page_of_the_server_is_looked_at() -> None:
    def shape(path: str) -> str:
        return re.sub(r"{\w+}", "{}", path)

    routes = {
        shape(route.path)
        for route in router.routes
        if isinstance(route, APIRoute) and get_type_hints(route.endpoint).get("return") is HTMLResponse
    }
    assert "/tables/{}" in routes
    assert routes <= {shape(page.path) for page in PAGES}
