"""What a browser has to load and to do for the pages: bytes, requests, longest task, time to draw.

One real server on a database of its own, with made-up things in it; headless Chromium opens each page with
an empty cache. Bytes are those that came over the network, headers included. A task is what the page's
thread does at a stretch; the browser tells those over 50 ms. The map of a latency table is drawn from the
arrival of the table's answer to the moment behind the next frame. Times are medians of the rounds.

    python -m benchmarks.page
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from playwright.sync_api import Browser

from benchmarks.browser import open_page, signed_in, started_browser
from benchmarks.every_page import PAGES, ShownPage, add_search, fill_pages
from benchmarks.load_server import LoadServer, started_server
from benchmarks.machine import figures_parser, print_figures, say
from search_server.client import SearchClient
from search_server.clock import utc_now
from search_server.db.models import DeviceRow
from search_server.db.session import Database
from search_server.latency.stored.snapshots import load_table
from search_server.tokens import create_token

SPACE = "fbnet-224"

WATCH = """
window.seen = {longest: 0, mapAt: null};
new PerformanceObserver((list) => {
  for (const {duration} of list.getEntries()) window.seen.longest = Math.max(window.seen.longest, duration);
}).observe({type: "longtask", buffered: true});
new MutationObserver((_, observer) => {
  if (!document.querySelector(".heat-map")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.seen.mapAt = performance.now(); }));
}).observe(document, {childList: true, subtree: true});
"""
"""What a page is watched with, from before its own scripts on."""

SETTLE = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 500)))"
"""The browser tells of a long task after it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One page, opened with an empty cache."""

    num_bytes: int
    num_requests: int
    longest_task_ms: float
    """0: none over 50 ms."""
    map_ms: float | None
    """From the arrival of a latency table to its map on the screen; None: the page has no such map."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What is aimed at."""

    figure: str
    page: str
    most: float


BARS = (
    Bar("num_bytes", "overview", 150_000),
    Bar("num_bytes", "search", 300_000),
    Bar("num_bytes", "long search", 300_000),
    Bar("longest_task_ms", "long search", 200),
    Bar("map_ms", "table", 100),
)
LONG_SEARCH = ShownPage("long search", "/searches/{long}", "#diagonal .interval")
VISITED = (
    *(page for page in PAGES if page.name in ("overview", "devices", "table", "search")),
    LONG_SEARCH,
)


def fill(server: LoadServer, num_steps: int, num_long_steps: int) -> tuple[str, dict[str, str]]:
    """Fill the server's database; return an administrator's token, and the names in the addresses."""
    database = Database(server.database_url)
    try:
        with database.transaction() as session:
            token = create_token(session, "admin", utc_now())
        with SearchClient(server.url, token) as client:
            names = fill_pages(client, database, SPACE, num_steps)
        with database.transaction() as session:
            device, table = (
                session.get_one(DeviceRow, names["device"]),
                load_table(session, names["snapshot"]),
            )
            names["long"] = add_search(session, device, table, "long", num_long_steps, seed=9)
    finally:
        database.close()
    return token, names


def visit(browser: Browser, url: str, token: str, shown: ShownPage, names: Mapping[str, str]) -> Visit:
    """Open a page as somebody does who has never been there, and return what that took."""
    context = signed_in(browser, url, token, viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    received: list[int] = []
    network = context.new_cdp_session(page)
    network.on("Network.loadingFinished", lambda event: received.append(int(event["encodedDataLength"])))
    network.send("Network.enable")
    open_page(page, shown, names)
    page.evaluate(SETTLE)
    seen = page.evaluate("window.seen")
    answered = page.evaluate(
        """(path) => performance.getEntriesByType("resource")
             .find(({name}) => new URL(name).pathname === path)?.responseEnd ?? null""",
        f"/api/v1/latency-tables/{names['snapshot']}",
    )
    is_map = seen["mapAt"] is not None and answered is not None
    context.close()
    return Visit(
        num_bytes=sum(received),
        num_requests=len(received),
        longest_task_ms=float(seen["longest"]),
        map_ms=seen["mapAt"] - answered if is_map else None,
    )


def typical(visits: list[Visit]) -> Visit:
    """Return the most bytes and requests, and the medians of times."""
    maps = [each.map_ms for each in visits if each.map_ms is not None]
    return Visit(
        max(each.num_bytes for each in visits),
        max(each.num_requests for each in visits),
        median(each.longest_task_ms for each in visits),
        median(maps) if maps else None,
    )


def print_visits(visits: Mapping[str, Visit]) -> None:
    """Print a row a page, and a line a bar."""
    print(f"{'page':<14}{'kB':>8}{'requests':>10}{'longest task, ms':>18}{'map, ms':>10}")
    for name, each in visits.items():
        task = f"{each.longest_task_ms:.0f}" if each.longest_task_ms else "under 50"
        drawn = "" if each.map_ms is None else f"{each.map_ms:.0f}"
        print(f"{name:<14}{each.num_bytes / 1000:>8.1f}{each.num_requests:>10}{task:>18}{drawn:>10}")
    for bar in BARS:
        value = getattr(visits[bar.page], bar.figure)
        word = "met" if value <= bar.most else "MISSED"
        print(f"{bar.page}, {bar.figure}: {value:.0f}, at most {bar.most:.0f}: {word}")


def main() -> None:
    """Visit each page in some rounds; print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=90, help="of a usual search")
    parser.add_argument("--long-steps", type=int, default=10_000, help="of the long search")
    options = parser.parse_args()
    with started_server("sqlite") as server, started_browser() as browser:
        token, names = fill(server, options.steps, options.long_steps)
        say("the server is filled")
        visits: dict[str, Visit] = {}
        for shown in VISITED:
            rounds = [visit(browser, server.url, token, shown, names) for _ in range(options.rounds)]
            visits[shown.name] = typical(rounds)
        version = browser.version
    if not options.json:
        print_visits(visits)
    figures: dict[str, Any] = {name: asdict(each) for name, each in visits.items()}
    bars = [asdict(bar) for bar in BARS]
    print_figures(
        {"benchmark": "page", "chromium": version, "space": SPACE, "figures": figures, "bars": bars}
    )


if __name__ == "__main__":
    main()
