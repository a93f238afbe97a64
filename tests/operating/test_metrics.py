"""What Prometheus reads, and that the dashboard and the alert rules ask for nothing else."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from search_server.db.session import Database
from search_server.housekeeping import keep_house
from search_server.resources.tables import ProfileCreate
from search_server.searches.worker_book import note_worker
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

pytestmark = pytest.mark.anyio

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
OF_PROMETHEUS = {"job", "instance", "le"}


async def figures(api: Api) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return each series by its name and labels."""
    text = (await api.send("GET", "/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def series(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def expressions() -> list[str]:
    rules: Any = yaml.safe_load((MONITORING / "alert-rules.yml").read_text())
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return asked + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


async def test_figures_are_those_of_what_happened(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    await SyntheticDevice.enrol(api, "jetson")
    for name in ("raspi", "jetson"):
        await api.post("/profiles", ProfileCreate(name, "fbnet-tiny", SIMULATED))
    assert await device.lease() is not None
    clock.pass_s(100)
    num_leases = await device.work()
    context = api.app.state.context
    keep_house(database, context.data_dir, context.store, clock, context.house)
    kept_at = clock.time
    with database.transaction() as session:
        note_worker(session, "worker_1", clock())
        note_worker(session, "worker_2", clock() - timedelta(seconds=61))
    await api.send("GET", "/profiles/nothing")
    found = await figures(api)
    assert found[series("edgenas_devices")] == 2
    assert found[series("edgenas_devices_online")] == 1
    assert found[series("edgenas_workers_alive")] == 1
    assert found[series("edgenas_jobs", kind="profile", status="queued")] == 1
    assert found[series("edgenas_queue_age_seconds", kind="profile")] == pytest.approx(100, abs=1)
    assert found[series("edgenas_leases", status="done")] == num_leases
    # The anchor and nine covers in each window; the nine families take part in every other one.
    assert found[series("edgenas_results_total")] == num_leases * (1 + 9) + num_leases // 2 * 9
    kept_s = found[series("edgenas_housekeeping_last_run_timestamp_seconds")]
    assert kept_s == pytest.approx(kept_at.timestamp(), abs=1)
    route = "/profiles/{job_id}"
    assert found[series("edgenas_http_requests_total", method="GET", route=route, status="404")] == 1
    assert found[series("edgenas_http_request_seconds_count", method="GET", route=route)] == 1
    enrolled = series("edgenas_http_requests_total", method="POST", route="/devices", status="201")
    assert found[enrolled] == 2


async def test_paths_that_nobody_serves_share_one_series(api: Api) -> None:
    for number in range(3):
        await api.send("GET", f"/nothing/{number}")
    found = await figures(api)
    assert found[series("edgenas_http_requests_total", method="GET", route="none", status="404")] == 3


async def test_dashboard_and_alerts_ask_for_what_is_there(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    await api.post("/profiles", ProfileCreate(device.name, "fbnet-tiny", SIMULATED))
    context = api.app.state.context
    keep_house(database, context.data_dir, context.store, clock, context.house)
    there: dict[str, set[str]] = {}
    for shown, values in await figures(api):
        there.setdefault(shown, set()).update(label for label, _ in values)
    for expression in expressions():
        names = re.findall(r"\bedgenas_[a-z_]+", expression)
        assert names or "up{" in expression, expression
        for name in names:
            assert name in there, expression
        labels = set(re.findall(r"[{,]\s*([a-z_]+)\s*[=!]", expression))
        grouped = {name for part in re.findall(r"by \(([^)]*)\)", expression) for name in part.split(", ")}
        known = set.union(OF_PROMETHEUS, *(there[name] for name in names))
        assert labels | grouped <= known, expression


def test_every_alert_says_what_to_do() -> None:
    rules: Any = yaml.safe_load((MONITORING / "alert-rules.yml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["next_step"].endswith((".", "?"))
