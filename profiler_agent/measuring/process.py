"""This process measures one lease and then ends; the agent may kill it at any time.

The agent starts it as ``python -m profiler_agent.measuring.process ORDER_FILE``. It writes one JSON report
a line to standard output: progress, then one result for each item. It ends when standard input closes,
because then the agent is gone. A runtime that crashes, leaks or hangs takes nothing else along.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from profiler_agent.measuring.lease import measure_lease
from profiler_agent.measuring.limits import Limits, limit_this_process
from profiler_agent.runtimes import load_runtime
from profiler_agent.runtimes.base import Runtime, RuntimeUnavailableError
from shared.protocol.measurement import Lease, Result
from shared.protocol.wire import from_json, to_json

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
    limits: Limits
    canary_reference_us: float | None = None
    """The canary's best time under the lease's conditions, if the agent knows one."""


@dataclass(frozen=True, slots=True)
class Report:
    """One line that the measuring process tells the agent."""

    progress: float | None = None
    """Share of the window that is over, 0..1."""
    result: Result | None = None


def measure_order(order_path: Path, load: Callable[[str], Runtime] = load_runtime) -> None:
    """Measure what an order asks for and report on standard output.

    Args:
        order_path: JSON file with an :class:`Order`.
        load: gives the runtime of a name or raises ``RuntimeUnavailableError``.
    """
    output = _take_standard_output()
    _end_with_the_agent()
    order = from_json(order_path.read_bytes(), Order)
    limit_this_process(order.limits)
    _move_to(order.cores)
    lease = order.lease
    try:
        runtime = load(lease.conditions.runtime)
    except RuntimeUnavailableError as error:
        _report_unsupported(output, lease, str(error))
        return
    wanted = lease.conditions.runtime_version
    if wanted not in (None, runtime.version):
        reason = f"this device has {runtime.name} {runtime.version}, the lease asks for {wanted}"
        _report_unsupported(output, lease, reason)
        return
    paths = {sha256: Path(path) for sha256, path in order.artifact_paths.items()}
    report_progress = _ProgressReporter(output)
    for result in measure_lease(
        lease, runtime, paths, report_progress, order.cores, order.canary_reference_us
    ):
        _write(output, Report(result=result))


class _ProgressReporter:
    """Reports progress, at most once in ``_PROGRESS_INTERVAL_S``."""

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


def _end_with_the_agent() -> None:
    def wait_for_end_of_input() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait_for_end_of_input, daemon=True).start()


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
    measure_order(Path(sys.argv[1]))
    os._exit(0)  # the results are out; a runtime that fails while it is torn down changes nothing
