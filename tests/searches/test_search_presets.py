"""Presets over REST: what they fill in, what wins over them, what is refused, and what is stored."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.latency.stored.snapshots import store_table
from search_server.resources.searches import SearchCreate
from shared.protocol.wire import from_dict
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice
from tests.search_server.tables import known_table, store_known_table

pytestmark = pytest.mark.anyio

BODY = {"device": "raspi", "space": "fbnet-tiny", "data": "digits"}


@pytest.fixture
def snapshot(device: SyntheticDevice, database: Database, clock: Clock) -> str:
    with database.transaction() as session:
        return store_known_table(session, device.device_id, clock())


PAPER = {
    "loss": "fbnet",
    "alpha": 0.2,
    "beta": 0.6,
    "paths": "soft",
    "weights": "separate",
    "epochs": 90,
    "warmup_epochs": 10,
    "batch_size": 192,
    "step_images": 192,
    "weight_lr": 0.1,
    "weight_momentum": 0.9,
    "weight_decay": 1e-4,
    "theta_lr": 0.01,
    "theta_decay": 5e-4,
    "tau_start": 5.0,
    "latency_of": "drawn",
    "theta_share": 0.2,
    "shortlist": "sampled",
    "theta_gradient": "straight_through",
    "theta_paths": 1,
    "weight_clip": 0.0,
    "final_entropy": 1.0,
}
"""FBNet, arXiv 1812.03443. Equation 2 and section 4.1: the loss with alpha 0.2 and beta 0.6. Equations 6
to 8: all candidates run, weighted by m, and LAT is that of m. Section 4.1: 90 epochs, the first 10 of
weights alone; batches of 192; weights on 80 % of the images by SGD of rate 0.1, momentum 0.9 and decay
1e-4, along a cosine; theta on 20 % by Adam of rate 0.01 and decay 5e-4; temperature from 5. Section 3.3:
networks are sampled from P_theta. What the paper does not name is not done: clipped gradients, a schedule
of entropy."""

STORED = json.loads(
    """{"device": "raspi", "space": "fbnet-tiny", "data": "digits", "target_ms": null, "loss": "fbnet",
    "paths": "two", "epochs": 9, "warmup_epochs": 4, "train_epochs": 30, "batch_size": 64,
    "step_images": 16, "num_samples": 6, "seed": 3, "snapshot": null, "compare_baselines": true,
    "conditions": {"runtime": "onnxruntime", "threads": 1, "dtype": "fp32", "batch": 1, "cores": [],
    "thermal": "cold"}, "also": [], "combine": "worst", "latency_sigmas": 1.5, "max_macs": null}"""
)
"""A request from before presets, with an option that has since been removed."""


@pytest.mark.usefixtures("snapshot")
async def test_the_paper_s_search_is_asked_for_by_name_and_stored_in_full(
    api: Api, database: Database
) -> None:
    asked = {**BODY, "preset": "fbnet-paper", "epochs": 30, "beta": 0.9}
    search = await api.post("/searches", asked)
    wanted = {**PAPER, "epochs": 30, "beta": 0.9}
    assert {name: search["request"][name] for name in wanted} == wanted
    with database.reading() as session:
        row = session.get_one(JobRow, search["job"]["job_id"])
        assert {name: row.request[name] for name in wanted} == wanted
    # Section 4.1: the temperature falls by the factor exp(-0.045), about 0.956, an epoch.
    options = from_dict(row.request, SearchCreate)
    for epoch in (0, 1, 10, 30, 89):
        assert options.tau(epoch) == pytest.approx(5 * math.exp(-0.045 * epoch))


@pytest.mark.usefixtures("snapshot")
async def test_a_stored_request_of_an_earlier_version_still_loads(api: Api, database: Database) -> None:
    job_id = (await api.post("/searches", {**BODY, "target_ms": None, "loss": "fbnet"}))["job"]["job_id"]
    with database.transaction() as session:
        session.get_one(JobRow, job_id).request = STORED
    request = (await api.get(f"/searches/{job_id}"))["request"]
    kept = {name: value for name, value in STORED.items() if name not in ("latency_sigmas", "conditions")}
    assert {name: request[name] for name in kept} == kept
    assert "latency_sigmas" not in request
    assert (request["preset"], request["weights"], request["theta_lr"]) == (
        "small-budget",
        "entangled",
        0.1,
    )


async def test_the_schema_tells_defaults_limits_and_meaning(api: Api) -> None:
    schema = api.app.openapi()
    known = schema["components"]["schemas"]["SearchCreate"]["properties"]
    assert (known["epochs"]["default"], known["epochs"]["minimum"], known["epochs"]["maximum"]) == (
        20,
        1,
        10_000,
    )
    assert known["alpha"]["exclusiveMinimum"] == 0
    assert known["max_macs"]["description"] == "Most multiply-accumulates of a network for one image."


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"preset": "paper"}, "body.preset", "'small-budget' or 'fbnet-paper'"),
        ({"weights": "shared"}, "body.weights", "'entangled' or 'separate'"),
        ({"training": "none"}, "body.training", "'scratch' or 'inherit'"),
        ({"latency_unit": "s"}, "body.latency_unit", "'us' or 'ms'"),
        ({"epochs": 5}, "body", "warmup_epochs must lie in 0..4 (below epochs), got 10"),
        ({"alpha": 0}, "body", "alpha must be above 0, got 0"),
        ({"beta": -1}, "body", "beta must be at least 0, got -1"),
        (
            {"loss": "additive", "latency_weight": -0.5},
            "body",
            "latency_weight must be at least 0, got -0.5",
        ),
        ({"tau_start": 0}, "body", "tau_start must be above 0, got 0"),
        ({"final_entropy": 2.0}, "body", "final_entropy must lie in 0..1 (above 0), got 2"),
        ({"step_images": 1}, "body", "step_images must lie in 2..8192, got 1"),
        ({"max_macs": 10}, "body", "loss 'fbnet' holds no limits"),
        ({"loss": "budget"}, "body", "loss 'budget' needs target_ms"),
    ],
)
@pytest.mark.usefixtures("snapshot")
async def test_refusals_name_field_value_and_limit(
    api: Api, changes: dict[str, Any], path: str, message: str
) -> None:
    error = await api.refused("POST", "/searches", {**BODY, "preset": "fbnet-paper", **changes})
    assert error.status == 422
    (fault,) = error.errors
    assert fault.path == path
    assert message in fault.message


async def test_the_paper_s_loss_is_refused_where_its_logarithm_is_not_positive(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    table = known_table(device.device_id)
    fast = replace(table, anchor_us=table.anchor_us * 500 / table.latency_range_us()[0])
    with database.transaction() as session:
        snapshot = store_table(session, fast, clock())
    in_ms = {**BODY, "preset": "fbnet-paper", "latency_unit": "ms"}
    error = await api.refused("POST", "/searches", in_ms)
    assert (error.status, error.type) == (422, "latency_too_small")
    assert error.errors[0].path == "body.latency_unit"
    assert f"the fastest of table {snapshot} takes 0.5 ms, and log(0.5) = -0.693" in error.detail
    assert "use latency_unit 'us', or loss 'budget'" in error.detail
    for passes in ({"latency_unit": "us"}, {"loss": "additive"}):
        await api.post("/searches", {**in_ms, **passes})


def test_python_refuses_an_unknown_preset_too() -> None:
    with pytest.raises(ValueError, match="preset must be one of small-budget, fbnet-paper, got 'paper'"):
        SearchCreate("raspi", "fbnet-tiny", "digits", preset="paper")  # type: ignore[arg-type]
