import os
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from profiler_agent.measuring.process import Order
from profiler_agent.measuring.process_ahead import ProcessAhead
from profiler_agent.measuring.supervision import MeasuringProcess
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease
from tests.profiler_agent.leases import ODD_COMMAND, agent_core, odd_lease

Starts = Callable[[], list[str]]


@pytest.fixture
def starts(tmp_path: Path) -> Starts:
    """The runtimes that processes were started for, in order."""
    path = tmp_path / "starts"
    path.touch()
    return lambda: path.read_text().split()


@pytest.fixture
def ahead(tmp_path: Path) -> ProcessAhead:
    log = shlex.quote(str(tmp_path / "starts"))
    return ProcessAhead(("/bin/sh", "-c", f'echo $0 >> {log}; exec {shlex.join(ODD_COMMAND)} "$0"'))


def order(lease: Lease) -> Order:
    return Order(lease, {}, (), 1 << 40)


def statuses(process: MeasuringProcess) -> list[str]:
    reports = list(process.reports(lambda: time.monotonic() + 60))
    assert process.end() == "the measuring process ended with status 0"
    return [report.result.status for report in reports if report.result is not None]


def test_the_waiting_process_takes_the_order(ahead: ProcessAhead, starts: Starts, tmp_path: Path) -> None:
    ahead.prepare("simulated")
    ahead.prepare("simulated")
    assert statuses(ahead.start(order(odd_lease("fine")), tmp_path)) == ["ok"]
    assert starts() == ["simulated"]


def test_without_one_a_process_is_started(ahead: ProcessAhead, starts: Starts, tmp_path: Path) -> None:
    for _ in range(2):
        assert statuses(ahead.start(order(odd_lease("fine")), tmp_path)) == ["ok"]
    assert starts() == ["simulated", "simulated"]


def test_another_runtime_is_not_mixed_up(ahead: ProcessAhead, starts: Starts, tmp_path: Path) -> None:
    ahead.prepare("other")
    assert statuses(ahead.start(order(odd_lease("fine")), tmp_path)) == ["ok"]
    assert starts()[-1] == "simulated"


def test_one_that_waited_too_long_is_not_used(
    ahead: ProcessAhead, starts: Starts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler_agent.measuring.process_ahead._LONGEST_UNUSED_S", 0.0)
    ahead.prepare("simulated")
    assert statuses(ahead.start(order(odd_lease("fine")), tmp_path)) == ["ok"]
    assert starts()[-1] == "simulated"
    assert len(starts()) <= 2  # the first may be gone before it said so


def test_one_that_crashed_meanwhile_costs_no_lease(tmp_path: Path) -> None:
    flag = tmp_path / "crashed"
    crashes_once = f"test -e {flag} || {{ touch {flag}; exit 1; }}"
    ahead = ProcessAhead(("/bin/sh", "-c", f'{crashes_once}; exec {shlex.join(ODD_COMMAND)} "$0"'))
    ahead.prepare("simulated")
    process = ahead._waiting
    assert process is not None
    process._child.wait()
    assert statuses(ahead.start(order(odd_lease("fine")), tmp_path)) == ["ok"]


def test_a_program_that_does_not_start_is_left_to_the_next_lease(tmp_path: Path) -> None:
    ahead = ProcessAhead(("/nowhere/python",))
    ahead.prepare("simulated")
    with pytest.raises(OSError, match="nowhere"):
        ahead.start(order(odd_lease("fine")), tmp_path)


def test_the_waiting_process_ends_with_its_agent(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = ("/bin/sh", "-c", f'exec 9> {shlex.quote(str(pipe))}; exec {shlex.join(ODD_COMMAND)} "$0"')
    ahead = ProcessAhead(command)
    ahead.prepare("simulated")
    with pipe.open() as alive:
        del ahead
        assert alive.read() == ""  # the other end is gone


def test_a_lease_prepares_the_next(tmp_path: Path) -> None:
    core = agent_core(tmp_path, is_odd=True)
    assert [result.status for result in core.run(odd_lease("fine"))] == ["ok"]
    assert core._processes._waiting is not None
    assert [result.status for result in core.run(odd_lease("fine"))] == ["ok"]


def test_a_runtime_that_is_missing_is_told_to_every_lease(tmp_path: Path) -> None:
    core = agent_core(tmp_path)
    lease = replace(odd_lease("fine"), conditions=Conditions("other"))
    for _ in range(2):
        (result,) = core.run(lease)
        assert (result.status, "no runtime 'other'" in (result.reason or "")) == ("unsupported", True)
