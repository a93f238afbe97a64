"""A model of one's own on the pages: added, refused in words, measured, looked into, compared, removed."""

import hashlib
import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from search_server.db.models import DeviceRow
from search_server.jobs.registry import fail_job, find_job, finish_job
from search_server.profiling.own_models import store_model_latency
from search_server.resources.gates import GateVerdict
from shared.protocol.measurement import OWN_FILES_PROTOCOL
from shared.protocol.wire import to_dict
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.browser.models import add_model, enrol_for_models, known_latency, store_measurement
from tests.client.served import Served
from tests.own_models.files import onnx_bytes

pytestmark = NEEDS_CHROMIUM
PART_BYTES = 128  # in place of 8 MiB, so that a small file has parts


def choose(page: Page, name: str, content: bytes) -> None:
    page.get_by_label("File").set_input_files({"name": name, "mimeType": "", "buffer": content})


def test_a_file_is_sent_in_parts_from_where_the_server_stands(page: Page, served: Served) -> None:
    content = onnx_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    with served.client() as client:
        client.send_model_part(sha256, 0, content[:100])
    offsets: list[int] = []
    page.on(
        "request",
        lambda request: (
            offsets.append(int(request.url.rpartition("=")[2])) if request.method == "PUT" else None
        ),
    )
    page.goto("/models")
    expect(page.locator("#models")).to_contain_text("No model yet")
    page.locator("#add form").evaluate(f"form => {{ form.dataset.partBytes = {PART_BYTES}; }}")
    choose(page, "my net (1).onnx", content)
    expect(page.get_by_label("Name", exact=True)).to_have_value("my-net-1-")
    page.get_by_label("Name", exact=True).fill("small")
    page.get_by_role("button", name="Add the model").click()
    checks = page.locator("#checks li.done")
    expect(checks).to_have_count(3)
    expect(checks.nth(0)).to_contain_text(sha256[:12])
    expect(checks.nth(1)).to_contain_text("from byte 100 on")
    expect(checks.nth(2)).to_contain_text("onnx, IR 8, opset 17, fp32, 4 nodes, 216 parameters")
    assert offsets == list(range(100, len(content), PART_BYTES))
    with served.client() as client:
        assert client.model("small").sha256 == sha256
    expect(page.locator("#models").get_by_role("row", name="small")).to_be_visible()
    page.get_by_role("link", name="Measure small on a device").click()
    expect(page.get_by_role("heading", name="Model small")).to_be_visible()
    expect(page.locator("#measure-form")).to_contain_text("No device has an agent yet")


@pytest.mark.parametrize("size", [1, 55, 56, 63, 64, 65, (4 << 20) - 1, (4 << 20) + 60])
def test_a_file_is_named_by_the_hash_that_others_compute(page: Page, size: int) -> None:
    content = bytes(index * index % 251 for index in range(997)) * (size // 997 + 1)
    script = """async (size) => {
      const { sha256 } = await import("/static/sha256.js");
      const pattern = Uint8Array.from({ length: 997 }, (_, index) => index * index % 251);
      const bytes = Uint8Array.from({ length: size }, (_, index) => pattern[index % 997]);
      return sha256(new Blob([bytes]));
    }"""
    assert page.evaluate(script, size) == hashlib.sha256(content[:size]).hexdigest()


def test_what_is_refused_stands_at_its_field(page: Page, served: Served) -> None:
    add_model(served, "taken")
    page.goto("/models")
    button = page.get_by_role("button", name="Add the model")
    file, name = page.get_by_label("File"), page.get_by_label("Name", exact=True)
    for file_name, content, wanted, field, words in (
        ("weights.pt", b"x", "weights", file, "must end with .onnx or .tflite"),
        ("script.onnx", b"#!/bin/sh\n", "script", file, "refused"),
        ("net.onnx", onnx_bytes(), "no/path", name, "a model cannot be called 'no/path'"),
        ("net.onnx", onnx_bytes(), "taken", name, "another file is called 'taken'"),
    ):
        choose(page, file_name, content)
        name.fill(wanted)
        button.click()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()
        described_by = (field.get_attribute("aria-describedby") or "").split()[-1]
        if words != "refused":  # the parser's own words
            expect(page.locator(f"#{described_by}")).to_contain_text(words)
        expect(page.locator(f"#{described_by}")).not_to_be_empty()
    with served.client() as client:
        assert [model.name for model in client.models()] == ["taken"]


def test_a_model_is_measured_and_its_job_is_watched(page: Page, served: Served) -> None:
    device_id = served.enrol().device_id
    model = add_model(served, "small")
    page.goto("/models/small")
    form, button = page.locator("#measure-form"), page.get_by_role("button", name="Start measuring")
    box = form.get_by_label(re.compile("bench"))
    expect(box).to_be_checked()  # there is no other device
    form.get_by_label("Threads").fill("99")
    button.click()
    expect(form.get_by_label("Threads")).to_have_attribute("aria-invalid", "true")
    expect(form).to_contain_text("asked for 99 threads")
    form.get_by_label("Threads").fill("2")
    button.click()
    expect(form).to_contain_text("runs no model files of one's own")
    with served.database.transaction() as session:
        row = session.get_one(DeviceRow, device_id)
        row.facts = {**row.facts, "protocol_max": OWN_FILES_PROTOCOL}
    form.get_by_label("Shape of x").fill("2x3x17x16")
    button.click()
    expect(form.get_by_label("Shape of x")).to_have_attribute("aria-invalid", "true")
    expect(form).to_contain_text("input x has the shape ?x3x16x16")
    form.get_by_label("Shape of x").fill("2x3x16x16")
    button.click()
    work = page.locator("#watched li")
    expect(work).to_contain_text("queued")
    with served.client() as client:
        (measurement,) = client.model_measurements("small")
    job = measurement.job
    assert (job.conditions.threads, job.conditions.dtype, job.device_id) == (2, "fp32", device_id)
    with served.database.transaction() as session:
        job_row = find_job(session, job.job_id, "model")
        assert job_row.request["inputs"] == [{"name": "x", "shape": [2, 3, 16, 16]}]
        store_model_latency(session, job_row, known_latency())
        finish_job(session, job.job_id, datetime.now(UTC))
    expect(work).to_contain_text("0.0800 ms")
    expect(page.locator("#latency .figure")).to_have_text("0.0800 ms")
    expect(page.locator("#bars tbody tr")).to_have_count(3)
    assert measurement.model_id == model.model_id


def test_a_measurement_that_fails_says_why_and_one_is_cancelled(page: Page, served: Served) -> None:
    enrol_for_models(served)
    enrol_for_models(served, "other")
    add_model(served, "small")
    page.goto("/models/small")
    page.get_by_role("button", name="Start measuring").click()
    expect(page.locator("#measure-form")).to_contain_text("Choose a device.")
    for name in ("bench", "other"):
        page.locator("#measure-form").get_by_label(re.compile(f"^ ?{name},")).check()
    page.get_by_role("button", name="Start measuring").click()
    expect(page.locator("#watched li")).to_have_count(2)
    page.get_by_role("button", name="Cancel measuring on other").click()
    with served.client() as client:
        jobs = {each.job.device_name: each.job for each in client.model_measurements("small")}
    with served.database.transaction() as session:
        fail_job(session, jobs["bench"].job_id, "no such operator", datetime.now(UTC))
    expect(page.locator("#watched li", has_text="bench")).to_contain_text("no such operator")
    expect(page.locator("#watched li", has_text="other")).to_contain_text("cancelled")
    page.get_by_label("Status of measurements").select_option("failed")
    expect(page.locator("#measurements tbody tr")).to_have_count(1)


def test_time_is_shown_by_share_type_and_node(page: Page, served: Served) -> None:
    """Conv takes 48 us in two nodes, Add 32 in one, of 80 in all."""
    device_id, model = enrol_for_models(served), add_model(served, "small")
    store_measurement(served, model, device_id, known_latency())
    page.goto("/models")
    page.get_by_role("link", name="small").click()
    rows = page.locator("#bars tbody tr")
    expect(rows.nth(0)).to_contain_text("add")
    expect(rows.nth(0)).to_contain_text("40.0 %")
    expect(rows.nth(1)).to_contain_text("70.0 %")  # together with the slowest
    expect(page.locator(".share-strip li")).to_have_text(["Conv 60.0 %", "Add 40.0 %"])
    page.get_by_role("button", name="By type").click()
    expect(rows.nth(0)).to_contain_text("Conv")
    widths = [bar.bounding_box() for bar in page.locator("#bars tbody .bar-line i").all()]
    assert widths[0] is not None
    assert widths[1] is not None
    assert widths[1]["width"] / widths[0]["width"] == pytest.approx(32 / 48, abs=0.02)
    page.reload()
    expect(rows.nth(0)).to_contain_text("Conv")
    page.get_by_role("button", name="By node").click()
    expect(rows.nth(0)).to_contain_text("1x3 -> 1x8")  # the first that runs
    page.get_by_label("Operator of nodes").select_option("Add")
    expect(rows).to_have_count(1)
    expect(page.locator("#exports a[data-format=csv]")).to_have_attribute(
        "href", re.compile("export\\?format=csv")
    )


def test_two_devices_are_compared_and_the_address_keeps_both(page: Page, served: Served) -> None:
    first, second = enrol_for_models(served), enrol_for_models(served, "other")
    model = add_model(served, "small")
    job_a = store_measurement(served, model, first, known_latency())
    job_b = store_measurement(served, model, second, known_latency(2.0))
    page.goto(f"/models/small?job={job_a}")
    page.get_by_role("link", name="Compare…").click()
    expect(page.get_by_label("Measurement A")).to_have_value(job_a)
    page.get_by_label("Model B").select_option("small")
    page.wait_for_url(re.compile(f"b={job_b}"))  # the newest
    expect(page.locator("#ratio")).to_have_text("B takes 2.000 times as long as A")
    row = page.locator("#types").get_by_role("row", name="Conv")
    for words in ("0.0480", "0.0960", "+0.0480", "+100.0 %"):
        expect(row).to_contain_text(words)
    expect(page.locator("#nodes tbody tr")).to_have_count(3)
    page.reload()
    expect(page.get_by_label("Measurement B")).to_have_value(job_b)
    page.get_by_label("Measurement B").select_option(job_a)
    expect(page.locator("#ratio")).to_have_text("B takes 1.000 times as long as A")


def test_the_history_holds_what_was_measured_alike(page: Page, served: Served) -> None:
    first, second = enrol_for_models(served), enrol_for_models(served, "other")
    model = add_model(served, "small")
    for factor, day in ((1.0, 26), (1.5, 28), (1.2, 27)):
        store_measurement(served, model, first, known_latency(factor, f"2026-11-{day}T10:00:00+00:00"))
    alone = store_measurement(served, model, second, known_latency(3.0))
    page.goto(f"/models/small?job={alone}")
    expect(page.locator("#history-words")).to_contain_text("Measured once on other")
    page.get_by_label("Device of measurements").select_option("bench")
    expect(page.locator("#measurements tbody tr")).to_have_count(3)
    page.locator("#measurements tbody a").first.click()
    expect(page.locator("#history .dot")).to_have_count(3)
    told = page.locator("#history .dot title").all_text_contents()
    assert [text[:10] for text in told] == ["2026-11-26", "2026-11-27", "2026-11-28"]
    assert [float(text.split(": ")[1].split()[0]) for text in told] == pytest.approx([0.08, 0.096, 0.12])


def test_a_model_is_removed(page: Page, served: Served) -> None:
    add_model(served, "small")
    page.goto("/models/small")
    page.get_by_text("Remove…").click()
    page.get_by_role("button", name="Remove small").click()
    page.wait_for_url(f"{served.url}/models")
    expect(page.locator("#models")).to_contain_text("No model yet")
    page.goto("/models/small")
    expect(page.get_by_role("alert")).to_contain_text("'edgenas model add FILE' adds one")
    expect(page.get_by_role("heading", name="What it is")).to_be_hidden()


def test_a_gate_is_asked_and_its_verdict_is_listed(page: Page, served: Served) -> None:
    enrol_for_models(served)
    add_model(served, "old")
    page.goto("/gates")
    expect(page.locator("#gate-form")).to_contain_text("A gate needs two models and a device")
    add_model(served, "new")
    page.reload()
    page.get_by_label("New model").select_option("new")
    page.get_by_label("Old model").select_option("old")
    limit = page.get_by_label("How much slower")
    limit.fill("2000")
    page.get_by_role("button", name="Start the gate").click()
    expect(limit).to_be_focused()
    expect(page.locator("#gate-form")).to_contain_text("fail_above must lie in 0..10, got 20")
    limit.fill("3")
    page.get_by_role("button", name="Start the gate").click()
    row = page.locator("#gates tbody tr")
    expect(row).to_contain_text("queued")
    with served.client() as client:
        (gate,) = client.gates()
    assert (gate.new, gate.old, gate.fail_above) == ("new", "old", 0.03)
    verdict = GateVerdict("slower", 1.05, 1.04, 1.06, (1.05,) * 6, 80.0, 84.0)
    with served.database.transaction() as session:
        finish_job(session, gate.job.job_id, datetime.now(UTC), result={"verdict": to_dict(verdict)})
    expect(row).to_contain_text("slower")
    expect(row).to_contain_text("above +4.0 % and below +6.0 %, 6 windows")
