"""A browser, a server, and a page that is signed in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import started_browser
from tests.client.served import Served, serve, table

expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong


@pytest.fixture(
    scope="module"
)  # Playwright's event loop runs until it stops: asynchronous tests need theirs
def browser() -> Iterator[Browser]:
    with started_browser() as browser:
        yield browser


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as running:
        yield running


@pytest.fixture
def bench(served: Served) -> str:
    """A device with a table; its snapshot."""
    return served.store(table(served.enrol().device_id))


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A signed-in page; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    context = browser.new_context(base_url=served.url)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"/login#token={served.token}")
    page.wait_for_url(f"{served.url}/")
    yield page
    context.close()
    # A refusal is an answer, which the page shows; Chromium calls it an error of its own.
    assert [words for words in complaints if "status of 4" not in words] == []
