"""Agents whose clocks are wrong: hours behind or ahead, long before or after everything, or jumping about.

A module of the test, which Python loads at its start, shifts the wall clock of the agent and of its
measuring process; their monotonic clock begins elsewhere, as it does on every machine. The server has its
own clock.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from search_server.client import SearchClient
from search_server.client.errors import ServerRefusedError
from search_server.db.models import LeaseRow
from search_server.jobs.registry import ENDED
from search_server.resources.jobs import Job
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.tables import ProfileCreate
from shared.protocol.device import Conditions
from tests.client.served import Served, serve

SHIFTED_CLOCK = """
import datetime, os, time
kind = os.environ["WRONG_CLOCK"]
wall, wall_ns, monotonic = time.time, time.time_ns, time.monotonic

def shift():
    if kind == "jumping":
        return 36_000 * (-1) ** int(10 * monotonic())
    return float(kind)

class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(wall() + shift(), tz)

datetime.datetime = Shifted
time.time = lambda: wall() + shift()
time.time_ns = lambda: wall_ns() + int(shift() * 1e9)
time.monotonic = lambda: monotonic() + 1e6
"""
HOUR_S = 3600
CLOCKS = (-9 * HOUR_S, 9 * HOUR_S, -55 * 8766 * HOUR_S, 60 * 8766 * HOUR_S, "jumping")
SIMULATED = Conditions(runtime="simulated")


@contextmanager
def agent(served: Served, folder: Path, clock: str) -> Iterator[None]:
    """Run an agent that simulates, with this clock."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SHIFTED_CLOCK)
    environment = {
        **os.environ,
        "WRONG_CLOCK": clock,
        "PYTHONPATH": os.pathsep.join((str(folder), *sys.path)),
        "EDGENAS_ENROLMENT_TOKEN": served.new_token("enrol"),
    }
    program = (sys.executable, "-m", "profiler_agent")
    device = ("--name", "pi", "--runtime", "simulated", "--simulated-device", "titan_rtx_64")
    data = ("--data", str(folder / "agent"))
    subprocess.run([*program, "enrol", served.url, *device, *data], env=environment, check=True)
    with subprocess.Popen([*program, "run", *device, *data], env=environment) as process:
        try:
            yield
        finally:
            process.terminate()


def ended(find: Callable[[], Job]) -> Job:
    """Wait for a job."""
    end_s = time.monotonic() + 180
    while (job := find()).status not in ENDED and time.monotonic() < end_s:
        time.sleep(0.1)
    return job


@pytest.mark.parametrize("clock", CLOCKS)
def test_leases_times_and_tables_hold(tmp_path: Path, clock: float | str) -> None:
    (tmp_path / "server").mkdir()
    with (
        serve(tmp_path / "server") as served,
        served.client() as client,
        agent(served, tmp_path / "pi", str(clock)),
    ):
        begin = datetime.now(UTC)
        device = client.device("pi")
        create = MeasurementCreate("pi", "fbnet-tiny", ("skip", "k3_e3"), SIMULATED)
        job_id = client.start_measurement(create).job.job_id
        assert ended(lambda: client.measurement(job_id).job).status == "done"
        measured = client.measurement(job_id).latencies
        profile_id = client.start_profile(ProfileCreate("pi", "fbnet-tiny", SIMULATED)).job.job_id
        job = ended(lambda: client.profile(profile_id).job)
        assert job.status == "done", job.message
        assert client.device("pi").is_online
        again = client.start_profile(ProfileCreate("pi", "fbnet-tiny", SIMULATED))
        (table,) = client.tables("pi")
        end = datetime.now(UTC)
        with served.database.reading() as session:
            leases = session.query(LeaseRow).filter_by(device_id=device.device_id).all()
        check_that_a_removed_device_stops(client)
    told = [latency.measured_at for latency in measured] + [table.created_at]
    assert all(begin <= datetime.fromisoformat(moment) <= end for moment in told)
    assert [(lease.status, lease.fence) for lease in leases] == [("done", 1)] * len(leases)
    assert again.is_reused  # the table counts as measured just now
    assert table.drift is None


def check_that_a_removed_device_stops(client: SearchClient) -> None:
    """The server's clock decides about credentials: one that was revoked is refused at once."""
    client.remove_device("pi")
    with pytest.raises(ServerRefusedError, match="no device"):
        client.device("pi")
