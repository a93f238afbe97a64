"""``edgenas samples``, and samples through both clients, against the real app."""

import asyncio
from pathlib import Path

import pytest
from pyarrow import csv, parquet

from search_server.client import AsyncSearchClient
from search_server.resources.latencies import MeasurementCreate
from tests.client.conftest import Edgenas
from tests.client.served import CONDITIONS, Served
from tests.client.tiny_device import NUM_ROUNDS, tiny_device


@pytest.fixture
def job(served: Served) -> str:
    """A measurement of one network: two leases, in each of which it runs as often as the anchor."""
    with served.client() as client, tiny_device(served.url, served.enrol().token):
        create = MeasurementCreate("bench", "fbnet-tiny", ("k3_e3",), CONDITIONS)
        job_id = client.start_measurement(create).job.job_id
        *_, last = client.measurement_events(job_id)
        assert last.job.status == "done"
    return job_id


def test_export_writes_all_leases(job: str, edgenas: Edgenas, tmp_path: Path) -> None:
    path, text = tmp_path / "samples.parquet", tmp_path / "samples.txt"
    done = edgenas("samples", "export", job, "-o", str(path))
    assert (done.exit_code, done.stdout) == (0, "")
    assert "the samples of 2 leases" in done.stderr
    rows = parquet.read_table(path)
    assert rows.num_rows == 2 * 2 * NUM_ROUNDS
    assert edgenas("samples", "export", job, "-o", str(text), "--format", "csv").exit_code == 0
    assert csv.read_csv(text)["wall_us"].to_pylist() == rows["wall_us"].to_pylist()
    assert sorted(tmp_path.glob("*samples*")) == [path, text]


def test_export_says_what_is_wrong(job: str, served: Served, edgenas: Edgenas, tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    unknown = edgenas("samples", "export", "job_0", "-o", str(path))
    assert (unknown.exit_code, "no job 'job_0'" in unknown.stderr) == (1, True)
    unnamed = edgenas("samples", "export", job, "-o", str(tmp_path / "samples"))
    assert (unnamed.exit_code, "must end with .parquet or .csv" in unnamed.stderr) == (2, True)
    path.write_text("mine")
    taken = edgenas("samples", "export", job, "-o", str(path))
    assert (taken.exit_code, "exists already" in taken.stderr, path.read_text()) == (2, True, "mine")
    with served.client() as client:
        create = MeasurementCreate("bench", "fbnet-tiny", ("k5_e3",), CONDITIONS)
        waiting = client.start_measurement(create).job.job_id
    early = edgenas("samples", "export", waiting, "-o", str(tmp_path / "early.csv"))
    assert (early.exit_code, "none of its leases is done yet" in early.stderr) == (1, True)
    assert not list(tmp_path.glob("*early*"))


def test_both_clients_answer_the_same(job: str, served: Served) -> None:
    async def awaited() -> tuple[object, ...]:
        async with AsyncSearchClient(served.url, served.token) as client:
            leases = await client.leases(job)
            parts = [part async for part in client.export_samples(job)]
            return leases, await client.samples(leases[0].lease_id), b"".join(parts)

    with served.client() as client:
        leases = client.leases(job)
        samples = client.samples(leases[0].lease_id)
        assert [item.item_id for item in samples.items] == ["anchor", "net0"]
        assert len(samples.items[1].result.runs.wall_us) == NUM_ROUNDS
        blocking = leases, samples, b"".join(client.export_samples(job))
    assert asyncio.run(awaited()) == blocking
