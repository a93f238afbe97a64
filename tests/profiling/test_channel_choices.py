"""The table of a space whose stages offer inner channels holds each layer with each of them."""

import pytest

from search_server.resources.latencies import PredictionCreate
from search_server.resources.tables import Profile, ProfileCreate, Table
from shared.architecture import parse_architecture
from shared.protocol.wire import from_dict
from shared.search_space import search_space
from tests.search_server.api import Api
from tests.search_server.synthetic import (
    SIMULATED,
    SyntheticDevice,
    network_latency_us,
    segment_latency_us,
)

pytestmark = pytest.mark.anyio

SPACE = (
    "own:resolution=16,classes=10,stem=8s2,stages=8x3s1_c8.16.40-16x3s2_c24.48.96,head=32,"
    "blocks=k3_c1-k3_c2-k3_c3-k5_c1-k5_c3-skip"
)


async def test_a_profile_measures_every_width_and_predicts_networks(
    api: Api, device: SyntheticDevice
) -> None:
    """Three shapes of layers with six candidates; in two of the shapes a skip is nothing."""
    job = await api.post("/profiles", ProfileCreate(device.name, SPACE, SIMULATED))
    await device.work()
    done = from_dict(await api.get(f"/profiles/{job['job']['job_id']}"), Profile)
    assert done.job.status == "done", done.job.message
    table = from_dict(await api.get(f"/latency-tables/{done.snapshot}"), Table)
    assert len(table.cells) == 6 * 6 + 2
    assert len({cell.key for cell in table.cells if cell.status != "identity"}) == 3 * 6 - 2 + 2
    for cell in table.cells:
        assert cell.latency_us == pytest.approx(segment_latency_us(cell.key), rel=0.01)
    blocks = "k3_c1,k5_c3,skip,k3_c3,k5_c1,k3_c2"
    predictions = await api.post("/predictions", PredictionCreate(device.name, SPACE, (blocks,), SIMULATED))
    truth_us = network_latency_us(parse_architecture(blocks, search_space(SPACE)).workload())
    assert predictions[0]["latency_us"] == pytest.approx(truth_us, rel=0.02)
