"""The process that measures one lease and then ends; it can be killed at any time.

Started as ``python -m profiler_agent.measuring.process RUNTIME``. It loads the runtime and reads one line
from standard input, the path of an order; it may have been started ahead, and ends if none comes. It writes
one JSON report a line to standard output: progress, then a result an item. Standard input is a lifeline:
when it closes, the agent is gone and so is this process. A runtime that crashes, leaks or hangs takes
nothing else along.
"""

import os
import resource
import select
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from profiler_agent.measuring.lease import measure
from profiler_agent.runtimes import load_runtime
from profiler_agent.runtimes.base import Runtime, RuntimeUnavailableError
from shared.protocol.measurement import Lease, Result
from shared.protocol.wire import from_json, to_json

LONGEST_WAIT_S = 30.0
"""For an order. Leases of a job come within seconds; without a job the memory is the device's."""

_PROGRESS_INTERVAL_S = 1.0
"""Each report wakes the agent, which disturbs what runs beside it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the agent tells its measuring process."""

    lease: Lease
    artifact_paths: dict[str, str]
    """Model files by SHA-256."""
    cores: tuple[int, ...]
    """Cores to run on; empty leaves the choice to the operating system."""
    address_space_bytes: int
    canary_reference_us: float | None = None
    """The canary's best time under the lease's conditions, if the agent knows one."""


@dataclass(frozen=True, slots=True)
class Report:
    """One line that the measuring process tells the agent."""

    progress: float | None = None
    """Share of the window that is over, 0..1."""
    result: Result | None = None


def measure_order(runtime_name: str, load: Callable[[str], Runtime] = load_runtime) -> None:
    """Wait for an order, measure what it asks for and report on standard output.

    Args:
        runtime_name: what the order's lease will be measured with.
        load: gives the runtime of a name or raises ``RuntimeUnavailableError``.
    """
    output = _take_standard_output()
    runtime: Runtime | RuntimeUnavailableError
    try:
        runtime = load(runtime_name)
    except RuntimeUnavailableError as error:
        runtime = error
    order_path = _await_order()
    if order_path is None:
        return
    _end_with_the_agent()
    os.environ["TMPDIR"] = str(order_path.parent)
    order = from_json(order_path.read_bytes(), Order)
    _limit_memory(order.address_space_bytes)
    _move_to(order.cores)
    lease = order.lease
    if isinstance(runtime, RuntimeUnavailableError):
        _report_unsupported(output, lease, str(runtime))
        return
    wanted = lease.conditions.runtime_version
    if wanted not in (None, runtime.version):
        reason = f"this device has {runtime.name} {runtime.version}, the lease asks for {wanted}"
        _report_unsupported(output, lease, reason)
        return
    paths = {sha256: Path(path) for sha256, path in order.artifact_paths.items()}
    report_progress = _ProgressReporter(output)
    for result in measure(lease, runtime, paths, report_progress, order.cores, order.canary_reference_us):
        _write(output, Report(result=result))


class _ProgressReporter:
    """Reports progress, but rarely."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._next_s = time.monotonic()

    def __call__(self, progress: float) -> None:
        if time.monotonic() >= self._next_s:
            _write(self._output, Report(progress=progress))
            self._next_s = time.monotonic() + _PROGRESS_INTERVAL_S


def _take_standard_output() -> BinaryIO:
    """Keep standard output for reports; what a runtime prints there goes to standard error instead."""
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return reports


def _await_order() -> Path | None:
    """Return the path on the first line of standard input; None if it closes, or none comes in time."""
    if not select.select([0], [], [], LONGEST_WAIT_S)[0]:
        return None
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return None
        line += byte
    return Path(os.fsdecode(line[:-1]))


def _end_with_the_agent() -> None:
    def wait_for_end_of_input() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait_for_end_of_input, daemon=True).start()


def _limit_memory(address_space_bytes: int) -> None:
    if sys.maxsize < address_space_bytes:  # 32 bits are a limit of their own
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = address_space_bytes if hard == resource.RLIM_INFINITY else min(address_space_bytes, hard)
    with suppress(OSError, ValueError):  # Android may forbid it
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _move_to(cores: tuple[int, ...]) -> None:
    """Ask for cores; the result's ``cores_seen`` tells whether the system obeyed."""
    if cores and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, cores)


def _report_unsupported(output: BinaryIO, lease: Lease, reason: str) -> None:
    for item in lease.items:
        result = Result(lease.lease_id, lease.fence, item.item_id, "unsupported", reason)
        _write(output, Report(result=result))


def _write(output: BinaryIO, report: Report) -> None:
    output.write(to_json(report).encode() + b"\n")
    output.flush()


if __name__ == "__main__":
    measure_order(sys.argv[1])
    os._exit(0)  # the results are out; a runtime that fails while it is torn down changes nothing
