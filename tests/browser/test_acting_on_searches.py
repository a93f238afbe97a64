"""A search is submitted, cloned, cancelled, resumed, named, compared and found again, all on pages."""

import re
from dataclasses import replace
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from search_server.resources.found_networks import DeviceLatency
from search_server.resources.searches import DeviceTarget, SearchCreate
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.browser.models import add_model, enrol_for_models, known_latency, store_measurement
from tests.browser.searches import submit
from tests.client.served import CONDITIONS, Served, compared, search_steps, table

pytestmark = NEEDS_CHROMIUM


def test_a_search_is_submitted_and_used_again(page: Page, served: Served, bench: str) -> None:
    page.get_by_role("link", name="New search", exact=True).click()
    page.get_by_label("Space").fill("fbnet-tiny")
    page.get_by_label("Space").blur()
    target = page.get_by_label("Target 1, ms")
    expect(page.locator("#plan")).to_contain_text(f"by table {bench}")
    page.get_by_label("Target 1 on a slider").focus()
    before = float(target.input_value())
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    assert float(target.input_value()) > before
    target.fill("0.55")
    page.get_by_label("Name").fill("nightly")
    page.get_by_label("epochs", exact=True).fill("6")
    page.get_by_role("button", name="Start the search").click()
    page.wait_for_url(re.compile("/searches/job_"))
    expect(page.get_by_role("heading", name="Search nightly")).to_be_visible()
    with served.client() as client:
        (search,) = client.searches()
    assert (search.request.target_ms, search.request.epochs, search.snapshot) == (0.55, 6, bench)
    assert (search.job.name, search.request.train_epochs) == ("nightly", 30)  # 30: the default
    page.get_by_role("link", name="Use again…").click()
    expect(page.get_by_label("epochs", exact=True)).to_have_value("6")
    expect(page.get_by_label("train epochs")).to_have_value("")
    expect(page.get_by_label("Target 1, ms")).to_have_value("0.55")
    page.get_by_label("seed", exact=True).fill("7")
    page.get_by_role("button", name="Start the search").click()
    page.wait_for_url(re.compile("/searches/job_"))
    with served.client() as client:
        again, _ = client.searches()
    assert (again.request.seed, again.request.epochs, again.request.target_ms) == (7, 6, 0.55)


@pytest.mark.usefixtures("bench")
def test_errors_stand_at_their_fields(page: Page, served: Served) -> None:
    page.goto("/searches/new")
    page.get_by_label("Space").fill("fbnet-tiny")
    page.get_by_label("Space").blur()
    expect(page.locator("#plan")).to_contain_text("Ready")
    wrong = {"Target 1, ms": "0.001", "Data": "digts", "epochs": "0"}
    sentences = {
        "epochs": "epochs must lie in",
        "Data": "digts",
        "Target 1, ms": "below the fastest network",
    }
    for label, value in wrong.items():
        page.get_by_label(label, exact=True).fill(value)
    for label, sentence in sentences.items():  # one after another, as the server finds them
        page.get_by_role("button", name="Start the search").click()
        field = page.get_by_label(label, exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()
        described_by = (field.get_attribute("aria-describedby") or "").split()[-1]
        expect(page.locator(f"#{described_by}")).to_contain_text(sentence)
        field.fill({"epochs": "", "Data": "digits", "Target 1, ms": "0.55"}[label])
    page.get_by_role("button", name="Start the search").click()
    page.wait_for_url(re.compile("/searches/job_"))
    with served.client() as client:
        assert len(list(client.searches())) == 1


@pytest.mark.usefixtures("bench")
def test_cancel_resume_name_and_note(page: Page, served: Served) -> None:
    job_id = submit(served)
    page.goto(f"/searches/{job_id}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#marks")).to_contain_text("cancelled")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#marks")).to_contain_text("queued")
    page.get_by_text("Name and note…").click()
    page.get_by_label("Name").fill("job_x")
    page.get_by_label("Note").fill("with the new table")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="must not begin with 'job_'")).to_be_visible()
    page.get_by_label("Name").fill("second try")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Search second try")).to_be_visible()
    expect(page.locator("#note")).to_have_text("with the new table")
    with served.client() as client:
        assert client.search("second try").job.job_id == job_id


@pytest.mark.usefixtures("bench")
def test_a_result_is_a_strip_pictures_and_files_and_is_retargeted(page: Page, served: Served) -> None:
    job_id = submit(served)
    served.record(job_id, search_steps())
    served.finish(job_id, compared())
    page.goto(f"/searches/{job_id}")
    found = compared()[0].architecture.split(",")
    expect(page.locator(".strip li")).to_have_count(len(found))
    assert [item.get_attribute("title") for item in page.locator(".strip li").all()] == [
        f"layer{index:02d}: {block}" for index, block in enumerate(found, 1)
    ]
    expect(page.locator("#plane .dot")).to_have_count(3)  # the sampled one has no accuracy
    expect(page.locator("#diagonal .dot")).to_have_count(4)
    expect(page.locator("#diagonal .interval")).to_have_count(4)
    expect(page.locator("#theta td.found")).to_have_count(len(found))
    expect(page.locator("#downloads a").first).to_have_attribute("href", re.compile("format=onnx"))
    page.get_by_text("Retarget…").click()
    expect(page.get_by_text(re.compile("networks take 0.* to .* ms"))).to_be_visible()
    page.get_by_label("Target, ms").fill("0.6")
    page.get_by_role("button", name="Decode a network").click()
    page.wait_for_url(lambda address: job_id not in address and "/searches/job_" in address)
    with served.client() as client:
        made, _ = client.searches()
    assert (made.request.origin, made.request.target_ms) == (job_id, 0.6)


@pytest.mark.usefixtures("bench")
def test_the_page_says_where_the_table_alone_gave_what_is_delivered(page: Page, served: Served) -> None:
    job_id = submit(served)
    largest = replace(compared()[3], role="most_macs", validation_accuracy=0.9)
    served.finish(job_id, (largest, *compared()[:3]))
    page.goto(f"/searches/{job_id}")
    expect(page.locator("#results")).to_contain_text(
        "The latency table alone gave the network that is delivered"
    )
    assert [item.get_attribute("title") for item in page.locator(".strip li").all()] == [
        f"layer{index:02d}: {block}" for index, block in enumerate(largest.architecture.split(","), 1)
    ]
    names = page.locator("#comparison tbody tr td:first-child")
    assert sorted(name.strip() for name in names.all_inner_texts()) == sorted(
        ["most MACs, delivered", "found", "sampledover target", "uniform"]
    )
    expect(page.locator("#comparison tr.found")).to_contain_text("most MACs, delivered")


@pytest.mark.usefixtures("bench")
def test_a_front_is_decoded_on_chosen_devices(page: Page, served: Served) -> None:
    served.store(table(served.enrol("other").device_id, scale=2.0))
    job_id = submit(served)
    served.record(job_id, search_steps())
    served.finish(job_id, compared())
    page.goto(f"/searches/{job_id}")
    page.get_by_text("Front…").click()
    page.get_by_label("other", exact=True).check()
    page.get_by_label("Targets on each device").fill("1")
    page.get_by_role("button", name="Decode a front").click()
    expect(page.locator("#more").get_by_role("alert")).to_contain_text("points must lie in 2..12")
    page.get_by_label("Targets on each device").fill("3")
    page.get_by_role("button", name="Decode a front").click()
    page.wait_for_url(lambda address: job_id not in address and "/searches/job_" in address)
    with served.client() as client:
        made, _ = client.searches()
    assert (made.request.origin, made.request.points, made.job.device_name) == (job_id, 3, "other")


@pytest.mark.usefixtures("bench")
def test_a_search_on_two_devices_shows_pictures_of_both(page: Page, served: Served) -> None:
    served.store(table(served.enrol("other").device_id, scale=2.0))
    with served.client() as client:
        also = (DeviceTarget("other", 1.2, CONDITIONS),)
        create = SearchCreate(
            "bench", "fbnet-tiny", "digits", target_ms=0.55, conditions=CONDITIONS, also=also
        )
        job_id = client.start_search(create).job.job_id
    networks = tuple(
        replace(each, others=(DeviceLatency("other", 1200.0, 2 * each.predicted_us, 1300.0 + place),))
        for place, each in enumerate(compared())
    )
    served.finish(job_id, networks)
    page.goto(f"/searches/{job_id}")
    picture = page.locator("#plane svg")
    expect(picture).to_have_attribute("aria-label", re.compile("found: 0.548,"))
    page.get_by_label("Pictures of the networks on").select_option("other")
    expect(picture).to_have_attribute("aria-label", re.compile("found: 1.3,"))
    expect(page.locator("#diagonal .interval")).to_have_count(4)  # by the other device's table
    page.reload()
    expect(picture).to_have_attribute("aria-label", re.compile("found: 1.3,"))


@pytest.mark.usefixtures("bench")
def test_two_searches_are_compared(page: Page, served: Served) -> None:
    first, second = submit(served, "first"), submit(served, "second", 0.6)
    networks = compared()
    served.record(first, search_steps())
    served.finish(first, networks)
    served.finish(second, (networks[3], *networks[1:3]))
    page.goto(f"/searches/{first}")
    page.get_by_text("Compare…").click()
    page.get_by_label("With").select_option(second)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url(re.compile("/compare"))
    a, b = (networks[index].architecture.split(",") for index in (0, 3))
    num_differing = sum(one != other for one, other in zip(a, b, strict=True))
    expect(page.locator("#strips")).to_contain_text(f"{num_differing} of {len(a)} layers differ")
    expect(page.locator("#strips .differs")).to_have_count(2 * num_differing)
    row = page.locator("#found").get_by_role("row", name="Test accuracy")
    expect(row).to_contain_text("88.1 %")
    expect(row).to_contain_text("\N{MINUS SIGN}2.1 points")
    expect(page.locator("#requests").get_by_role("row", name="target ms")).to_contain_text("0.55")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone(
    page: Page, served: Served, bench: str, scheme: Literal["light", "dark"]
) -> None:
    first, second = submit(served, "a name of some length that wraps"), submit(served)
    for job_id in (first, second):
        served.record(job_id, search_steps())
        served.finish(job_id, compared())
    device_id, model = enrol_for_models(served, "phone"), add_model(served, "small")
    jobs = [store_measurement(served, model, device_id, known_latency(factor)) for factor in (1.0, 2.0)]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in (
        "/",
        "/devices",
        "/searches/new",
        f"/searches/{first}",
        f"/compare?a={first}&b={second}",
        f"/tables/{bench}",
        "/models",
        "/models/small?view=node",
        f"/models/compare?a={jobs[0]}&b={jobs[1]}",
    ):
        page.goto(path)
        expect(page.locator(".loading")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
