"""A profile from submission to snapshot, and what is made of the snapshot."""

from dataclasses import replace

import pytest

from search_server.latency.table import LatencyTable
from search_server.profiling.plan import MAX_PROFILE_LEASES, MIN_PROFILE_LEASES
from search_server.resources.latencies import MeasurementCreate, PredictionCreate
from search_server.resources.tables import Profile, ProfileCreate, Table
from shared.architecture import parse_architecture
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict
from shared.search_space import search_space
from tests.search_server.api import Api
from tests.search_server.synthetic import (
    SIMULATED,
    SyntheticDevice,
    lease_results,
    lost_results,
    network_latency_us,
    segment_latency_us,
)

pytestmark = pytest.mark.anyio
TINY = search_space("fbnet-tiny")


async def profile(api: Api, device: SyntheticDevice) -> Profile:
    job = await api.post("/profiles", ProfileCreate(device.name, "fbnet-tiny", SIMULATED))
    await device.work()
    return from_dict(await api.get(f"/profiles/{job['job']['job_id']}"), Profile)


async def test_profile_reproduces_the_known_table(api: Api, device: SyntheticDevice) -> None:
    done = await profile(api, device)
    assert (done.job.status, done.job.progress) == ("done", 1.0)
    assert done.verdict is not None
    assert done.verdict.is_accepted
    table = from_dict(await api.get(f"/latency-tables/{done.snapshot}"), Table)
    assert table.summary.device_name == "raspi"
    assert table.summary.num_measured == table.summary.num_entries == done.num_entries
    assert table.summary.conditions.runtime_version == "1.0"
    for cell in table.cells:
        assert cell.latency_us == pytest.approx(segment_latency_us(cell.key), rel=1e-3)


async def test_profile_takes_the_fewest_windows_in_quiet(api: Api, device: SyntheticDevice) -> None:
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    assert await device.work() == MIN_PROFILE_LEASES


async def test_unsteady_device_gets_a_refused_table(api: Api, device: SyntheticDevice) -> None:
    job = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    assert await device.work(noise=1.0) <= MAX_PROFILE_LEASES
    failed = from_dict(await api.get(f"/profiles/{job['job']['job_id']}"), Profile)
    assert failed.job.status == "failed"
    assert "limit" in failed.job.message
    assert failed.verdict is not None
    assert not failed.verdict.is_accepted
    refused = await api.refused(
        "POST", "/predictions", PredictionCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)
    )
    assert refused.type == "no_table"
    assert "edgenas profile -d raspi -s fbnet-tiny --runtime simulated" in refused.detail


async def test_a_refusal_names_the_option_with_which_a_restless_device_is_accepted(
    api: Api, device: SyntheticDevice
) -> None:
    create = ProfileCreate("raspi", "fbnet-tiny", SIMULATED)
    job = await api.post("/profiles", create)
    await device.work(noise=1.0)
    failed = await api.get(f"/profiles/{job['job']['job_id']}")
    assert "--accept-noise" in failed["job"]["message"]
    accepting = await api.post("/profiles", replace(create, accept_noise=True))
    await device.work(noise=1.0)
    done = from_dict(await api.get(f"/profiles/{accepting['job']['job_id']}"), Profile)
    assert (done.job.status, "accepted with its noise" in done.job.message) == ("done", True)
    assert done.verdict is not None
    assert done.verdict.is_accepted
    assert done.verdict.is_noise_accepted
    assert any("limit" in reason for reason in done.verdict.reasons)
    (listed,) = [t for t in (await api.get("/latency-tables"))["items"] if t["snapshot"] == done.snapshot]
    assert listed["verdict"]["is_noise_accepted"]
    csv = await api.send("GET", f"/latency-tables/{done.snapshot}?format=csv")
    assert "accepted with its noise" in csv.text
    exported = await api.send("GET", f"/latency-tables/{done.snapshot}?format=json")
    assert LatencyTable.from_json(exported.content).is_noise_accepted
    predicted = await api.post(
        "/predictions", PredictionCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)
    )
    assert predicted[0]["snapshot"] == done.snapshot
    await api.post(f"/latency-tables/{done.snapshot}/checks")
    checking = await device.lease()
    assert checking is not None
    assert checking.policy.accept_noise
    again = await api.post("/profiles", create)
    assert (again["is_reused"], again["job"]["status"]) == (False, "queued")


async def test_a_quiet_device_has_nothing_to_accept(api: Api, device: SyntheticDevice) -> None:
    usual = await profile(api, device)
    create = ProfileCreate("raspi", "fbnet-tiny", SIMULATED, force=True, accept_noise=True)
    job = await api.post("/profiles", create)
    await device.work()
    done = from_dict(await api.get(f"/profiles/{job['job']['job_id']}"), Profile)
    assert done.verdict is not None
    assert not done.verdict.is_noise_accepted
    assert done.snapshot == usual.snapshot


async def test_windows_that_accepted_noise_do_not_count_where_it_is_not_accepted(
    api: Api, device: SyntheticDevice
) -> None:
    create = ProfileCreate("raspi", "fbnet-tiny", SIMULATED, accept_noise=True)
    job = await api.post("/profiles", create)
    lease = await device.lease()
    assert lease is not None
    assert lease.policy.accept_noise
    for result in lease_results(lease):
        await device.post(replace(result, noise="takes 1.4 times its best (limit 1.10)"))
    await api.post(f"/profiles/{job['job']['job_id']}/cancel")
    await api.post("/profiles", replace(create, accept_noise=False))
    assert await device.work() == MIN_PROFILE_LEASES
    again = await api.post("/profiles", replace(create, force=True))
    assert not again["is_reused"]


async def test_measured_networks_say_what_noise_was_accepted(api: Api, device: SyntheticDevice) -> None:
    create = MeasurementCreate("raspi", "fbnet-tiny", ("k3_e6",), SIMULATED, accept_noise=True)
    job = await api.post("/measurements", create)
    while (lease := await device.lease()) is not None:
        assert lease.policy.accept_noise
        for result in lease_results(lease):
            await device.post(replace(result, noise="takes 1.4 times its best (limit 1.10)"))
    done = await api.get(f"/measurements/{job['job']['job_id']}")
    assert done["latencies"][0]["noise"] == "takes 1.4 times its best (limit 1.10)"


async def test_the_option_is_named_where_it_exists(api: Api, device: SyntheticDevice) -> None:
    done = await profile(api, device)
    measuring = await api.post(
        "/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)
    )
    checking = await api.post(f"/latency-tables/{done.snapshot}/checks")
    while (lease := await device.lease()) is not None:
        for result in lost_results(lease):
            await device.post(result)
    measured = await api.get(f"/measurements/{measuring['job']['job_id']}")
    checked = await api.get(f"/checks/{checking['job']['job_id']}")
    assert (measured["job"]["status"], checked["job"]["status"]) == ("failed", "failed")
    assert "--accept-noise (REST: accept_noise)" in measured["job"]["message"]
    assert "--accept-noise" not in checked["job"]["message"]


async def test_unsupported_workloads_fail_at_once(api: Api, device: SyntheticDevice) -> None:
    job = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    lease = await device.lease()
    assert lease is not None
    for result in lease_results(lease):
        broken = from_dict(
            {
                "lease_id": lease.lease_id,
                "fence": 1,
                "item_id": result.item_id,
                "status": "unsupported",
                "reason": "no grouped convolutions",
            },
            type(result),
        )
        await device.post(broken)
    failed = await api.get(f"/profiles/{job['job']['job_id']}")
    assert failed["job"]["status"] == "failed"
    assert "no grouped convolutions" in failed["job"]["message"]


async def test_valid_table_is_reused_unless_forced(api: Api, device: SyntheticDevice) -> None:
    first = await profile(api, device)
    again = from_dict(await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED)), Profile)
    assert (again.job.status, again.is_reused, again.snapshot) == ("done", True, first.snapshot)
    forced = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED, force=True))
    assert forced["job"]["status"] == "queued"
    other = await api.post(
        "/profiles", ProfileCreate("raspi", "fbnet-tiny", Conditions("simulated", threads=2))
    )
    assert not other["is_reused"]


async def test_two_requests_share_one_profile(api: Api, device: SyntheticDevice) -> None:
    first = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    second = await api.post("/profiles", ProfileCreate(device.device_id, "fbnet-tiny", SIMULATED))
    assert second["job"]["job_id"] == first["job"]["job_id"]


async def test_predictions_are_sums_of_the_table(api: Api, device: SyntheticDevice) -> None:
    done = await profile(api, device)
    networks = ("k3_e6", "skip", ",".join(["k5_e3", "skip"] * 6 + ["k3_e1"]))[
        : 2 if TINY.num_layers % 2 == 0 else 3
    ]
    create = PredictionCreate("raspi", "fbnet-tiny", networks, SIMULATED)
    answers = await api.post("/predictions", create)
    assert len(answers) == len(networks)
    for text, answer in zip(networks, answers, strict=True):
        truth_us = network_latency_us(parse_architecture(text, TINY).workload())
        assert answer["latency_us"] == pytest.approx(truth_us, rel=1e-4)
        assert answer["low_us"] <= answer["latency_us"] <= answer["high_us"]
        assert answer["snapshot"] == done.snapshot
    path = f"/latency-tables/{done.snapshot}/prediction"
    assert await api.get(f"{path}?architecture=k3_e6") == answers[0]
    refused = await api.refused("GET", f"{path}?architecture=k9_e6")
    assert (refused.status, "k9_e6" in refused.detail) == (422, True)


async def test_measured_networks_have_the_tables_level(api: Api, device: SyntheticDevice) -> None:
    await profile(api, device)
    networks = tuple(["k3_e6", "k5_e1"] * 7)
    job = await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", networks, SIMULATED))
    assert await device.work(slowdown=1.5) == 4  # two groups, two windows each
    done = await api.get(f"/measurements/{job['job']['job_id']}")
    assert done["job"]["status"] == "done"
    assert len(done["latencies"]) == len(networks)
    for text, latency in zip(networks, done["latencies"], strict=True):
        truth_us = network_latency_us(parse_architecture(text, TINY).workload())
        assert latency["latency_us"] == pytest.approx(truth_us, rel=1e-4)
        assert latency["raw_latency_us"] == pytest.approx(1.5 * truth_us, rel=1e-6)


async def test_measured_networks_without_a_table_have_their_own_level(
    api: Api, device: SyntheticDevice
) -> None:
    job = await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("k3_e6",), SIMULATED))
    await device.work(slowdown=2)
    done = await api.get(f"/measurements/{job['job']['job_id']}")
    truth_us = network_latency_us(parse_architecture("k3_e6", TINY).workload())
    assert done["latencies"][0]["latency_us"] == pytest.approx(2 * truth_us, rel=1e-6)
    assert (await api.get("/measurements?device=raspi&space=fbnet-tiny"))["items"] == [done]


async def test_exports_come_back_in(api: Api, device: SyntheticDevice) -> None:
    done = await profile(api, device)
    exported = await api.send("GET", f"/latency-tables/{done.snapshot}?format=json")
    assert LatencyTable.from_json(exported.content).snapshot == done.snapshot
    imported = await api.send(
        "POST", "/latency-tables/import?format=json&device=raspi", content=exported.content
    )
    assert imported.json()["summary"]["snapshot"] == done.snapshot
    csv = await api.send("GET", f"/latency-tables/{done.snapshot}", headers={"Accept": "text/csv"})
    assert csv.text.count("\n") == 1 + 2 + TINY.num_layers * 9
    assert csv.headers["content-type"].startswith("text/csv")


async def test_onnxruntime_gets_model_files(api: Api, device: SyntheticDevice) -> None:
    await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("k3_e1",)))
    lease = await device.lease()
    assert lease is not None
    other = await SyntheticDevice.enrol(api, "other")
    for item in lease.items:
        assert item.artifact is not None
        path = f"/artifacts/{item.artifact.sha256}"
        fetched = await api.send("GET", path, token=device.token)
        assert len(fetched.content) == item.artifact.size_bytes
        assert (await api.refused("GET", path, token=other.token)).type == "unknown_artifact"
