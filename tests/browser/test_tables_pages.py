"""The pages of latency tables: a network is chosen and measured, a cell looked into, tables compared."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from search_server.resources.tables import ProfileCreate
from shared.architecture import uniform_architecture
from shared.protocol.device import Conditions
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.client.served import CONDITIONS, SPACE, Served, table
from tests.client.tiny_device import tiny_device

pytestmark = NEEDS_CHROMIUM


@pytest.fixture
def bench(served: Served) -> str:
    """A device with a table; the snapshot."""
    return served.store(table(served.enrol().device_id))


@pytest.fixture
def desk(served: Served) -> str:
    """Another device: all takes twice as long, but layer06 k5_e6 as long as on the first."""
    slow = table(served.enrol("desk").device_id, scale=2.0)
    key = next(
        placed.key
        for placed in SPACE.segments()
        if (placed.segment.name, placed.block) == ("layer06", "k5_e6")
    )
    same = replace(slow.entries[key], latency_units=slow.entries[key].latency_units / 2)
    return served.store(replace(slow, entries={**slow.entries, key: same}))


def three(value: float) -> str:
    """Three significant digits, as engineers write them: 4.56, 45.6, 456."""
    return f"{value:#.3g}".removesuffix(".")


def press(page: Page, place: str) -> None:
    """Press a cell of the map."""
    page.locator(f"#map button[data-id='{place}']").click()


def profiled(served: Served) -> tuple[str, str]:
    """Have a device measure a table; return the device's credential and the snapshot."""
    token = served.enrol().token
    with served.client() as client, tiny_device(served.url, token):
        job_id = client.start_profile(ProfileCreate("bench", "fbnet-tiny", CONDITIONS)).job.job_id
        *_, done = client.profile_events(job_id)
    assert done.snapshot is not None
    return token, done.snapshot


def test_a_link_to_a_table_shows_the_same_network(page: Page, bench: str) -> None:
    page.goto(f"/tables/{bench}")
    expect(page.get_by_role("heading", level=1)).to_have_text("bench · fbnet-tiny · simulated fp32")
    expect(page.locator("#hash")).to_have_text(bench)
    expect(page).to_have_title("bench · fbnet-tiny · simulated fp32 · edgenas")
    expect(page.get_by_role("rowheader", name="layer01")).to_have_text(
        "layer01 16\N{MULTIPLICATION SIGN}16² → 24\N{MULTIPLICATION SIGN}16²"
    )
    known = page.get_by_label("Known network")
    expect(known).to_have_value("k3_e3")
    network = uniform_architecture(SPACE, "k5_e6").workload()
    known.select_option("k5_e6")
    expect(page).to_have_url(re.compile(r"\?network=k5_e6$"))
    expect(page.locator("#choice")).to_contain_text(f"MACs of an image{three(network.macs / 1e6)} M")
    expect(page.locator("#choice")).to_contain_text(
        f"Weights in fp32{three(network.num_params * 4 / 1e6)} MB"
    )
    press(page, "layer02/k3_e1")
    expect(known).to_have_value("")
    expect(page).to_have_url(re.compile(r"network=k5_e6,k3_e1,k5_e6,"))
    page.get_by_label("What the map shows").select_option("rate")
    expect(page.locator("#unit")).to_have_text("GMAC/s")
    chosen = page.locator("#map button[data-id='layer02/k3_e1']")
    page.reload()
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#unit")).to_have_text("GMAC/s")
    page.go_back()
    expect(page.locator("#unit")).not_to_have_text("GMAC/s")
    page.go_back()
    expect(known).to_have_value("k5_e6")
    expect(chosen).to_have_attribute("aria-pressed", "false")


def test_the_chosen_network_is_measured_by_a_press(page: Page, served: Served) -> None:
    credential = served.enrol()
    snapshot = served.store(table(credential.device_id))
    with tiny_device(served.url, credential.token):
        page.goto(f"/tables/{snapshot}?network=k3_e6")
        page.get_by_role("button", name="Measure it on bench").click()
        expect(page.locator("#measure")).to_contain_text(
            re.compile(r"Simulated: \d\.\d+ ms.* were predicted")
        )
        expect(page.locator("#networks tbody tr")).to_have_count(1)
    with served.client() as client:
        (measurement,) = client.measurements()
    blocks = ",".join(["k3_e6"] * SPACE.num_layers)
    assert [one.architecture for one in measurement.latencies] == [blocks]


def test_a_cell_shows_its_samples_by_keyboard_alone(page: Page, served: Served) -> None:
    _, snapshot = profiled(served)
    with served.client() as client:
        samples = client.cell_samples(snapshot, "layer02", "k3_e3")
    assert samples.spread is not None
    page.goto(f"/tables/{snapshot}")
    page.locator("#map button[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="layer02 k3_e3")).to_be_focused()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="layer02 k3_e3")
    expect(drawer).to_contain_text("p10 to p90")
    expect(drawer.get_by_role("img", name="Distribution")).to_be_visible()
    expect(drawer.get_by_role("img", name="Order")).to_be_visible()
    expect(drawer).to_contain_text(f"{samples.spread.num_samples} in ")
    expect(drawer.get_by_role("row")).to_have_count(1 + len(samples.windows))
    with page.expect_download() as download:
        drawer.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == f"{samples.job_id}-samples.csv"
    expect(page).to_have_url(re.compile("cell=layer02/k3_e3$"))
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(page).not_to_have_url(re.compile("cell="))
    page.go_back()
    expect(drawer).to_be_visible()
    drawer.get_by_role("button", name="Measure again").click()
    expect(drawer).to_contain_text("queued")
    with served.client() as client:
        (again, _) = client.profiles()
    assert (again.job.status, again.is_reused) == ("queued", False)


def test_the_map_shows_the_samples_of_all_cells(page: Page, served: Served) -> None:
    _, snapshot = profiled(served)
    with served.client() as client:
        cells = {(cell.layer, cell.block): cell for cell in client.table(snapshot).cells}
    macs = cells["layer02", "k3_e3"].macs
    page.goto(f"/tables/{snapshot}")
    shown = page.get_by_label("What the map shows")
    shown.select_option("min")
    expect(page).to_have_url(re.compile(r"show=min$"))
    cell = page.locator("#map button[data-id='layer02/k3_e3']")
    # The device takes 6 us and one for 40,000 multiply-accumulates, and its profiler 2.5 us.
    expect(cell).to_have_text(three(6.0 + macs / 40_000 + 2.5))
    expect(page.locator("#unit")).to_have_text("\N{MICRO SIGN}s")
    page.reload()
    expect(shown).to_have_value("min")
    expect(cell).to_have_text(three(6.0 + macs / 40_000 + 2.5))


def test_a_table_is_checked_and_recalibrated_by_a_press(page: Page, served: Served) -> None:
    token, snapshot = profiled(served)
    page.goto(f"/tables/{snapshot}")
    card = page.locator("#check")
    with tiny_device(served.url, token):
        card.get_by_role("button", name="Check it now").click()
        expect(card).to_contain_text(re.compile("Newest check.*unchanged.*Level.0.0 %"))
    card.get_by_role("button", name="Recalibrate").click()
    expect(card).to_contain_text("0 different networks are measured, 5 are needed")


def test_a_table_without_samples_shows_its_own_entries(page: Page, bench: str) -> None:
    page.goto(f"/tables/{bench}?show=p50")
    expect(page.locator("#cell")).to_contain_text("no profile of this server measured it")
    expect(page.get_by_label("What the map shows")).to_have_value("latency")
    expect(page.locator("#map tbody tr")).to_have_count(SPACE.num_layers)


def test_cold_and_sustained_are_one_press_apart(page: Page, served: Served) -> None:
    cold = table(served.enrol().device_id)
    hot = replace(cold, conditions=replace(cold.conditions, thermal="sustained"), anchor_us=1250.0)
    snapshots = served.store(cold), served.store(hot)
    for snapshot in snapshots:
        page.goto(f"/tables/{snapshot}")
        page.get_by_role("link", name="cold beside sustained").click()
        page.wait_for_url(f"**/tables/compare?a={snapshots[0]}&b={snapshots[1]}")
    expect(page.locator("#whole")).to_contain_text("1.250 (median of the cells)")


def test_a_table_without_samples_says_so(page: Page, bench: str) -> None:
    page.goto(f"/tables/{bench}?cell=stem/")
    drawer = page.get_by_role("dialog", name="stem")
    expect(drawer).to_contain_text("no profile of this server measured it")
    drawer.get_by_role("button", name="Close").click()
    expect(drawer).to_have_count(0)


def test_two_tables_are_ticked_and_compared(page: Page, served: Served, bench: str, desk: str) -> None:
    page.goto("/tables")
    for snapshot in (bench, desk):
        page.get_by_role("checkbox", name=snapshot).check()
    page.get_by_role("link", name="Compare the two").click()
    page.wait_for_url(f"**/tables/compare?a={bench}&b={desk}")
    expect(page.locator("#unlike")).to_have_text("Unlike: device bench against desk.")
    with served.client() as client:
        diff = client.table_diff(bench, desk)
    whole = page.locator("#whole")
    expect(whole).to_contain_text("2.000 (median of the cells)")
    expect(whole).to_contain_text(f"{diff.rank_correlation:.3f}")
    expect(whole).to_contain_text(f"{diff.num_flipped_pairs} of 36 pairs change order")
    expect(page.locator("#map button[data-id='layer01/k3_e3']")).to_have_text("2.00")
    expect(page.locator("#map button[data-id='layer06/k5_e6']")).to_have_text("1.00 ▼")
    press(page, "layer06/k5_e6")
    expect(page.locator("#cell")).to_contain_text(re.compile(r"layer06, k5_e6: .* 1\.000 times; rank 9 of"))
    expect(page.locator("#plane svg")).to_be_visible()
    expect(page.locator("#networks tbody tr")).to_have_count(9)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV of what is shown").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "layer,block,a_us,b_us,ratio,rank_a,rank_b"
    assert len(lines) == 1 + len(diff.cells)


@pytest.mark.usefixtures("bench", "desk")
def test_the_list_filters_sorts_and_remembers(page: Page, served: Served) -> None:
    other = table(served.enrol("shelf").device_id, scale=3.0)
    served.store(replace(other, conditions=Conditions("onnxruntime", dtype="int8"), is_simulated=False))
    page.goto("/tables")
    filters, names = page.locator("#filters"), page.locator("#tables tbody a")
    page.get_by_role("button", name="Slowest, ms").click()
    expect(names).to_have_text([re.compile(f"^{name} ·") for name in ("bench", "desk", "shelf")])
    filters.get_by_label("Numbers").select_option("int8")
    shelf = [re.compile("^shelf · fbnet-tiny · onnxruntime int8 ")]
    expect(names).to_have_text(shelf)
    page.reload()
    expect(names).to_have_text(shelf)
    expect(page.locator("#summary")).to_have_text("1 of 3 snapshots, newest first")
    filters.get_by_label("Numbers").select_option("")
    filters.get_by_label("Runtime").select_option("simulated")
    expect(names).to_have_text([re.compile(f"^{name} ·") for name in ("bench", "desk")])
    page.go_back()
    page.go_back()
    expect(names).to_have_text(shelf)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV of what is shown").click()
    assert download.value.path().read_text().count("\n") == 2  # a head and a line
    with served.client() as client:
        device_id = client.device("desk").device_id
    page.goto(f"/tables?device={device_id}")
    expect(names).to_have_text([re.compile("^desk ·")])
    expect(filters.get_by_label("Device")).to_have_value("desk")


def test_a_file_of_another_program_is_imported(page: Page, served: Served, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(table("any").to_json())
    page.goto("/tables")
    page.get_by_text("Import a table…").click()
    form = page.locator("#import")
    form.get_by_label("File").set_input_files(path)
    form.get_by_label("Device").fill("shelf")
    form.get_by_label("Format").select_option("hw-nas-bench")
    button = page.get_by_role("button", name="Import")
    button.click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    form.get_by_label("Format").select_option("json")
    button.click()
    page.wait_for_url(re.compile("/tables/[0-9a-f]{16}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("shelf · fbnet-tiny · simulated fp32")
    with served.client() as client:
        (summary,) = client.tables("shelf")
    assert page.url.endswith(summary.snapshot)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_tables_fit_a_phone(
    page: Page, bench: str, desk: str, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/tables", f"/tables/compare?a={bench}&b={desk}", f"/tables/{bench}?cell=stem/"):
        page.goto(path)
        expect(page.locator(".loading")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
