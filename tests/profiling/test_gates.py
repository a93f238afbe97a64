"""Gates through the server's routes: windows are queued until the verdict is clear."""

from dataclasses import replace

import pytest

from search_server.client.gate_command import read_share, report_text
from search_server.db.session import Database
from search_server.profiling.conclude_gate import LOOKS
from search_server.profiling.plan import ANCHOR_ID
from search_server.resources.gates import Gate, GateCreate
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease
from shared.protocol.wire import from_dict
from tests.own_models.files import create_for, onnx_bytes
from tests.profiling.test_conclude_gate import window
from tests.profiling.test_own_models import renew, with_runtime
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice

pytestmark = pytest.mark.anyio


async def two_models(api: Api, database: Database, device: SyntheticDevice) -> None:
    renew(database, device, **with_runtime())
    for name in ("old", "new"):
        content = onnx_bytes(producer_name=name)
        create = create_for(content, name)
        await api.send("PUT", f"/models/uploads/{create.sha256}?offset=0", content=content)
        await api.post("/models", create)


async def answer(device: SyntheticDevice, lease: Lease, ratio: float) -> None:
    assert [item.item_id for item in lease.items if item.is_anchor] == [ANCHOR_ID]
    for result in window(0, ratio):
        await device.post(replace(result, lease_id=lease.lease_id, fence=lease.fence))


async def test_a_gate_measures_until_it_is_clear(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await two_models(api, database, device)
    started = await api.post("/gates", GateCreate("raspi", "new", "old", 0.02))
    num_windows = 0
    while (lease := await device.lease()) is not None:
        restless = 0.04 * (-1) ** num_windows if num_windows < LOOKS[0] else 0.0
        await answer(device, lease, 1.05 + restless)
        num_windows += 1
    gate = from_dict(await api.get(f"/gates/{started['job']['job_id']}"), Gate)
    assert num_windows in LOOKS[1:]
    assert gate.verdict is not None
    assert (gate.new, gate.old, gate.verdict.outcome) == ("new", "old", "slower")
    assert len(gate.verdict.window_ratios) == num_windows
    assert gate.verdict.low < gate.verdict.ratio < gate.verdict.high
    report = report_text(gate, gate.verdict)
    assert report.startswith("# new is slower than allowed (2 %)\n")
    assert "| limit | +2 % |" in report
    (listed,) = (await api.get("/gates"))["items"]
    assert from_dict(listed, Gate) == gate


async def test_a_model_that_is_not_there_is_named(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await two_models(api, database, device)
    assert (await api.refused("POST", "/gates", GateCreate("raspi", "new", "none"))).type == "unknown_model"


def test_a_limit_is_a_share() -> None:
    assert (read_share("2%"), read_share("0.02"), read_share("0.5%")) == (0.02, 0.02, 0.005)
    for text in ("two", "-1%", "2000%"):
        with pytest.raises(ValueError, match=r"such as 2% or 0\.02"):
            read_share(text)


@pytest.mark.parametrize("accepts", [False, True])
async def test_a_gate_takes_a_restless_device_as_it_is_where_that_is_asked_for(
    api: Api, device: SyntheticDevice, database: Database, accepts: bool
) -> None:
    await two_models(api, database, device)
    create = GateCreate("raspi", "new", "old", 0.02, accept_noise=accepts)
    started = await api.post("/gates", create)
    while (lease := await device.lease()) is not None:
        assert lease.policy.accept_noise is accepts
        for result in window(0, 1.0):
            noise = "takes 1.3 times its best"
            noisy = replace(result, lease_id=lease.lease_id, fence=lease.fence, noise=noise)
            refused = replace(noisy, noise=None, status="throttled", reason=noise)
            await device.post(noisy if accepts else refused)
    gate = from_dict(await api.get(f"/gates/{started['job']['job_id']}"), Gate)
    if accepts:
        assert gate.verdict is not None
        assert gate.verdict.note == "6 of 6 windows would have been refused: takes 1.3 times its best"
        assert f"| note | {gate.verdict.note} |" in report_text(gate, gate.verdict)
    else:
        assert gate.verdict is None
        assert "--accept-noise (REST: accept_noise)" in gate.job.message


def test_the_usual_accelerator_by_its_name_is_the_usual_one() -> None:
    create = GateCreate("raspi", "new", "old", conditions=Conditions("litert", accelerator="xnnpack"))
    assert create.conditions == Conditions("litert")
