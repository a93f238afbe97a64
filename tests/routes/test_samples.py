"""The samples of a job: all that the device sent comes back, and a file of them is enough for its table."""

import csv
import io
from dataclasses import astuple, replace
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from search_server.db.session import Database
from search_server.latency.stored.snapshots import load_table
from search_server.latency.table import LatencyTable
from search_server.profiling.plan import MIN_PROFILE_LEASES
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.samples import JobLease, LeaseSamples
from search_server.resources.tables import ProfileCreate
from shared.architecture import parse_architecture
from shared.protocol.measurement import RunSamples
from shared.protocol.wire import from_dict
from shared.search_space import search_space
from tests.conftest import Clock
from tests.markdown_code import code_blocks
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, lease_results, lost_results

pytestmark = pytest.mark.anyio
TINY = search_space("fbnet-tiny")


async def start_profile(api: Api) -> str:
    job = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    return str(job["job"]["job_id"])


async def start_measurement(api: Api, network: str) -> str:
    job = await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", (network,), SIMULATED))
    return str(job["job"]["job_id"])


async def profile(api: Api, device: SyntheticDevice, noise: float = 0.0) -> tuple[str, str]:
    """Profile the small space; return the job and the snapshot."""
    job_id = await start_profile(api)
    await device.work(noise=noise)
    return job_id, (await api.get(f"/profiles/{job_id}"))["snapshot"]


async def leases(api: Api, job_id: str) -> tuple[JobLease, ...]:
    return from_dict(await api.get(f"/leases?job={job_id}"), tuple[JobLease, ...])


async def exported(api: Api, job_id: str) -> pyarrow.Table:
    response = await api.send("GET", f"/samples?job={job_id}")
    assert response.headers["content-type"] == "application/vnd.apache.parquet", response.text
    return parquet.read_table(io.BytesIO(response.content))


def refit(path: Path) -> LatencyTable:
    """Fit a table as the documentation does."""
    names: dict[str, object] = {}
    exec("\n".join(code_blocks("samples.md", "python")), names)  # the page's own code
    table = names["refit"](str(path))  # type: ignore[operator]
    assert isinstance(table, LatencyTable)
    return table


def stored_table(database: Database, snapshot: str) -> LatencyTable:
    with database.reading() as session:
        return load_table(session, snapshot)


def assert_alike(table: LatencyTable, stored: LatencyTable) -> None:
    """Check that two tables are one snapshot; linear algebra may round the last digits in another way."""
    assert table.entries.keys() == stored.entries.keys()
    for key, entry in table.entries.items():
        expected = stored.entries[key]
        assert astuple(entry)[:3] == pytest.approx(astuple(expected)[:3], rel=1e-9)
    assert table.network_sigma == pytest.approx(stored.network_sigma, rel=1e-6)
    assert (table.anchor_us, table.conditions) == (stored.anchor_us, stored.conditions)
    if table.entries == stored.entries and table.network_sigma == stored.network_sigma:
        assert table.snapshot == stored.snapshot


async def test_samples_are_what_the_device_sent(api: Api, device: SyntheticDevice, clock: Clock) -> None:
    job_id = await start_measurement(api, "k3_e6")
    lease = await device.lease()
    assert lease is not None
    handed_out_at = clock.time
    clock.pass_s(5)
    sent = lease_results(lease, noise=0.1)
    for result in sent:
        await device.post(result)
    first, second = await leases(api, job_id)
    assert (first.lease_id, first.num_items) == (lease.lease_id, 2)
    assert [(one.status, one.num_hand_outs) for one in (first, second)] == [("done", 1), ("pending", 0)]
    samples = from_dict(await api.get(f"/leases/{lease.lease_id}/samples"), LeaseSamples)
    assert [item.result for item in samples.items] == sent
    assert (samples.space, samples.device_name, samples.conditions) == ("fbnet-tiny", "raspi", SIMULATED)
    anchor, network = samples.items
    assert (anchor.is_anchor, network.is_anchor, network.is_profiled) == (True, False, False)
    assert network.architecture is not None
    assert parse_architecture(network.architecture, TINY) == parse_architecture("k3_e6", TINY)
    assert samples.lease.leased_at is not None
    assert samples.lease.leased_at <= handed_out_at.isoformat() < network.received_at


async def test_a_table_can_be_fitted_from_the_file_alone(
    api: Api, device: SyntheticDevice, database: Database, tmp_path: Path
) -> None:
    job_id, snapshot = await profile(api, device, noise=0.05)
    path = tmp_path / "samples.parquet"
    path.write_bytes((await api.send("GET", f"/samples?job={job_id}&format=parquet")).content)
    assert_alike(refit(path), stored_table(database, snapshot))


async def test_windows_of_an_interrupted_profile_count(
    api: Api, device: SyntheticDevice, database: Database, tmp_path: Path
) -> None:
    first = await start_profile(api)
    for _ in range(2):
        lease = await device.lease()
        assert lease is not None
        for result in lease_results(lease, noise=0.05):
            await device.post(replace(result, agent_version=""))
    await api.post(f"/profiles/{first}/cancel")
    second, snapshot = await profile(api, device, noise=0.05)
    counted = [one for one in await leases(api, second) if one.status == "done"]
    assert [one.job_id for one in counted] == [first] * 2 + [second] * (MIN_PROFILE_LEASES - 2)
    path = tmp_path / "samples.parquet"
    path.write_bytes((await api.send("GET", f"/samples?job={second}")).content)
    assert_alike(refit(path), stored_table(database, snapshot))


async def test_rows_of_the_file_are_counted_by_hand(api: Api, device: SyntheticDevice) -> None:
    job_id, _ = await profile(api, device)
    table = await exported(api, job_id)
    (lease_id, *_) = dict.fromkeys(table["lease_id"].to_pylist())
    rows = [row for row in table.to_pylist() if row["lease_id"] == lease_id]
    # The synthetic device runs every network 8 times, and profiles 6 runs of each of the 9 covers.
    kinds = [row["kind"] for row in rows]
    num_networks = len({row["item_id"] for row in rows})
    assert kinds.count("run") == 8 * num_networks
    assert kinds.count("profiled_run") == 6 * 9
    cover = [row for row in rows if row["item_id"] == "cover0_0" and row["kind"] == "node"]
    num_computing = 2 + sum(block != "skip" for block in cover[0]["architecture"].split(","))
    identities = 2 + TINY.num_layers - num_computing  # of those that skip, some may have to compute
    assert 6 * 2 * num_computing <= len(cover) <= 6 * 2 * (num_computing + identities)
    assert [row["run"] for row in cover[:7]] == [0, 1, 2, 3, 4, 5, 0]
    assert (cover[0]["segment"], cover[0]["op_type"], cover[0]["start_us"]) == ("stem", "Conv", None)


async def test_a_network_that_never_ran_has_a_row(api: Api, device: SyntheticDevice) -> None:
    await start_measurement(api, "skip")
    lease = await device.lease()
    assert lease is not None
    for result in lost_results(lease):
        never_ran = replace(result, runs=RunSamples(), status="error", reason="=cmd|' /C calc'!A0")
        await device.post(never_ran)
    path = f"/leases/{lease.lease_id}/samples"
    text = (await api.send("GET", path, headers={"Accept": "text/csv"})).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["item_id"], row["kind"], row["run"], row["wall_us"]) for row in rows] == [
        ("anchor", "none", "", ""),
        ("net0", "none", "", ""),
    ]
    assert rows[0]["reason"] == "'=cmd|' /C calc'!A0"  # no spreadsheet runs it
    asked = await api.send("GET", f"{path}?format=parquet")
    assert parquet.read_table(io.BytesIO(asked.content))["reason"].to_pylist() == ["=cmd|' /C calc'!A0"] * 2


async def test_csv_has_the_numbers_of_parquet(api: Api, device: SyntheticDevice) -> None:
    job_id, _ = await profile(api, device, noise=0.05)
    text = (await api.send("GET", f"/samples?job={job_id}&format=csv")).text
    rows, table = list(csv.DictReader(io.StringIO(text))), await exported(api, job_id)
    assert list(rows[0]) == table.column_names
    assert [float(row["wall_us"]) for row in rows] == table["wall_us"].to_pylist()


async def test_what_is_refused(api: Api, device: SyntheticDevice) -> None:
    unknown = await api.refused("GET", "/samples?job=job_0")
    assert (unknown.status, unknown.type, "/profiles" in unknown.detail) == (404, "unknown_job", True)
    assert (await api.refused("GET", "/leases?job=job_0")).type == "unknown_job"
    lost = await api.refused("GET", "/leases/lease_0/samples")
    assert (lost.status, lost.type, "/leases?job=ID" in lost.detail) == (404, "unknown_lease", True)
    waiting = (await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED)))["job"][
        "job_id"
    ]
    early = await api.refused("GET", f"/samples?job={waiting}")
    assert (early.status, early.type) == (409, "no_samples")
    assert "none of its leases is done yet" in early.detail
    await device.work()
    again = await start_profile(api)
    reused = await api.refused("GET", f"/samples?job={again}")
    assert f"it has no leases; jobs that measured for it: {waiting}" in reused.detail
    assert (await api.refused("GET", f"/samples?job={waiting}", token=device.token)).status == 403
