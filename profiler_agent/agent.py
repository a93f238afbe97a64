"""The agent takes one lease at a time and gives one result for each item, whatever happens in between.

Both carriers, ``carriers/listen.py`` and ``carriers/dial_out.py``, call it.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from profiler_agent.artifact_cache import ArtifactCache
from profiler_agent.bounds import Bounds, refusals
from profiler_agent.facts.device import agent_version
from profiler_agent.facts.environment import memory_bytes
from profiler_agent.measuring.canary import CanaryMemory
from profiler_agent.measuring.limits import Limits
from profiler_agent.measuring.process import Order
from profiler_agent.measuring.scratch import lease_scratch, remove_left
from profiler_agent.measuring.supervision import MEASURING_COMMAND, MeasuringProcess
from shared.protocol.measurement import Artifact, Lease, LeaseItem, Result, Status
from shared.protocol.wire import WireError

_log = logging.getLogger(__name__)

_BASE_BYTES = 4 << 30
_MEMORY_SHARE = 0.75
"""Of the device's memory, at most; the rest is its owner's."""
_LEFT_AFTER_S = 3600.0
_THREAD_ADDRESS_SPACE_BYTES = 128 << 20
"""Stack and malloc arena of a thread, reserved rather than used."""


_OWN_LOAD_LASTS_S = 180.0
"""The load average of a minute forgets a lease in so long."""

_NOT_RENEWED = "nobody renewed the lease in time: the agent had lost its server or was asleep"


class AgentBusyError(RuntimeError):
    """The agent measures one lease at a time, and it has one."""


class _RunningLease:
    """The lease that is being measured; another thread may stop it."""

    def __init__(self, lease: Lease, max_lease_s: float) -> None:
        self.lease = lease
        self._end_s = time.monotonic() + max_lease_s
        self._too_long = f"the lease took longer than the {max_lease_s:g} s that this agent allows"
        self.renew(lease.ttl_s)
        self.progress = 0.0
        self.stop_reason: str | None = None
        self._process: MeasuringProcess | None = None
        self._lock = threading.Lock()

    def start(self, order: Order, scratch: Path, command: Sequence[str]) -> MeasuringProcess | None:
        """Start the measuring process, unless the lease was stopped before."""
        with self._lock:
            if self.stop_reason is not None:
                return None
            self._process = MeasuringProcess(order, scratch, command)
            return self._process

    def renew(self, ttl_s: float) -> None:
        """Let it end ``ttl_s`` seconds from now, but not later than the agent allows."""
        renewed = time.monotonic() + ttl_s, _NOT_RENEWED
        self.deadline = min(renewed, (self._end_s, self._too_long))

    def stop(self, reason: str) -> None:
        with self._lock:
            self.stop_reason = self.stop_reason or reason
            if self._process is not None:
                self._process.kill(reason)


class AgentCore:
    """Measures leases, one at a time, each in a process of its own."""

    def __init__(
        self,
        data_dir: Path,
        device_id: str | None = None,
        bounds: Bounds | None = None,
        command: Sequence[str] = MEASURING_COMMAND,
    ) -> None:
        """Prepare the data folder.

        Args:
            data_dir: where model files are kept.
            device_id: who this agent is at its server; None takes leases for any device.
            bounds: what it agrees to measure; None takes the defaults.
            command: program and arguments that measure the order in the file named behind them.
        """
        self.artifacts = ArtifactCache(data_dir / "artifacts")
        self._scratch = data_dir / "scratch"
        remove_left(self._scratch, _LEFT_AFTER_S)
        self.bounds = bounds or Bounds()
        self.num_results: Counter[Status] = Counter()
        """Results since the start, by status."""
        self.device_id = device_id
        self.is_ending: Callable[[], bool] = lambda: False
        """Whether everything is being stopped: then what is killed is not measured once more."""
        self._canary = CanaryMemory()
        self._command = tuple(command)
        self._running: _RunningLease | None = None
        self._last_threads = 0
        self._last_end_s = -math.inf
        self._lock = threading.Lock()

    def run(self, lease: Lease) -> Iterator[Result]:
        """Take a lease now and measure it while the iterator is read; read it to its end.

        The iterator blocks; it yields exactly one result per item and raises nothing: what is refused
        is ``unsupported``, and what a crash, a cancel or the end of the lease leaves undone is
        ``error``, with the reason.

        Raises:
            AgentBusyError: another lease is at work.
        """
        with self._lock:
            if self._running is not None:
                raise AgentBusyError(
                    f"lease {self._running.lease.lease_id!r} is being measured; "
                    "wait until it is done, or cancel it"
                )
            self._running = running = _RunningLease(lease, self.bounds.max_lease_s)
            self._last_threads = lease.conditions.threads
        return self._results(running)

    def renew(self, lease_id: str, ttl_s: float) -> bool:
        """Let a lease end ``ttl_s`` seconds from now; return whether it is at work."""
        running = self._find(lease_id)
        if running is not None:
            running.renew(ttl_s)
        return running is not None

    def cancel(self, lease_id: str, reason: str = "the lease was cancelled") -> bool:
        """Kill the measurement of a lease; return whether it was at work."""
        running = self._find(lease_id)
        if running is not None:
            running.stop(reason)
        return running is not None

    @property
    def lease_id(self) -> str | None:
        """The lease at work."""
        running = self._running
        return running.lease.lease_id if running else None

    @property
    def progress(self) -> float | None:
        """Share of the lease at work that is done, 0..1; None if there is none."""
        running = self._running
        return running.progress if running else None

    @property
    def own_load(self) -> int:
        """How much of the device's load of the last minute may come from leases."""
        is_felt = self._running is not None or time.monotonic() < self._last_end_s + _OWN_LOAD_LASTS_S
        return self._last_threads if is_felt else 0

    def missing_artifacts(self, lease: Lease) -> tuple[Artifact, ...]:
        """Return the model files that must be put into ``artifacts`` before the lease can run.

        Files of refused items are not among them.
        """
        refused = refusals(lease, self.bounds, self.device_id)
        wanted = {
            item.artifact.sha256: item.artifact
            for item in lease.items
            if item.artifact and item.item_id not in refused
        }
        return tuple(artifact for sha256, artifact in wanted.items() if self.artifacts.path(sha256) is None)

    def _find(self, lease_id: str) -> _RunningLease | None:
        running = self._running
        return running if running and running.lease.lease_id == lease_id else None

    def _results(self, running: _RunningLease) -> Iterator[Result]:
        try:
            for result in self._measure(running):
                self.num_results[result.status] += 1
                self._canary.learn(running.lease.conditions.key, result)
                yield replace(result, agent_version=agent_version())
        finally:
            self._last_end_s = time.monotonic()
            self._running = None

    def _measure(self, running: _RunningLease) -> Iterator[Result]:
        lease = running.lease
        refused = refusals(lease, self.bounds, self.device_id)
        for item_id, reason in refused.items():
            yield _unmeasured(lease, item_id, "unsupported", reason)
        accepted = tuple(item for item in lease.items if item.item_id not in refused)
        paths, absent = self._artifact_paths(accepted)
        unfinished = {item.item_id for item in accepted}
        if absent:
            reason = f"the agent lacks artifact {', '.join(absent)}; send it before the lease"
        elif not accepted:
            return
        else:
            order = Order(
                replace(lease, items=accepted),
                paths,
                lease.conditions.cores or self.bounds.cores,
                self._limits(lease),
                self._canary.reference_us(lease.conditions.key),
            )
            for is_last in (False, False, True):
                reason, is_victim = yield from self._supervise(running, order, unfinished)
                if is_last or not is_victim or not unfinished or self.is_ending():
                    break
                _log.warning("lease %s: %s from outside; measuring once more", lease.lease_id, reason)
        for item in accepted:
            if item.item_id in unfinished:
                yield _unmeasured(lease, item.item_id, "error", reason)

    def _supervise(
        self, running: _RunningLease, order: Order, unfinished: set[str]
    ) -> Generator[Result, None, tuple[str, bool]]:
        """Yield what the measuring process tells; return why it ended, and if another one killed it."""
        with lease_scratch(self._scratch, _LEFT_AFTER_S) as scratch:
            try:
                process = running.start(order, scratch, self._command)
            except OSError as error:
                return f"the measuring process cannot be started: {error}", False
            if process is None:
                return running.stop_reason or "", False
            try:
                for report in process.reports(lambda: running.deadline):
                    running.progress = report.progress or running.progress
                    if report.result is not None and report.result.item_id in unfinished:
                        unfinished.discard(report.result.item_id)
                        yield report.result
            except WireError as error:
                process.kill(f"the measuring process wrote something else than reports: {error}")
            except GeneratorExit:
                process.kill("nobody reads the results any more")
                raise
            finally:
                ending = process.end()
        return ending, process.was_killed_from_outside

    def _limits(self, lease: Lease) -> Limits:
        """Return generous limits: a runtime with its libraries, and every model four times over."""
        parameter_bytes = 4 * sum(item.workload.num_params for item in lease.items if item.workload)
        file_bytes = sum(item.artifact.size_bytes for item in lease.items if item.artifact)
        threads = lease.conditions.threads
        used_bytes = _BASE_BYTES + 4 * (parameter_bytes + file_bytes)
        device_bytes = memory_bytes(Path("/"), "MemTotal") or used_bytes
        return Limits(
            address_space_bytes=used_bytes + threads * _THREAD_ADDRESS_SPACE_BYTES,
            resident_bytes=min(used_bytes, int(_MEMORY_SHARE * device_bytes)),
            cpu_s=math.ceil(self.bounds.max_lease_s * (threads + 1)),
        )

    def _artifact_paths(self, items: Sequence[LeaseItem]) -> tuple[dict[str, str], list[str]]:
        """Return the model files that are here, by SHA-256, and the names of those that are not."""
        found = {
            item.artifact.sha256: self.artifacts.path(item.artifact.sha256)
            for item in items
            if item.artifact
        }
        here = {sha256: str(path) for sha256, path in found.items() if path is not None}
        return here, sorted(found.keys() - here.keys())


def _unmeasured(lease: Lease, item_id: str, status: Status, reason: str) -> Result:
    return Result(lease.lease_id, lease.fence, item_id, status, reason)
