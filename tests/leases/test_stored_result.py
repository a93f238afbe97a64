"""What was stored is what is read, or reading says that it is damaged."""

import hashlib

import pytest
from sqlalchemy import select

from search_server.db.models import JobRow, LeaseRow, ResultRow
from search_server.db.session import Database
from search_server.housekeeping import keep_house
from search_server.operating.collector import HouseBook
from search_server.resources.tables import ProfileCreate
from search_server.store import Store
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, lease_results

pytestmark = pytest.mark.anyio


def spoil(database: Database, result_id: int) -> None:
    """Turn one bit of a stored result over."""
    with database.transaction() as session:
        row = session.get_one(ResultRow, result_id)
        row.body = row.body[:20] + bytes([row.body[20] ^ 1]) + row.body[21:]


def finish(database: Database, lease_id: str) -> None:
    """Call a lease done, as its last result does."""
    with database.transaction() as session:
        session.get_one(LeaseRow, lease_id).status = "done"


async def test_a_result_is_stored_with_its_checksum(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    await device.work()
    with database.reading() as session:
        rows = session.scalars(select(ResultRow)).all()
    assert rows
    assert all(row.body_sha256 == hashlib.sha256(row.body).hexdigest() for row in rows)


async def test_a_damaged_result_is_refused_by_name(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    await device.work()
    with database.reading() as session:
        row = session.scalars(select(ResultRow).limit(1)).one()
    spoil(database, row.result_id)
    error = await api.refused("GET", f"/leases/{row.lease_id}/samples")
    assert (error.status, error.type) == (500, "damaged_result")
    assert f"result {row.result_id} is damaged" in error.detail


async def test_a_job_whose_result_is_damaged_fails_and_others_go_on(
    api: Api, database: Database, clock: Clock, device: SyntheticDevice
) -> None:
    """Both jobs are left by a crash between the last result and what follows from it."""
    other = await SyntheticDevice.enrol(api, "jetson")
    for name in ("raspi", "jetson"):
        await api.post("/profiles", ProfileCreate(name, "fbnet-tiny", SIMULATED))
    leases = []
    for player in (device, other):
        lease = await player.lease()
        assert lease is not None
        leases.append(lease)
        *most, _ = lease_results(lease)
        for result in most:
            await player.post(result)
    data_dir = api.app.state.context.data_dir
    with database.transaction() as session:
        first = session.scalars(select(ResultRow).where(ResultRow.lease_id == leases[0].lease_id)).first()
    assert first is not None
    spoil(database, first.result_id)
    for lease in leases:
        finish(database, lease.lease_id)
    keep_house(database, data_dir, Store.at(data_dir), clock, HouseBook())
    with database.reading() as session:
        jobs = {row.device_id: row for row in session.scalars(select(JobRow))}
    assert jobs[device.device_id].status == "failed"
    assert "is damaged" in jobs[device.device_id].message
    assert jobs[other.device_id].status == "running"
    assert await other.lease() is not None
