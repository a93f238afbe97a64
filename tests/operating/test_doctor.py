"""What the doctor finds on a server that is well, and on one that is not."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from search_server.clock import utc_now
from search_server.data_roots import DataRoots
from search_server.db.models import DeviceRow, ResultRow
from search_server.db.session import Database
from search_server.leases.artifacts import artifact_name, store_artifact
from search_server.model_files.model_file import ModelFile
from search_server.operating.deep_check import examine_deeply
from search_server.operating.doctor import Finding, Level, examine, image_folders
from search_server.resources.tables import ProfileCreate
from search_server.searches.worker_book import note_worker
from search_server.store import Store
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.outages import away
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

pytestmark = pytest.mark.anyio


@pytest.fixture
def seen(database: Database, device: SyntheticDevice) -> None:
    """A worker and a device that are heard of at this moment, by the clock on the wall."""
    with database.transaction() as session:
        note_worker(session, "worker_1", utc_now())
        session.get_one(DeviceRow, device.device_id).last_seen_at = utc_now()


@pytest.fixture
def data_dir(api: Api, database: Database) -> Iterator[Path]:
    """The server's files, for itself alone."""
    folder: Path = api.app.state.context.data_dir
    folder.chmod(0o700)
    if database.engine.name == "sqlite":
        Path(str(database.engine.url.database)).chmod(0o600)
    yield folder
    folder.chmod(0o700)


def levels(findings: Iterator[Finding]) -> dict[str, Level]:
    """Return the level of each subject, after a look that what is not well has a next step."""
    found = list(findings)
    assert all(bool(finding.next_step) == (finding.level != "ok") for finding in found)
    return {finding.subject: finding.level for finding in found}


@pytest.mark.usefixtures("seen")
async def test_a_server_that_is_well(data_dir: Path, database: Database) -> None:
    found = levels(examine(database, data_dir, utc_now))
    found.pop("disk")  # of whoever runs the tests
    assert set(found.values()) == {"ok"}
    assert set(found) >= {"data folder", "database", "schema", "clock", "housekeeping", "worker", "devices"}


@pytest.mark.usefixtures("seen")
async def test_a_wrong_clock_is_found(data_dir: Path, database: Database) -> None:
    findings = list(examine(database, data_dir, lambda: utc_now() - timedelta(hours=1)))
    (clock,) = (finding for finding in findings if finding.subject == "clock")
    assert (clock.level, "NTP" in clock.next_step) == ("fail", True)


async def test_what_is_not_well_is_named(
    data_dir: Path, database: Database, api: Api, device: SyntheticDevice, clock: Clock
) -> None:
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    assert await device.lease() is not None
    data_dir.chmod(0o755)
    before = levels(examine(database, data_dir, clock))
    assert (before["data folder"], before["worker"], before["housekeeping"]) == ("warn", "warn", "ok")
    clock.pass_s(3600)
    found = {finding.subject: finding for finding in examine(database, data_dir, clock)}
    assert found["housekeeping"].level == "fail"
    assert (found["devices"].level, found["devices"].detail[:22]) == ("warn", "0 of 1 were heard of i")


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_without_a_database_it_still_tells_of_the_rest(data_dir: Path, database: Database) -> None:
    with away(database):
        found = levels(examine(database, data_dir, utc_now))
    assert (found["database"], found["data folder"]) == ("fail", "ok")


async def test_an_old_schema_is_named(clock: Clock, data_dir: Path, database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert levels(examine(database, data_dir, clock))["schema"] == "fail"


async def test_all_that_is_damaged_is_found(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock, data_dir: Path
) -> None:
    store = Store.at(data_dir)
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    await device.work()
    with database.transaction() as session:
        whole = store_artifact(session, store, ModelFile("onnx", b"whole"), clock())
        other = store_artifact(session, store, ModelFile("onnx", b"other"), clock())
    kinds = ("results", "latency tables", "model files")
    assert levels(examine_deeply(database, store)) == dict.fromkeys(kinds, "ok")
    store.write(artifact_name(other.sha256), b"0ther")
    with database.transaction() as session:
        session.execute(text("UPDATE latency_tables SET content = replace(content, '0', '1')"))
        number = session.scalar(text("SELECT max(result_id) FROM results"))
        session.get_one(ResultRow, number).body = b"nonsense"
    found = list(examine_deeply(database, store))
    assert [finding.level for finding in found] == ["fail"] * 3
    assert f"damaged: {number}" in found[0].detail
    assert other.sha256[:12] in found[2].detail
    assert whole.sha256[:12] not in found[2].detail


def test_folders_of_images_that_are_gone_are_named(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    found = list(image_folders(DataRoots((tmp_path / "there", tmp_path / "gone"))))
    assert [finding.level for finding in found] == ["ok", "warn"]
    assert "gone" in found[1].detail
    assert "EDGENAS_DATA_ROOTS" in found[1].next_step
