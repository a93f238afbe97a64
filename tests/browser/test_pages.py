"""The pages in a real browser: sign-in, every page with data in it, a search that moves while watched."""

import re
from dataclasses import replace

from playwright.sync_api import Browser, Page, expect

from search_server.db.models import DeviceRow
from search_server.latency.neighbours import Neighbours
from search_server.latency.table import TableEntry
from search_server.resources.searches import SearchCreate
from search_server.resources.tables import ProfileCreate
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.client.served import CONDITIONS, Served, compared, search_steps, table

pytestmark = NEEDS_CHROMIUM


def _submit(served: Served) -> str:
    device_id = served.enrol().device_id
    served.store(table(device_id))
    with served.client() as client:
        request = SearchCreate("bench", "fbnet-tiny", "digits", target_ms=0.55, conditions=CONDITIONS)
        return client.start_search(request).job.job_id


def test_an_empty_server_says_what_to_do_first(page: Page, served: Served) -> None:
    expect(page.get_by_role("heading", name="Three steps to a first network")).to_be_visible()
    page.get_by_role("link", name="Devices", exact=True).click()
    page.get_by_text("Without a token in the line").click()
    expect(page.get_by_text(f"curl -fsS {served.url}/install/agent.sh | sh")).to_be_visible()
    page.get_by_role("link", name="Latency tables").click()
    expect(page.get_by_text("edgenas profile -d DEVICE")).to_be_visible()


def test_devices_show_what_they_are(page: Page, served: Served) -> None:
    served.enrol()
    page.goto("/devices")
    card = page.get_by_role("article", name="bench")
    expect(card).to_contain_text("online")
    expect(card).to_contain_text("onnxruntime 1.32.0")
    expect(card).to_contain_text("2.85 GHz")
    expect(card).to_contain_text("battery_percent")


def test_an_agent_is_upgraded_from_its_card(page: Page, served: Served) -> None:
    device_id = served.enrol().device_id
    with served.database.transaction() as session:
        row = session.get_one(DeviceRow, device_id)
        row.facts = {**row.facts, "agent_sha256": "0" * 64, "accepts_upgrade": True}
    page.goto("/devices")
    card = page.get_by_role("article", name="bench")
    expect(card).to_contain_text("not the server's own")
    button = card.get_by_role("button", name="Upgrade the agent of bench")
    button.click()
    expect(card).to_contain_text("upgrades when it next calls")
    expect(button).to_have_count(0)
    with served.client() as client:
        assert client.device("bench").should_upgrade


def test_a_table_is_a_map_that_predicts_a_choice(page: Page, served: Served) -> None:
    whole = table(served.enrol().device_id)
    missing, unstable, *_ = whole.entries
    entries = {**whole.entries, unstable: TableEntry(0.2, 0.01, 3, "unstable")}
    del entries[missing]
    neighbours = Neighbours(sameness_effect=-0.05)
    snapshot = served.store(replace(whole, entries=entries, neighbours=neighbours))
    page.goto("/tables")
    page.get_by_role("link", name=snapshot).click()
    expect(page.get_by_text("simulated").first).to_be_visible()
    rows = page.locator(".heat-map tbody tr")
    expect(rows).to_have_count(13)
    expect(page.locator("td.missing")).to_have_text(["?"])
    expect(page.locator("td.unstable")).to_have_count(1)
    expect(page.locator(".heat-map button[aria-pressed=true]").first).to_have_attribute(
        "aria-label", re.compile("layer01, k3_e3")
    )
    expect(page.locator("#check")).to_contain_text("Not checked since it was made.")
    expect(page.locator("#history tbody tr")).to_have_count(1)
    choice = page.locator("#choice .figure")
    before = choice.inner_text()
    expect(page.locator("#choice")).to_contain_text(re.compile(r"cost each other: .[45]\.\d %"))
    cell = rows.nth(5).get_by_role("button").nth(7)
    cell.focus()
    expect(page.locator("#cell")).to_contain_text("layer06, k5_e6")
    page.keyboard.press("Enter")
    expect(rows.nth(5).get_by_role("button").nth(7)).to_have_attribute("aria-pressed", "true")
    expect(rows.nth(5).get_by_role("button").nth(7)).to_be_focused()
    expect(choice).not_to_have_text(before)
    assert float(choice.inner_text().split()[0]) > float(before.split()[0])
    expect(page.locator("#choice code")).to_contain_text(
        "edgenas measure -d bench -s fbnet-tiny --runtime simulated"
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.path().read_text().startswith("snapshot,device")


def test_the_interface_is_listed_without_help_from_elsewhere(page: Page, served: Served) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.get_by_role("link", name="API").click()
    row = page.get_by_role("row", name="PATCH /api/v1/devices/{device}")
    expect(row).to_contain_text("DeviceUpdate")
    expect(row).to_contain_text("200 DeviceResource")
    assert all(url.startswith(served.url) for url in requested)


def test_the_overview_lists_what_devices_measure(page: Page, served: Served) -> None:
    served.enrol()
    with served.client() as client:
        job_id = client.start_profile(ProfileCreate("bench", "fbnet-tiny", CONDITIONS)).job.job_id
    page.goto("/")
    row = page.get_by_role("row", name=job_id)
    expect(row).to_contain_text("profile")
    expect(row).to_contain_text("queued")


def test_a_search_moves_while_it_is_watched(page: Page, served: Served) -> None:
    job_id = _submit(served)
    steps = search_steps()
    served.record(job_id, steps[:6])
    page.goto("/")
    page.get_by_role("link", name=job_id).click()
    expect(page.locator("#epoch-name")).to_have_text("6 (search)")
    expect(page.locator("#latency-chart .curve-1 path >> nth=0")).to_be_visible()
    expect(page.get_by_text("target 0.55 ms", exact=True)).to_be_visible()
    served.record(job_id, steps)
    expect(page.locator("#epoch-name")).to_have_text("20 (search)")
    expect(page.locator("#progress")).to_contain_text("search the supernet")
    served.finish(job_id, compared())
    expect(page.locator("#marks")).to_have_text("done simulated")
    expect(page.get_by_role("columnheader", name="Simulated, ms")).to_be_visible()
    found = page.locator("#comparison tr.found")
    expect(found).to_contain_text("0.548")
    expect(found).to_contain_text("88.1 %")
    page.locator("#epoch").fill("0")
    expect(page.locator("#epoch-name")).to_have_text("1 (warmup)")


def test_without_a_session_there_is_only_the_sign_in(browser: Browser, served: Served) -> None:
    context = browser.new_context(base_url=served.url)
    page = context.new_page()
    page.goto("/devices")
    page.wait_for_url("**/login?next=%2Fdevices")
    page.get_by_label("Token of scope user").fill("edg_user_0_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("the token is not known")
    page.get_by_label("Token of scope user").fill(served.token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/devices")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    context.close()


def test_a_map_is_one_stop_of_the_keyboard_with_arrows_inside(page: Page, served: Served) -> None:
    _submit(served)
    page.goto("/tables")
    page.locator("#tables a").first.click()
    cells = page.locator("#map button")
    expect(cells.first).to_be_visible()
    assert page.locator("#map button[tabindex='0']").count() == 1
    cells.first.focus()
    page.keyboard.press("ArrowRight")
    expect(cells.nth(1)).to_be_focused()
    page.keyboard.press("Tab")
    assert page.locator("#map button:focus").count() == 0


def test_forms_wait_until_their_scripts_listen(browser: Browser, served: Served) -> None:
    """Sent before, a form would go to the page's own address, a pasted token with it."""
    context = browser.new_context(base_url=served.url, java_script_enabled=False)
    page = context.new_page()
    for path, button in {
        "/login": "Sign in",
        "/audit": "Show",
        "/searches/new": "Start the search",
        "/models": "Add the model",
    }.items():
        page.goto(path)
        expect(page.get_by_role("button", name=button, exact=True)).to_be_disabled()
    context.close()
