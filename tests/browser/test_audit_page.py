"""The page of the audit trail: administrators see, filter and page it; others are told whom it is for."""

from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from search_server.audit import record
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.client.served import Served

pytestmark = NEEDS_CHROMIUM


def test_administrators_see_filter_and_page_it(page: Page, served: Served) -> None:
    page.goto(f"/login#token={served.new_token('admin')}")
    expect(page).to_have_url(f"{served.url}/")
    with served.database.transaction() as session:
        for number in range(60):
            user, status = ("alice", 201) if number % 2 else ("bob", 403)
            record(
                session, datetime.now(UTC), user, "user", "POST /searches", f"job_{number}", status, "::1"
            )
    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_role("cell", name="job_59")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(51)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("cell", name="job_0")).to_be_visible()
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_role("link", name="Newest").click()
    page.get_by_label("User").fill("bob")
    page.get_by_label("Answer").fill("403")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(31)
    expect(page.get_by_label("User")).to_have_value("bob")
    expect(page.get_by_text("alice")).to_have_count(0)


def test_others_are_told_whom_it_is_for(page: Page) -> None:
    expect(page.get_by_role("link", name="Audit")).to_have_count(0)
    page.goto("/audit")
    expect(page.get_by_role("alert")).to_contain_text("takes a token of scope admin")
