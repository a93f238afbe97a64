"""With the keyboard alone: somebody signs in, chooses blocks in a table, measures, and submits a search."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.chromium import NEEDS_CHROMIUM
from tests.client.served import SPACE, Served

pytestmark = NEEDS_CHROMIUM

MOST_STOPS = 60
"""Presses of Tab from the top of a page to what is looked for: fewer than a map has cells."""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until something has the focus."""
    expect(target).to_be_enabled()
    for _ in range(MOST_STOPS):
        if target.evaluate("(element) => element.matches(':focus')"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{MOST_STOPS} presses of Tab do not reach {target}")


def press(page: Page, target: Locator) -> None:
    """Go to a link or a button and press it."""
    tab_to(page, target)
    page.keyboard.press("Enter")


def write(page: Page, target: Locator, text: str) -> None:
    """Go to a field and write over what stands there."""
    tab_to(page, target)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def focused_cell(page: Page) -> str | None:
    """Return layer and block of the cell of the map that has the focus."""
    cell: str | None = page.evaluate("document.activeElement.closest('#map button')?.dataset.id ?? null")
    return cell


def test_a_table_is_used_by_keyboard_alone(browser: Browser, served: Served, bench: str) -> None:
    context = browser.new_context(base_url=served.url)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"/login?next=/tables/{bench}")
    write(page, page.get_by_label("Token"), served.token)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tables/{bench}")

    cells = page.locator("#map button")
    expect(cells).to_have_count(SPACE.num_layers * len(SPACE.candidates))
    stops = []
    while focused_cell(page) is None:
        page.keyboard.press("Tab")
        stops.append(1)
        assert len(stops) < MOST_STOPS, "Tab does not reach the map"
    assert focused_cell(page) == "layer01/k3_e3"  # a block of the network that is chosen
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    place = focused_cell(page)
    assert place == f"layer03/{SPACE.candidates[SPACE.candidates.index('k3_e3') + 1]}"
    page.keyboard.press("Enter")
    chosen = page.locator(f"#map button[data-id='{place}']")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    assert focused_cell(page) is None  # one press leaves the whole map
    page.keyboard.press("Shift+Tab")
    assert focused_cell(page) == place  # and comes back to where one was

    measure = page.get_by_role("button", name="Measure it on bench")
    while not measure.evaluate("(element) => element.matches(':focus')"):
        page.keyboard.press("Shift+Tab")
        stops.append(1)
        assert len(stops) < 2 * MOST_STOPS, "Shift and Tab do not reach the button"
    page.keyboard.press("Enter")
    expect(page.locator("#measure")).to_contain_text("queued")
    expect(page).to_have_url(re.compile(rf"network=k3_e3,k3_e3,{place.partition('/')[2]},"))
    with served.client() as client:
        (asked,) = client.measurements()
    assert (asked.job.kind, asked.job.status) == ("measurement", "queued")
    context.close()


@pytest.mark.usefixtures("bench")
def test_a_search_is_submitted_and_cancelled_by_keyboard_alone(page: Page, served: Served) -> None:
    press(page, page.get_by_role("link", name="New search", exact=True))
    page.wait_for_url("**/searches/new")
    write(page, page.get_by_label("Name", exact=True), "by keyboard")
    write(page, page.get_by_label("Space"), "fbnet-tiny")
    page.keyboard.press("Tab")
    expect(page.locator("#plan")).to_contain_text("Ready")
    write(page, page.get_by_label("Target 1, ms"), "0.55")
    press(page, page.get_by_role("button", name="Start the search"))
    page.wait_for_url(re.compile("/searches/job_"))
    with served.client() as client:
        (search,) = client.searches()
    assert (search.job.name, search.request.target_ms, search.job.status) == ("by keyboard", 0.55, "queued")
    press(page, page.get_by_role("button", name="Cancel"))
    expect(page.locator("#marks")).to_contain_text("cancelled")
