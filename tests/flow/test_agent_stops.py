"""A stop signal to every process of an agent, as a service manager sends it, costs no job."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_services import enrol, running_server, start, stop, user_token
from search_server.client import SearchClient
from search_server.resources.latencies import MeasurementCreate
from shared.protocol.device import Conditions

LIMIT_S = 120.0
"""Most seconds until something happens that must happen."""


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it ended while it was looked at
        return []
    return [pid, *(descendant for child in children for descendant in family(child))]


def until_it_measures(agent: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes of an agent once one of them measures a lease."""
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s:
        for pid in (processes := family(agent.pid))[1:]:
            with contextlib.suppress(OSError):  # it ended since it was listed
                if b"profiler_agent.measuring" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return processes
    raise AssertionError("the agent measured nothing")


def until_logged(path: Path, words: str) -> None:
    """Wait until a log says something."""
    end_s = time.monotonic() + LIMIT_S
    while words not in path.read_text():
        assert time.monotonic() < end_s, path.read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server with one enrolled device."""
    with running_server(tmp_path) as url:
        enrol(tmp_path, url)
        yield url


@pytest.mark.parametrize("num_signals", [1, 2])
def test_a_stop_signal_to_all_processes_in_mid_lease_loses_no_job(
    tmp_path: Path, server: str, num_signals: int
) -> None:
    def start_agent() -> subprocess.Popen[bytes]:
        return start("profiler-agent", "run", "--data", str(tmp_path / "agent"), log=tmp_path / "agent.log")

    agent = start_agent()
    try:
        with SearchClient(server, user_token(tmp_path)) as client:
            (device,) = client.devices()
            create = MeasurementCreate(device.name, "fbnet-tiny", ("skip",), Conditions())
            job_id = client.start_measurement(create).job.job_id
            for words in ("draining", "giving back")[:num_signals]:
                for pid in until_it_measures(agent):
                    # A process that ended since it was listed gets no signal.
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)
                until_logged(tmp_path / "agent.log", words)
            agent.wait(LIMIT_S)
            assert agent.returncode == (0 if num_signals == 1 else 1)
            assert client.measurement(job_id).job.status in ("queued", "running")
            agent = start_agent()
            for _ in client.measurement_events(job_id):
                pass
            job = client.measurement(job_id).job
            assert job.status == "done", job.message
    finally:
        stop([agent])
