"""Pages without a browser: what a session may do, and what a page may load."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from search_server.resources.searches import SearchCreate
from search_server.tokens import Scope
from tests.client.served import Served, serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/login",
        "/devices",
        "/tables",
        "/docs",
        "/tables/abc",
        "/tables/compare",
        "/searches/abc",
        "/searches/new",
        "/compare",
        "/models",
        "/models/abc",
        "/models/compare",
        "/gates",
        "/audit",
    ],
)
def test_pages_load_nothing_from_elsewhere_and_run_no_inline_code(
    served: Served, http: httpx.Client, path: str
) -> None:
    page = http.get(path)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "://" not in page.text.replace(served.url, "")  # the line to type on a device names the server
    assert "<style" not in page.text
    assert "<script>" not in page.text


def test_the_form_of_a_search_asks_every_option_once(http: httpx.Client) -> None:
    form = http.get("/searches/new").text.partition("<form")[2]
    names = re.findall(r' name="(\w+)"', form)
    assert len(names) == len(set(names))
    elsewhere = {"device", "also", "conditions", "target_ms", "snapshot"}  # in the rows of devices
    unasked = {"class_names", "origin", "points"}
    wanted = {each.name for each in fields(SearchCreate)} - elsewhere - unasked
    assert set(names) == wanted


def test_what_stands_in_the_address_is_text(http: httpx.Client) -> None:
    assert "<script>alert" not in http.get("/tables/%22%3E%3Cscript%3Ealert(1)").text


def test_the_page_of_devices_shows_the_line_for_a_device(served: Served, http: httpx.Client) -> None:
    assert f"curl -fsS {served.url}/install/agent.sh | sh" in http.get("/devices").text


def test_a_device_fetches_its_agent_without_a_token(served: Served) -> None:
    with httpx.Client(base_url=served.url) as device:
        script = device.get("/install/agent.sh").text
        (name,) = re.findall(r"^wheel=(.*)$", script, re.MULTILINE)
        (sha256,) = re.findall(r"^sha256=(.*)$", script, re.MULTILINE)
        assert f"server={served.url}\n" in script
        assert hashlib.sha256(device.get(f"/install/{name}").content).hexdigest() == sha256
        assert "httpx==" in device.get("/install/requirements.txt").text
        assert device.get("/install/agent.sh", headers={"Host": "x:0"}).status_code == 422
        assert device.get("/install/edgenas_agent-9-py3-none-any.whl").status_code == 404


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(
    served: Served, http: httpx.Client
) -> None:
    assert http.get("/api/v1/devices").status_code == 401
    assert http.get("/session").status_code == 401
    signed_in = http.post("/session", json={"token": served.token})
    assert signed_in.status_code == 204
    cookie = signed_in.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert http.get("/api/v1/devices").status_code == 200
    http.delete("/session")
    assert http.get("/api/v1/devices").status_code == 401


def test_a_page_changes_things_with_the_word_of_its_session(served: Served, http: httpx.Client) -> None:
    served.enrol()
    http.post("/session", json={"token": served.token})
    assert http.delete("/api/v1/devices/bench").status_code == 403
    session = http.get("/session")
    assert session.json().keys() == {"user", "is_admin", "csrf_token"}
    assert session.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in session.headers
    headers = {"Origin": served.url, "X-Edgenas-CSRF": session.json()["csrf_token"]}
    assert http.delete("/api/v1/devices/bench", headers=headers).status_code == 204


def test_another_site_signs_nobody_in(served: Served, http: httpx.Client) -> None:
    token = {"token": served.token}
    refused = http.post("/session", json=token, headers={"Origin": "https://elsewhere.example"})
    assert (refused.status_code, refused.json()["type"]) == (403, "foreign_origin")
    assert http.post("/session", json=token, headers={"Origin": served.url}).status_code == 204


@pytest.mark.parametrize(("scope", "status"), [("enrol", 403), ("user", 204), ("admin", 204)])
def test_only_people_sign_in(served: Served, http: httpx.Client, scope: Scope, status: int) -> None:
    token = served.new_token(scope)
    assert http.post("/session", json={"token": token}).status_code == status


def test_an_unknown_page_is_a_page_for_people_and_json_for_programs(http: httpx.Client) -> None:
    page = http.get("/serches", headers={"Accept": "text/html,*/*"})
    assert page.status_code == 404
    assert "Nothing is at <code>/serches</code>" in page.text
    assert http.get("/serches").json()["type"].endswith("unknown_route")


def test_answers_are_compressed_for_who_takes_that(http: httpx.Client) -> None:
    script = http.get("/static/search.js")
    assert script.headers["Content-Encoding"] == "gzip"
    plain = http.get("/static/search.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.content == script.content


@pytest.mark.parametrize("name", ["nothing.js", "..%2Froutes.py", "%2e%2e"])
def test_only_own_files_are_served(http: httpx.Client, name: str) -> None:
    assert http.get(f"/static/{name}").status_code == 404


def test_every_file_that_a_page_names_exists(http: httpx.Client) -> None:
    folder = Path(__file__).parents[2] / "search_server" / "web" / "static"
    for script in folder.glob("*.js"):
        for line in script.read_text().splitlines():
            if line.startswith("import ") or line.startswith("} from"):
                name = line.rpartition('"./')[2].rstrip('";')
                assert http.get(f"/static/{name}").status_code == 200, f"{script.name} imports {name}"
