"""What computes is a condition: offered by the device, refused in words, never mixed in one table."""

from dataclasses import replace
from typing import Any

import pytest

from search_server.resources.tables import ProfileCreate
from shared.protocol.device import Conditions, RuntimeInfo
from shared.protocol.measurement import LeaseRequest
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice, device_facts

pytestmark = pytest.mark.anyio

LITERT = Conditions(runtime="litert")


@pytest.fixture
async def litert_device(api: Api, device: SyntheticDevice) -> SyntheticDevice:
    """A device with LiteRT, by XNNPACK and without."""
    runtimes = (RuntimeInfo("litert", "2.3.0", accelerators=("xnnpack", "cpu")),)
    request = LeaseRequest(device=replace(device_facts("raspi"), runtimes=runtimes))
    await api.send("POST", "/agent/lease", request, token=device.token)
    return device


async def profile(api: Api, accelerator: str) -> dict[str, Any]:
    conditions = replace(LITERT, accelerator=accelerator)
    answer = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", conditions))
    job: dict[str, Any] = answer["job"]
    return job


@pytest.mark.usefixtures("litert_device")
async def test_the_usual_accelerator_by_name_is_the_same_as_none(api: Api) -> None:
    usual, named, other = [await profile(api, name) for name in ("", "xnnpack", "cpu")]
    assert named["job_id"] == usual["job_id"]
    assert named["conditions"]["accelerator"] == ""
    assert other["job_id"] != usual["job_id"]
    assert other["conditions"]["accelerator"] == "cpu"


async def test_a_lease_says_what_computes(api: Api, litert_device: SyntheticDevice) -> None:
    await profile(api, "cpu")
    lease = await litert_device.lease()
    assert lease is not None
    assert lease.conditions.accelerator == "cpu"


@pytest.mark.usefixtures("litert_device")
async def test_what_a_device_does_not_offer_is_refused_in_words(api: Api) -> None:
    create = ProfileCreate("raspi", "fbnet-tiny", replace(LITERT, accelerator="nnapi"))
    error = await api.refused("POST", "/profiles", create)
    assert (error.status, error.type) == (422, "unsupported_accelerator")
    assert "device 'raspi' offers xnnpack, cpu on litert, not nnapi" in error.detail


def test_unlike_accelerators_have_unlike_keys() -> None:
    keys = {replace(LITERT, accelerator=name).usual_unsaid().key for name in ("", "xnnpack", "cpu", "gpu")}
    assert len(keys) == 3
