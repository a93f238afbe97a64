"""The page of devices: a device is added, asked to measure and watched, by keyboard alone too."""

import re
from datetime import UTC, datetime

import httpx
from playwright.sync_api import Page, expect

from search_server.jobs.registry import fail_job, finish_job
from search_server.resources.latencies import MeasurementCreate
from shared.protocol.device import DeviceCreate
from shared.protocol.wire import to_json
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.client.served import CONDITIONS, DEVICE, Served, table

pytestmark = NEEDS_CHROMIUM


def test_a_device_appears_that_used_the_line(page: Page, served: Served) -> None:
    page.goto("/devices")
    page.get_by_label("Phone").check()
    page.get_by_role("button", name="Make the line for it").click()
    line = page.locator("#line .command-line pre")
    expect(line).to_contain_text("pkg install -y curl")
    page.get_by_label("Board or computer").check()
    expect(line).to_have_text(re.compile(r"^curl .*\| EDGENAS_ENROLMENT_TOKEN=edg_enrol_\S+ sh$"))
    expect(page.locator("#arrival")).to_contain_text("waiting for the device")
    token = re.findall(r"edg_enrol_\S+", line.inner_text())[0]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    sent = httpx.post(
        f"{served.url}/api/v1/devices", content=to_json(DeviceCreate(DEVICE)), headers=headers
    )
    assert sent.status_code == 201
    expect(page.locator("#arrival")).to_contain_text("bench has appeared")
    expect(page.get_by_role("article", name="bench")).to_be_visible()
    expect(line).to_have_count(0)


def test_a_profile_is_started_and_cancelled_by_keyboard_alone(page: Page, served: Served) -> None:
    served.enrol()
    page.goto("/devices")
    card = page.get_by_role("article", name="bench")
    card.get_by_text("Profile…").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(card.get_by_label("Space").first).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("fbnet-tiny")
    page.keyboard.press("Enter")
    expect(card.locator(".work li")).to_contain_text("profile fbnet-tiny")
    expect(card.get_by_text("Profile…")).to_be_focused()
    with served.client() as client:
        (profile,) = client.profiles()
    assert (profile.job.space, profile.job.status) == ("fbnet-tiny", "queued")
    card.get_by_role("button", name="Cancel profile of fbnet-tiny").focus()
    page.keyboard.press("Enter")
    expect(card.locator(".work li")).to_have_count(0)
    with served.client() as client:
        assert client.profile(profile.job.job_id).job.status == "cancelled"


def test_what_the_server_refuses_stands_at_its_field(page: Page, served: Served) -> None:
    served.enrol()
    page.goto("/devices")
    card = page.get_by_role("article", name="bench")
    card.get_by_text("Measure…").click()
    form = card.locator("details.form[open]")
    form.get_by_label("Network").fill("k9_e9")
    form.get_by_label("Space").fill("fbnet-tiny")
    button = form.get_by_role("button", name="Start measuring")
    button.click()
    expect(form).to_contain_text("unknown architecture 'k9_e9'")
    expect(form.get_by_label("Network")).to_be_focused()
    form.get_by_label("Network").fill("k3_e3")
    form.get_by_text("More conditions").click()
    form.get_by_label("Batch").fill("0")
    button.click()
    expect(form.get_by_label("Batch")).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("Network")).not_to_have_attribute("aria-invalid", "true")
    form.get_by_label("Batch").fill("4")
    form.get_by_label("Cores").fill("4, 5")
    form.get_by_label("Heat").select_option("sustained")
    form.get_by_label("Name of the job").fill("four at once")
    button.click()
    expect(card.locator(".work li")).to_contain_text("four at once")
    with served.client() as client:
        (measurement,) = client.measurements()
    asked = measurement.job.conditions
    assert (asked.batch, asked.cores, asked.thermal) == (4, (4, 5), "sustained")


def test_a_profile_that_is_not_needed_says_so_and_is_forced(page: Page, served: Served) -> None:
    served.store(table(served.enrol().device_id))
    page.goto("/devices")
    card = page.get_by_role("article", name="bench")
    for force in (False, True):
        card.get_by_text("Profile…").click()
        form = card.locator("details.form[open]")
        form.get_by_label("Space").fill("fbnet-tiny")
        form.get_by_label("Runtime").select_option("simulated")
        form.get_by_label("Even where a valid table exists").set_checked(force)
        form.get_by_role("button", name="Start profiling").click()
        if force:
            expect(card.locator(".work li")).to_contain_text("profile fbnet-tiny")
        else:
            expect(card.get_by_text("A valid table exists, and stands above")).to_be_visible()


def test_a_job_that_fails_while_one_looks_says_why(page: Page, served: Served) -> None:
    served.enrol()
    with served.client() as client:
        create = MeasurementCreate("bench", "fbnet-tiny", ("k3_e3",), CONDITIONS)
        job_id = client.start_measurement(create).job.job_id
    page.goto("/devices")
    work = page.get_by_role("article", name="bench").locator(".work li")
    expect(work).to_contain_text("queued")
    with served.database.transaction() as session:
        fail_job(session, job_id, "the device is too hot; let it cool down", datetime.now(UTC))
    expect(work).to_contain_text("let it cool down")


def test_a_table_shows_its_age_and_is_checked_by_a_press(page: Page, served: Served) -> None:
    snapshot = served.store(table(served.enrol().device_id))
    page.goto("/devices")
    card = page.get_by_role("article", name="bench")
    expect(card.locator(".tables li")).to_contain_text("fbnet-tiny · simulated fp32")
    expect(card.locator(".tables li")).to_contain_text(
        re.compile(r"\d+ of \d+ entries, \d+ s ago, never checked")
    )
    card.get_by_role("button", name="Check the table of fbnet-tiny").click()
    expect(card.locator(".work li")).to_contain_text("check fbnet-tiny")
    with served.client() as client:
        (check,) = client.checks(snapshot)
    with served.database.transaction() as session:
        finish_job(session, check.job.job_id, datetime.now(UTC))
    expect(card.locator(".work li")).to_have_count(0)


def test_what_is_made_up_says_so(page: Page, served: Served) -> None:
    served.enrol()
    with served.client() as client:
        client.import_table(table("any").to_json().encode(), "json", "shelf")
    page.goto("/devices")
    expect(page.get_by_role("article", name="shelf")).to_contain_text("imported table only")
    expect(page.get_by_role("article", name="shelf").get_by_text("Profile…")).to_have_count(0)


def test_a_device_is_named_tagged_and_removed(page: Page, served: Served) -> None:
    served.enrol()
    page.goto("/devices")
    card = page.get_by_role("article", name="bench")
    card.get_by_text("Settings…").click()
    tags = card.get_by_label("Tags")
    tags.fill("lab no/slash")
    card.get_by_role("button", name="Save").click()
    expect(tags).to_have_attribute("aria-invalid", "true")
    tags.fill("lab fast")
    card.get_by_label("Name", exact=True).fill("shelf")
    card.get_by_role("button", name="Save").click()
    card = page.get_by_role("article", name="shelf")
    expect(card).to_contain_text("fast")
    with served.client() as client:
        (device,) = client.devices()
    assert (device.name, sorted(device.tags)) == ("shelf", ["fast", "lab"])
    card.get_by_text("Settings…").click()
    card.get_by_text("Remove…").click()
    card.get_by_role("button", name="Remove shelf").click()
    expect(page.locator("#devices")).to_contain_text("No device has enrolled yet")
    with served.client() as client:
        assert list(client.devices()) == []
