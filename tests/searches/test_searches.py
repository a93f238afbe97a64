"""Searches: checked when submitted, queued, recorded, streamed, cancelled, resumed."""

import asyncio
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from PIL import Image

from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.jobs.registry import finish_job
from search_server.profiling.measurements import request_measurement
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchCreate, SearchStep
from search_server.searches.queue import MAX_ATTEMPTS, WORKER_LEASE, claim_search, renew_search
from search_server.searches.recording import record_architecture, record_step, set_progress
from search_server.searches.searches import export_name
from search_server.searches.worker import Worker
from shared.architecture import uniform_architecture
from shared.protocol.device import Conditions
from shared.protocol.wire import to_dict
from shared.search_space import search_space
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, network_latency_us
from tests.search_server.tables import REFUSED, known_table, store_known_table
from tests.searches.house import House

pytestmark = pytest.mark.anyio

FORMATS = ("onnx", "tflite", "ncnn", "torch", "python")

FOUND = FoundArchitecture("found", "skip,skip", 10, 20, predicted_us=900.0, measured_us=910.0)


def step(number: int) -> SearchStep:
    return SearchStep(number, number, "search", 1.0, 0.5, 0.4, 900.0, 2.0, 5.0, 100.0, ((0.5, 0.5),))


def target_ms(device: SyntheticDevice) -> float:
    fastest_us, slowest_us = known_table(device.device_id).latency_range_us()
    return (fastest_us + slowest_us) / 2000


@pytest.fixture
def snapshot(device: SyntheticDevice, database: Database, clock: Clock) -> str:
    with database.transaction() as session:
        return store_known_table(session, device.device_id, clock())


@pytest.fixture
async def job_id(api: Api, device: SyntheticDevice, snapshot: str) -> str:
    """A queued search."""
    create = SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=target_ms(device), snapshot=snapshot)
    word: str = (await api.post("/searches", create))["job"]["job_id"]
    return word


def claim(database: Database, clock: Clock, worker_id: str = "w1") -> str | None:
    with database.transaction() as session:
        return claim_search(session, worker_id, clock())


async def status(api: Api, job_id: str) -> str:
    word: str = (await api.get(f"/searches/{job_id}"))["job"]["status"]
    return word


async def test_search_quotes_its_table(api: Api, job_id: str, snapshot: str) -> None:
    search = await api.get(f"/searches/{job_id}")
    assert (search["snapshot"], search["job"]["status"]) == (snapshot, "queued")
    assert search["request"]["data"] == "digits"
    assert [item["job"]["job_id"] for item in (await api.get("/searches"))["items"]] == [job_id]


@pytest.mark.usefixtures("device")
async def test_search_without_a_table_names_the_command(api: Api) -> None:
    create = SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=1.0)
    error = await api.refused("POST", "/searches", create)
    assert (error.status, error.type) == (409, "no_table")
    assert "edgenas profile -d raspi -s fbnet-tiny" in error.detail


async def test_refused_table_is_not_searched_with(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        refused = store_known_table(session, device.device_id, clock(), verdict=REFUSED)
    create = SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=1.0)
    assert (await api.refused("POST", "/searches", create)).type == "no_table"
    named = replace(create, snapshot=refused)
    assert (await api.refused("POST", "/searches", named)).type == "table_refused"


@pytest.mark.parametrize(("share", "side"), [(0.5, "below the fastest"), (1.5, "above the slowest")])
@pytest.mark.usefixtures("snapshot")
async def test_unreachable_target_gives_the_range(
    api: Api, device: SyntheticDevice, share: float, side: str
) -> None:
    fastest_us, slowest_us = known_table(device.device_id).latency_range_us()
    target = share * (fastest_us if share < 1 else slowest_us) / 1000
    create = SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=target)
    error = await api.refused("POST", "/searches", create)
    assert (error.status, error.type) == (422, "unreachable_target")
    assert side in error.detail
    assert f"{fastest_us / 1000:.4g} to {slowest_us / 1000:.4g} ms" in error.detail


@pytest.mark.usefixtures("snapshot")
async def test_data_is_checked(api: Api, device: SyntheticDevice, tmp_path: Path) -> None:
    async def detail(data: str) -> str:
        create = SearchCreate("raspi", "fbnet-tiny", data, target_ms=target_ms(device))
        return (await api.refused("POST", "/searches", create)).detail

    assert "digits" in await detail("digts")
    outside = await detail("/root")
    assert "is not within the data roots of this server" in outside
    assert await detail("/nothing") == outside.replace("/root", "/nothing")
    (tmp_path / "x").mkdir()
    assert "0 sub-folders" in await detail(str(tmp_path / "x"))
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
    assert "without images: cat, dog" in await detail(str(tmp_path / "pets"))
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name / "1.JPG").touch()
    assert "2 of 2 images that were tried cannot be read" in await detail(str(tmp_path / "pets"))
    for name in ("cat", "dog"):
        Image.new("RGB", (8, 8)).save(tmp_path / "pets" / name / "1.JPG", "PNG")
    assert "tells 10 classes apart, the data has 2" in await detail(str(tmp_path / "pets"))
    space = "fbnet-tiny:classes=2"
    assert "folder 'rel/imgs' is not within" in await detail("rel/imgs")
    create = SearchCreate("raspi", space, "pets", target_ms=target_ms(device))
    await api.post("/searches", create)


@pytest.mark.usefixtures("snapshot")
async def test_known_data_sets_are_listed(api: Api) -> None:
    assert [data["name"] for data in await api.get("/data")] == ["digits", "hf:NAME[:CONFIG]"]


async def test_two_workers_never_share_a_search(job_id: str, database: Database, clock: Clock) -> None:
    assert claim(database, clock, "w1") == job_id
    assert claim(database, clock, "w2") is None


async def test_search_of_a_dead_worker_is_resumed_and_given_up_at_last(
    api: Api, job_id: str, database: Database, clock: Clock, tmp_path: Path
) -> None:
    house = House(database, tmp_path, clock)
    for attempt in range(MAX_ATTEMPTS):
        assert claim(database, clock, f"w{attempt}") == job_id
        house.keep_for(WORKER_LEASE.total_seconds())
        with database.transaction() as session:
            assert not renew_search(session, job_id, f"w{attempt}", clock())
    failed = await api.get(f"/searches/{job_id}")
    assert failed["job"]["status"] == "failed"
    assert f"edgenas search resume {job_id}" in failed["job"]["message"]
    await api.post(f"/searches/{job_id}/resume")
    assert claim(database, clock) == job_id


async def test_a_search_that_gets_on_may_lose_its_worker_any_number_of_times(
    api: Api, job_id: str, database: Database, clock: Clock, tmp_path: Path
) -> None:
    trained = replace(FOUND, test_accuracy=0.9)
    things: list[SearchStep | FoundArchitecture] = [step(1), step(2), step(3), FOUND, trained]
    ends, house = [], House(database, tmp_path, clock)
    again = [step(3)] * (MAX_ATTEMPTS - 1)  # a step that is done again gets nobody on
    for number, thing in enumerate([*things, *again]):
        assert claim(database, clock, f"w{number}") == job_id
        with database.transaction() as session:
            if isinstance(thing, FoundArchitecture):
                record_architecture(session, job_id, thing)
            else:
                record_step(session, job_id, thing)
        house.keep_for(WORKER_LEASE.total_seconds())
        ends.append(await status(api, job_id))
    assert ends == ["queued"] * (len(things) + len(again) - 1) + ["failed"]
    assert "at the same place" in (await api.get(f"/searches/{job_id}"))["job"]["message"]


async def test_steps_are_paged_in_order(api: Api, job_id: str, database: Database) -> None:
    with database.transaction() as session:
        for number in (3, 1, 2, 2):
            record_step(session, job_id, step(number))
    first = await api.get(f"/searches/{job_id}/steps?limit=2")
    assert [item["step"] for item in first["items"]] == [1, 2]
    rest = await api.get(f"/searches/{job_id}/steps?limit=2&cursor={first['next_cursor']}")
    assert ([item["step"] for item in rest["items"]], rest["next_cursor"]) == ([3], None)


async def test_finished_search_shows_and_exports_what_it_found(
    api: Api, job_id: str, database: Database, clock: Clock
) -> None:
    assert (await api.refused("GET", f"/searches/{job_id}/export")).type == "nothing_to_export"
    claim(database, clock)
    with database.transaction() as session:
        record_architecture(session, job_id, replace(FOUND, measured_us=None))
        record_architecture(session, job_id, FOUND)
        set_progress(session, job_id, 0.5, "training", stage="train")
    running = await api.get(f"/searches/{job_id}")
    assert (running["stage"], running["job"]["progress"]) == ("train", 0.5)
    with database.transaction() as session:
        finish_job(session, job_id, clock(), result=to_dict(FOUND))
    for file_format in FORMATS:
        name = export_name(job_id, file_format)
        api.app.state.context.store.write(name, file_format.encode())
    done = await api.get(f"/searches/{job_id}")
    assert done["result"] == done["architectures"][0]
    assert len(await api.get(f"/searches/{job_id}/architectures")) == 1
    for file_format in FORMATS:
        exported = await api.send("GET", f"/searches/{job_id}/export?format={file_format}")
        assert exported.text == file_format
    assert (await api.get(f"/searches/{job_id}/export?format=json"))["result"]["measured_us"] == 910.0
    assert (await api.refused("POST", f"/searches/{job_id}/resume")).type == "not_resumable"


async def test_cancelling_a_search_cancels_its_measurements(
    api: Api, device: SyntheticDevice, job_id: str, database: Database, clock: Clock
) -> None:
    claim(database, clock)
    store = api.app.state.context.store
    with database.transaction() as session:
        child = request_measurement(
            session, store, device.device_id, "fbnet-tiny", ("skip",), SIMULATED, job_id, clock()
        )
    assert (await api.post(f"/searches/{job_id}/cancel"))["job"]["status"] == "cancelled"
    assert (await api.get(f"/measurements/{child}"))["job"]["status"] == "cancelled"
    assert await device.lease() is None
    with database.transaction() as session:
        assert not renew_search(session, job_id, "w1", clock())
        finish_job(session, job_id, clock(), result=to_dict(FOUND))  # too late: it changes nothing
    assert await status(api, job_id) == "cancelled"


def events(text: str) -> list[tuple[str, dict[str, object], str]]:
    """Parse a stream: (event, data, id)."""
    parsed = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            parsed.append((fields["event"], json.loads(fields["data"]), fields["id"]))
    return parsed


async def test_events_follow_a_search_to_its_end(
    api: Api, job_id: str, database: Database, clock: Clock
) -> None:
    stream = asyncio.create_task(api.send("GET", f"/searches/{job_id}/events", timeout=30))

    def live() -> None:
        claim(database, clock)
        for number in (1, 2, 3):
            with database.transaction() as session:
                record_step(session, job_id, step(number))
        with database.transaction() as session:
            record_architecture(session, job_id, FOUND)
            finish_job(session, job_id, clock(), result=to_dict(FOUND))

    await asyncio.to_thread(live)
    seen = events((await stream).text)
    assert [data["step"] for name, data, _ in seen if name == "step"] == [1, 2, 3]
    assert [name for name, _, _ in seen][-2:] == ["architecture", "search"]
    last = seen[-1]
    assert last[1]["job"]["status"] == "done"  # type: ignore[index]  # plain JSON
    assert last[2] == "3"
    headers = {"Last-Event-ID": "2"}
    resumed = events((await api.send("GET", f"/searches/{job_id}/events", headers=headers)).text)
    assert [data["step"] for name, data, _ in resumed if name == "step"] == [3]


async def test_events_of_a_profile(api: Api, device: SyntheticDevice) -> None:
    body = {"device": "raspi", "space": "fbnet-tiny", "conditions": {"runtime": "simulated"}}
    job_id = (await api.post("/profiles", body))["job"]["job_id"]
    stream = asyncio.create_task(api.send("GET", f"/profiles/{job_id}/events", timeout=30))
    await device.work()
    seen = events((await stream).text)
    assert {name for name, _, _ in seen} == {"job"}
    assert seen[-1][1]["job"]["status"] == "done"  # type: ignore[index]  # plain JSON
    assert seen[-1][1]["snapshot"]


def worker(database: Database, clock: Clock, script: str) -> Worker:
    """A worker whose search is a script; ``sys.argv[1]`` is the job."""
    return Worker(database, "w1", clock, {}, command=(sys.executable, "-c", script), poll_s=0.02)


async def test_worker_retries_a_process_that_dies(
    api: Api, job_id: str, database: Database, clock: Clock
) -> None:
    failing = worker(database, clock, "raise SystemExit(9)")
    for _ in range(MAX_ATTEMPTS):
        assert await asyncio.to_thread(failing.work_once)
    assert not await asyncio.to_thread(failing.work_once)
    failed = await api.get(f"/searches/{job_id}")
    assert failed["job"]["status"] == "failed"
    assert "code 9" in failed["job"]["message"]


WAIT_FOR_SIGTERM = "import signal, sys; print(sys.argv[1], flush=True); signal.pause()"


async def until_running(api: Api, job_id: str) -> None:
    while await status(api, job_id) != "running":
        await asyncio.sleep(0)


async def test_cancel_ends_the_process(api: Api, job_id: str, database: Database, clock: Clock) -> None:
    work = asyncio.create_task(asyncio.to_thread(worker(database, clock, WAIT_FOR_SIGTERM).work_once))
    await until_running(api, job_id)
    await api.post(f"/searches/{job_id}/cancel")
    assert await work
    assert await status(api, job_id) == "cancelled"


async def test_the_log_tells_an_end_from_a_cancellation(
    api: Api, job_id: str, database: Database, clock: Clock
) -> None:
    with structlog.testing.capture_logs() as logs:
        work = asyncio.create_task(asyncio.to_thread(worker(database, clock, WAIT_FOR_SIGTERM).work_once))
        await until_running(api, job_id)
        with database.transaction() as session:  # what a search does before its process ends
            finish_job(session, job_id, clock())
        assert await work
    assert [log["status"] for log in logs if log["event"] == "search ended"] == ["done"]
    assert not [log for log in logs if "cancel" in log["event"]]


async def test_stopped_worker_gives_its_search_back(
    api: Api, job_id: str, database: Database, clock: Clock
) -> None:
    stopping = worker(database, clock, WAIT_FOR_SIGTERM)
    thread = threading.Thread(target=stopping.run)
    thread.start()
    await until_running(api, job_id)
    stopping.stop.set()
    await asyncio.to_thread(thread.join)
    assert await status(api, job_id) == "queued"
    with database.reading() as session:
        assert session.get_one(JobRow, job_id).attempt == 0


async def test_measurements_of_a_search_take_the_level_of_its_table(
    api: Api, device: SyntheticDevice, job_id: str, snapshot: str, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:  # a newer table must not change the level
        assert store_known_table(session, device.device_id, clock(), slowdown=3.0) != snapshot
        child = request_measurement(
            session,
            api.app.state.context.store,
            device.device_id,
            "fbnet-tiny",
            ("k3_e6",),
            Conditions(),
            job_id,
            clock(),
        )
    await device.work(slowdown=1.7)
    (latency,) = (await api.get(f"/measurements/{child}"))["latencies"]
    truth_us = network_latency_us(uniform_architecture(search_space("fbnet-tiny"), "k3_e6").workload())
    assert latency["latency_us"] == pytest.approx(truth_us, rel=1e-6)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"num_classes": 7}, "tells 10 classes apart, the request asks for 7"),
        ({"num_classes": 11}, "num_classes is 11, but the data has 10 classes"),
        ({"class_names": ("3", "eleven")}, "the data has no class eleven; its 10 classes are 0, 1"),
        ({"class_names": ("3", "4")}, "override it with 'classes=2'"),
    ],
)
@pytest.mark.usefixtures("snapshot")
async def test_classes_are_checked_before_a_search_is_queued(
    api: Api, device: SyntheticDevice, wanted: dict[str, Any], message: str
) -> None:
    create = SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=target_ms(device), **wanted)
    assert message in (await api.refused("POST", "/searches", create)).detail
    assert (await api.get("/searches"))["items"] == []


async def test_a_cursor_beyond_every_step_is_refused(api: Api, job_id: str) -> None:
    for cursor in (10**20, -(10**20), "x"):
        error = await api.refused("GET", f"/searches/{job_id}/steps?cursor={cursor}")
        assert (error.status, error.errors[0].path) == (422, "query.cursor")
    headers = {"Last-Event-ID": str(10**20)}
    assert (await api.refused("GET", f"/searches/{job_id}/events", headers=headers)).status == 422
