"""The benchmark of the pages counts what a known page takes, and fills a server with what it says."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from benchmarks.every_page import PAGES, ShownPage, fill_pages
from benchmarks.page import BARS, VISITED, Visit, typical, visit
from tests.browser.chromium import NEEDS_CHROMIUM
from tests.client.served import Served

pytestmark = NEEDS_CHROMIUM

BUSY_MS = 120
SCRIPT = f"const begin = performance.now(); while (performance.now() < begin + {BUSY_MS}) ; //".ljust(
    40_000, "x"
)
PAGE = '<!doctype html><link rel="icon" href="data:,"><script src="/busy.js" defer></script><h1>known</h1>'
MOST_HEADER_BYTES = 1_000


class _KnownPage(BaseHTTPRequestHandler):
    """A page with one script, which is busy for a known time."""

    def do_GET(self) -> None:
        self._answer(
            SCRIPT if self.path == "/busy.js" else PAGE,
            "text/javascript" if ".js" in self.path else "text/html",
        )

    def do_POST(self) -> None:
        self._answer("", "text/plain")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self, text: str, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def known_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _KnownPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_bytes_requests_and_the_longest_task_of_a_known_page(browser: Browser, known_url: str) -> None:
    seen = visit(browser, known_url, "", ShownPage("known", "/", "h1"), {"snapshot": ""})
    assert seen.num_requests == 2
    content = len(PAGE) + len(SCRIPT)
    assert content < seen.num_bytes < content + 2 * MOST_HEADER_BYTES
    assert seen.longest_task_ms >= BUSY_MS  # the script looks at the same clock
    assert seen.map_ms is None


def test_times_are_medians_and_bytes_the_most() -> None:
    visits = [Visit(10, 1, 60.0, 5.0), Visit(12, 1, 50.0, 9.0), Visit(11, 2, 900.0, 7.0)]
    assert typical(visits) == Visit(12, 2, 60.0, 7.0)


def test_a_table_of_fbnet_224_is_drawn_as_22_rows_of_9(browser: Browser, served: Served) -> None:
    with served.client() as client:
        names = fill_pages(client, served.database, "fbnet-224", num_steps=8)
        assert client.search_curves(names["search"]).num_steps == 8
        cells = client.table(names["snapshot"]).cells
    assert len({cell.layer for cell in cells if cell.block}) == 22
    assert len({cell.block for cell in cells if cell.block}) == 9
    token = served.new_token("admin")
    (page,) = (page for page in PAGES if page.name == "table")
    seen = visit(browser, served.url, token, page, names)
    assert seen.map_ms is not None


def test_every_bar_is_of_a_page_that_is_visited() -> None:
    assert {bar.page for bar in BARS} <= {page.name for page in VISITED}
