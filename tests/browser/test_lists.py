"""Lists of the pages: they sort, filter, have pages, and the address remembers it."""

import pytest
from playwright.sync_api import Page, expect

from search_server.resources.jobs import JobUpdate
from search_server.resources.latencies import MeasurementCreate
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.browser.models import add_model
from tests.browser.searches import submit
from tests.client.served import CONDITIONS, Served

pytestmark = NEEDS_CHROMIUM


@pytest.mark.usefixtures("bench")
def test_the_list_sorts_filters_and_remembers(page: Page, served: Served) -> None:
    for name, target_ms in (("slow", 0.9), ("fast", 0.4), ("middle", 0.6)):
        submit(served, name, target_ms)
    page.goto("/")
    names = page.locator("#searches tbody tr td:first-child a")
    expect(names).to_have_text(["middle", "fast", "slow"])  # the newest first
    page.get_by_role("button", name="Target, ms").click()
    expect(names).to_have_text(["fast", "middle", "slow"])
    page.get_by_role("button", name="Target, ms").click()
    expect(names).to_have_text(["slow", "middle", "fast"])
    page.get_by_label("Filter searches").fill("m 0.6")
    expect(names).to_have_text(["middle"])
    page.reload()
    expect(names).to_have_text(["middle"])
    page.get_by_label("Filter searches").fill("")
    expect(names).to_have_text(["slow", "middle", "fast"])
    with served.client() as client:
        client.cancel_search("middle")
        client.update_job(client.search("fast").job.job_id, JobUpdate(note="before the heat sink"))
    page.get_by_label("Status of searches").select_option("cancelled")
    expect(names).to_have_text(["middle"])
    page.reload()
    expect(names).to_have_text(["middle"])
    page.get_by_label("Filter searches").fill("sink")
    expect(page.locator("#searches tbody")).to_contain_text("Nothing fits the filter")
    page.get_by_role("button", name="Show all").click()
    expect(names).to_have_text(["slow", "middle", "fast"])
    expect(page.locator("#searches tbody tr").nth(2)).to_contain_text("before the heat sink")


def test_a_long_list_has_pages_and_the_address_keeps_the_page(page: Page, served: Served) -> None:
    served.enrol()
    with served.client() as client:
        for number in range(13):
            create = MeasurementCreate(
                "bench", "fbnet-tiny", ("k3_e3",), CONDITIONS, name=f"job {number:02d}"
            )
            client.start_measurement(create)
    page.goto("/")
    rows = page.locator("#jobs tbody tr")
    expect(rows).to_have_count(12)
    expect(rows.first).to_contain_text("job 12")  # the newest first
    page.get_by_role("button", name="Next").click()
    expect(rows).to_have_count(1)
    expect(page.locator("#jobs nav")).to_contain_text("13 to 13 of 13")
    page.reload()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Job", exact=True).click()
    expect(rows.first).to_contain_text("job 00")  # another order begins at its first page


def test_models_are_sorted_and_found(page: Page, served: Served) -> None:
    for name in ("net-2", "net-10", "other"):
        add_model(served, name)
    page.goto("/models")
    names = page.locator("#models tbody tr td:first-child a")
    expect(names).to_have_text(["other", "net-10", "net-2"])  # the newest first
    page.get_by_role("button", name="Name", exact=True).click()
    expect(names).to_have_text(["net-2", "net-10", "other"])
    page.get_by_label("Filter models").fill("net-")
    expect(names).to_have_text(["net-2", "net-10"])
    page.reload()
    expect(names).to_have_text(["net-2", "net-10"])
