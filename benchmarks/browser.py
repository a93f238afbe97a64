"""Headless Chromium: where it is, how it starts, and a page that is signed in and has all that it shows."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.every_page import ShownPage

CHROMIUM = os.environ.get("EDGENAS_CHROMIUM") or shutil.which("chromium")
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

NO_CHROMIUM = "no Chromium: install the package chromium, or set EDGENAS_CHROMIUM"

WAITING = ".loading, [aria-busy=true]"
"""What a page shows in the place of what has not arrived."""

LONGEST_MS = 60_000.0
"""How long a page may take on a busy machine."""


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Start Chromium, and end it with the block.

    Raises:
        RuntimeError: there is none.
    """
    if CHROMIUM is None:
        raise RuntimeError(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


def signed_in(browser: Browser, url: str, token: str, **options: Any) -> BrowserContext:
    """Return a context with an empty cache and the session of a token; no page of it has been opened."""
    context = browser.new_context(base_url=url, **options)
    context.set_default_timeout(LONGEST_MS)
    answer = context.request.post("/session", data={"token": token})
    if not answer.ok:
        raise RuntimeError(f"{url} does not take the token: {answer.text()}")
    return context


def open_page(page: Page, shown: ShownPage, names: Mapping[str, str]) -> None:
    """Open a page and return when it has all that it shows."""
    page.goto(shown.address(names))
    page.locator(shown.shows).first.wait_for()
    page.locator(WAITING).first.wait_for(state="detached")
