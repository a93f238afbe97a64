"""One measuring process is started ahead: a lease that follows soon finds the runtime loaded.

A profile is a row of leases with a process each. What a process takes to start and to load its runtime
(0.4 s with ONNX Runtime) passes while the one before reports, instead of at the next one's beginning.
"""

import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from profiler_agent.measuring.process import LONGEST_WAIT_S, Order
from profiler_agent.measuring.supervision import MeasuringProcess

_LONGEST_UNUSED_S = LONGEST_WAIT_S / 2
"""Well before it ends by itself, so that no order is written to one that no longer reads."""


class ProcessAhead:
    """Starts measuring processes, now or ahead. Not to be used from two threads at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start nothing yet; ``command`` is program and arguments of the processes."""
        self._command = tuple(command)
        self._waiting: MeasuringProcess | None = None
        self._started_s = 0.0
        self._end_waiting: weakref.finalize[..., ProcessAhead] | None = None

    def start(self, order: Order, scratch: Path) -> MeasuringProcess:
        """Return a process that has the order: the waiting one, or a new one if that will not do.

        Raises:
            OSError: it cannot be started.
        """
        runtime = order.lease.conditions.runtime
        process, self._waiting = self._waiting, None
        if self._end_waiting is not None:
            self._end_waiting.detach()
        if process is not None:
            is_fresh = time.monotonic() - self._started_s < _LONGEST_UNUSED_S
            if is_fresh and process.runtime == runtime and process.give(order, scratch):
                return process
            _end(process)
        process = MeasuringProcess(runtime, self._command)
        process.give(order, scratch)
        return process

    def prepare(self, runtime: str) -> None:
        """Start a process that waits for an order of this runtime, unless one waits or none can be had."""
        if self._waiting is not None:
            return
        try:
            process = MeasuringProcess(runtime, self._command)
        except OSError:
            return
        self._waiting, self._started_s = process, time.monotonic()
        self._end_waiting = weakref.finalize(self, _end, process)


def _end(process: MeasuringProcess) -> None:
    process.kill("it is not needed")
    process.end()
