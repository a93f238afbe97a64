"""Pictures of the pages: a few for the book, or each page wide and narrow, light and dark, to look at.

A real server with made-up things on it, and two simulated devices with real agents, which profile a small
space. The pictures of the book are in ``docs/images/pages``.

    python -m scripts.pictures
    python -m scripts.pictures --every FOLDER
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.browser import open_page, signed_in, started_browser
from benchmarks.every_page import PAGES, ShownPage, fill_pages
from benchmarks.load_server import LoadServer, started_server
from scripts.local_services import run_to_end, start, stop
from search_server.client import SearchClient
from search_server.clock import utc_now
from search_server.db.session import Database
from search_server.resources.jobs import Job
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.tables import ProfileCreate
from search_server.tokens import create_token
from shared.protocol.device import Conditions

FOLDER = Path(__file__).parents[1] / "docs/images/pages"
SPACE = "fbnet-224"
SMALL_SPACE = "fbnet-tiny"
NUM_STEPS = 90
DEVICES = {"board-a": "silver_4210r", "board-b": "titanxp_1"}
"""Names of the simulated devices, and whose noise they have."""
NETWORKS = ("k3_e1", "k3_e6", "k5_e3")
SIMULATED = Conditions(runtime="simulated")
WIDTHS = (1440, 390)
HEIGHT = 900
LONGEST_S = 600.0
QUALITY = 80

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

DRAWER = ShownPage("drawer", "/tables/{profiled}", "#drawer-samples svg", "?cell=layer06/k5_e6")
DEVICES_COMPARED = ShownPage(
    "compared devices", "/tables/compare", "#plane svg", "?a={profiled}&b={other_profiled}"
)
SAMPLES = ShownPage("samples of a table", "/tables/{profiled}", "#history tbody tr", "?show=min")
EVERY = (*PAGES, DRAWER, DEVICES_COMPARED, SAMPLES)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the book."""

    name: str
    page: str
    most_height: int
    """What lies lower is cut off."""
    width: int = 1280
    scheme: Scheme = "light"


BOOK = (
    Picture("devices", "devices", 900),
    Picture("table", "table", 1300),
    Picture("drawer", "drawer", HEIGHT),
    Picture("compare", "compared devices", 1300),
    Picture("search", "search", 1300),
    Picture("models", "model", 1100),
    Picture("phone", "search", 844, 390, "dark"),
)


@contextmanager
def filled_server() -> Iterator[tuple[LoadServer, str, Mapping[str, str]]]:
    """Start a server, and yield it with an administrator's token and the names in its pages' addresses."""
    with started_server("sqlite") as server, ExitStack() as agents:
        database = Database(server.database_url)
        with database.transaction() as session:
            token = create_token(session, "admin", utc_now())
            enrol_tokens = [create_token(session, "enrol", utc_now()) for _ in DEVICES]
        for name, enrol_token in zip(DEVICES, enrol_tokens, strict=True):
            agents.enter_context(simulated_device(server, name, enrol_token))
        with SearchClient(server.url, token) as client:
            names = fill_pages(client, database, SPACE, NUM_STEPS)
            one, other = [profiled(client, name) for name in DEVICES]
        database.close()
        yield server, token, {**names, "profiled": one, "other_profiled": other}


@contextmanager
def simulated_device(server: LoadServer, name: str, enrol_token: str) -> Iterator[None]:
    """Run the agent of a device that simulates until the block ends."""
    options = ("--name", name, "--runtime", "simulated", "--simulated-device", DEVICES[name])
    data = ("--data", str(server.folder / name))
    run_to_end("profiler-agent", "enrol", server.url, *options, *data, EDGENAS_ENROLMENT_TOKEN=enrol_token)
    agent = start("profiler-agent", "run", *options, *data, log=server.folder / f"{name}.log")
    try:
        yield
    finally:
        stop([agent])


def profiled(client: SearchClient, device: str) -> str:
    """Have a device profile the small space and measure some networks; return the table's snapshot."""
    create = ProfileCreate(device, SMALL_SPACE, SIMULATED, accept_noise=True)
    profile_id = client.start_profile(create).job.job_id
    wait_until_done(lambda: client.profile(profile_id).job)
    measure = MeasurementCreate(device, SMALL_SPACE, NETWORKS, SIMULATED, accept_noise=True)
    measurement_id = client.start_measurement(measure).job.job_id
    wait_until_done(lambda: client.measurement(measurement_id).job)
    snapshot = client.profile(profile_id).snapshot
    assert snapshot is not None
    return snapshot


def wait_until_done(read: Callable[[], Job]) -> None:
    """Return once a job is done.

    Raises:
        RuntimeError: it failed, or takes too long.
    """
    end_s = time.monotonic() + LONGEST_S
    while (job := read()).status != "done":
        if job.status in ("failed", "cancelled") or time.monotonic() > end_s:
            raise RuntimeError(f"{job.kind} on {job.device_name}: {job.status} {job.message}")
        time.sleep(0.5)


def write_book(browser: Browser, server: LoadServer, token: str, names: Mapping[str, str]) -> None:
    """Write the pictures of the book, small enough for a repository."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    pages = {page.name: page for page in EVERY}
    for picture in BOOK:
        viewport = {"width": picture.width, "height": HEIGHT}
        context = signed_in(browser, server.url, token, viewport=viewport, color_scheme=picture.scheme)
        page = context.new_page()
        open_page(page, pages[picture.page], names)
        taken = taken_picture(page)
        cut = taken.crop((0, 0, taken.width, min(taken.height, picture.most_height)))
        path = FOLDER / f"{picture.name}.webp"
        cut.save(path, "WEBP", quality=QUALITY, method=6)
        print(f"{path.stat().st_size / 1000:6.1f} kB  {path}")
        context.close()


def write_every(
    folder: Path, browser: Browser, server: LoadServer, token: str, names: Mapping[str, str]
) -> None:
    """Write each page at each width in each colour scheme."""
    folder.mkdir(parents=True, exist_ok=True)
    for scheme, width in product(SCHEMES, WIDTHS):
        viewport = {"width": width, "height": HEIGHT}
        context = signed_in(browser, server.url, token, viewport=viewport, color_scheme=scheme)
        page = context.new_page()
        for shown in EVERY:
            open_page(page, shown, names)
            taken_picture(page).save(folder / f"{shown.name.replace(' ', '-')}-{width}-{scheme}.png")
        context.close()


def taken_picture(page: Page) -> Image.Image:
    """Return all that a page shows; of an open drawer what is in the window."""
    is_drawer = page.locator("dialog[open]").count() > 0
    shot = page.screenshot(full_page=not is_drawer, animations="disabled")
    return Image.open(io.BytesIO(shot)).convert("RGB")


def main() -> None:
    """Write pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--every", type=Path, metavar="FOLDER", help="each page, to look at")
    folder: Path | None = parser.parse_args().every
    with filled_server() as (server, token, names), started_browser() as browser:
        if folder is None:
            write_book(browser, server, token, names)
        else:
            write_every(folder, browser, server, token, names)


if __name__ == "__main__":
    main()
