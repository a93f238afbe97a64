"""Old samples go, and nothing that was concluded from them changes."""

import io
import statistics
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from sqlalchemy import func, select, text

from search_server.db.models import JobRow, ResultRow
from search_server.db.session import Database
from search_server.housekeeping import keep_house
from search_server.operating.collector import HouseBook
from search_server.operating.retention import Compacted, compact
from search_server.resources.tables import ProfileCreate
from shared.architecture import anchor_architecture
from shared.search_space import search_space
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

pytestmark = pytest.mark.anyio
MONTH = timedelta(days=30)


async def profiled(api: Api, device: SyntheticDevice) -> str:
    """Profile a device and return the job."""
    created = await api.post("/profiles", ProfileCreate(device.name, "fbnet-tiny", SIMULATED))
    await device.work()
    job_id: str = created["job"]["job_id"]
    return job_id


async def concluded(api: Api, database: Database, job_id: str) -> Any:
    """Return all that people read of a profile, but samples."""
    job = await api.get(f"/profiles/{job_id}")
    snapshot = job["snapshot"]
    with database.reading() as session:
        nodes = session.execute(text("SELECT * FROM node_latencies ORDER BY lease_id, item_id, node_index"))
        cells = session.execute(text("SELECT * FROM latency_entries ORDER BY position"))
        rows = [tuple(row) for row in (*nodes, *cells)]
    table = await api.get(f"/latency-tables/{snapshot}")
    anchor = str(anchor_architecture(search_space("fbnet-tiny")))
    prediction = await api.get(f"/latency-tables/{snapshot}/prediction?architecture={anchor}")
    leases = await api.get(f"/leases?job={job_id}")
    return job, (table, prediction), leases, rows


async def test_what_was_concluded_reads_the_same(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    job_id = await profiled(api, device)
    store = api.app.state.context.store
    before = await concluded(api, database, job_id)
    (lease_id, *_) = (lease["lease_id"] for lease in before[2])
    old = (await api.get(f"/leases/{lease_id}/samples"))["items"]
    clock.pass_s(MONTH.total_seconds() + 1)
    told = compact(database, store, MONTH, clock(), is_dry=True)
    with database.reading() as session:
        assert told.num_results == session.scalar(select(func.count()).select_from(ResultRow))
    assert (await api.get(f"/leases/{lease_id}/samples"))["items"] == old
    assert compact(database, store, MONTH, clock()) == told
    assert compact(database, store, MONTH, clock()) == Compacted()
    assert await concluded(api, database, job_id) == before
    for item, earlier in zip((await api.get(f"/leases/{lease_id}/samples"))["items"], old, strict=True):
        wall_us = earlier["result"]["runs"]["wall_us"]
        assert item["summary"]["runs"]["num_samples"] == len(wall_us)
        assert item["summary"]["runs"]["median_us"] == pytest.approx(statistics.median(wall_us))
        empty = {"runs": item["result"]["runs"], "nodes": [], "profiled_wall_us": []}
        assert item["result"] == {**earlier["result"], **empty}
        assert set(map(len, item["result"]["runs"].values())) == {0}


async def test_what_is_young_or_unfinished_is_kept(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    job_id = await profiled(api, device)
    store = api.app.state.context.store
    clock.pass_s(MONTH.total_seconds() - 3600)
    assert compact(database, store, MONTH, clock()) == Compacted()
    clock.pass_s(7200)
    with database.transaction() as session:
        session.get_one(JobRow, job_id).status = "running"
    assert compact(database, store, MONTH, clock()) == Compacted()
    with pytest.raises(ValueError, match="at least 1d"):
        compact(database, store, timedelta(hours=23), clock())


async def test_files_of_compacted_samples_tell_medians(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    job_id = await profiled(api, device)
    clock.pass_s(MONTH.total_seconds() + 1)
    compact(database, api.app.state.context.store, MONTH, clock())
    content = (await api.send("GET", f"/samples?job={job_id}&format=parquet")).content
    rows = parquet.read_table(io.BytesIO(content)).to_pylist()
    assert {row["kind"] for row in rows} == {"run_median", "profiled_run_median"}
    assert all(row["wall_us"] > 0 and row["run"] is None for row in rows)


async def test_checkpoints_of_done_searches_go(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    data_dir: Path = api.app.state.context.data_dir
    store = api.app.state.context.store
    finished = clock()
    for status in ("done", "failed", "cancelled", "running"):
        with database.transaction() as session:
            session.add(
                JobRow(
                    job_id=f"job_{status}",
                    kind="search",
                    status=status,
                    device_id=device.device_id,
                    space="fbnet-tiny",
                    conditions={},
                    conditions_key="",
                    request={},
                    created_at=finished,
                    finished_at=None if status == "running" else finished,
                    worker_expires_at=finished + 2 * MONTH,
                )
            )
        (data_dir / "searches" / f"job_{status}").mkdir(parents=True)
        for name in ("search.pt", "network.onnx"):
            (data_dir / "searches" / f"job_{status}" / name).write_text(name)
    clock.pass_s(MONTH.total_seconds() + 1)
    told = compact(database, store, MONTH, clock())
    assert (told.num_checkpoints, told.checkpoint_bytes) == (1, len("search.pt"))
    left = {path.parent.name for path in data_dir.rglob("search.pt")}
    assert left == {"job_failed", "job_cancelled", "job_running"}
    assert len(list(data_dir.rglob("network.onnx"))) == 4
    keep_house(database, data_dir, store, clock, HouseBook())
