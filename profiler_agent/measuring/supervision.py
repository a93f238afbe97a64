"""Starts the measuring process, reads its reports and kills it when its time is over."""

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from profiler_agent.measuring.last_words import last_words
from profiler_agent.measuring.limits import excess
from profiler_agent.measuring.process import Order, Report
from shared.protocol.wire import from_json, to_json

MEASURING_COMMAND = (sys.executable, "-m", "profiler_agent.measuring.process")

_ENDING_GRACE_S = 10.0
_STDERR_TAIL_BYTES = 4096
_CHUNK_BYTES = 1 << 16
_WATCH_S = 0.5
"""So often its memory and files are looked at."""

_TORCH_MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
"""Without these glibc hands memory back after each run, and page faults become most of what is timed."""


class MeasuringProcess:
    """A running child in a session of its own, which no SIGTERM or SIGINT to the agent's group ends."""

    def __init__(self, order: Order, scratch: Path, command: Sequence[str] = MEASURING_COMMAND) -> None:
        """Start it.

        Args:
            order: what it shall measure.
            scratch: a folder for its files; the caller removes it.
            command: program and arguments; the path of the order file is put behind them.

        Raises:
            OSError: the process cannot be started.
        """
        self._limits, self._scratch = order.limits, scratch
        order_path = scratch / "order.json"
        order_path.write_text(to_json(order))
        with _blocked_stop_signals():
            self._child = subprocess.Popen(
                [*command, str(order_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(order.lease.conditions.runtime, scratch),
                start_new_session=True,
            )
        self._stderr_tail = b""
        self._killed_because: str | None = None
        self._lock = threading.Lock()

    def kill(self, reason: str) -> None:
        """End it at once, from any thread; the first reason stands. Nothing happens if it has ended."""
        with self._lock:
            self._kill_locked(reason)

    def reports(self, deadline: Callable[[], tuple[float, str]]) -> Iterator[Report]:
        """Yield what it tells until it ends; kill it when its time is over or it takes too much.

        Args:
            deadline: the moment of ``time.monotonic`` at which it is killed, and the reason; asked again
                when it comes, so that it can be put off.
        """
        stdout, stderr = _opened(self._child.stdout), _opened(self._child.stderr)
        unfinished_line, watched_s = b"", time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(stderr, selectors.EVENT_READ)
            while True:
                deadline_s, late = deadline()
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0:
                    self.kill(late)
                if time.monotonic() >= watched_s + _WATCH_S:
                    too_much = excess(self._child.pid, self._limits, self._scratch)
                    if too_much:
                        self.kill(too_much)
                    watched_s = time.monotonic()
                wait_s = max(min(remaining_s, _WATCH_S), 0.1)
                ready = [key.fileobj for key, _ in selector.select(wait_s)]
                if stderr in ready and not self._drain_stderr(stderr):
                    selector.unregister(stderr)
                if stdout in ready:
                    chunk = os.read(stdout.fileno(), _CHUNK_BYTES)
                    if not chunk:
                        return
                    *lines, unfinished_line = (unfinished_line + chunk).split(b"\n")
                    yield from (from_json(line, Report) for line in lines)

    def end(self) -> str:
        """Wait until it is gone, close its pipes and return in one sentence why it ended."""
        with self._lock:  # nobody else signals a pid that is being reaped
            try:
                self._child.wait(_ENDING_GRACE_S)
            except subprocess.TimeoutExpired:
                self._kill_locked("the measuring process did not end by itself")
                self._child.wait()
        stderr = _opened(self._child.stderr)
        os.set_blocking(stderr.fileno(), False)
        while self._drain_stderr(stderr):
            pass
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            _opened(pipe).close()
        return self._killed_because or self._ending()

    @property
    def was_killed_from_outside(self) -> bool:
        """Tell whether it was killed, but not by this agent: for lack of memory, or by hand."""
        return self._child.returncode == -signal.SIGKILL and self._killed_because is None

    def _ending(self) -> str:
        status = self._child.returncode
        how = (
            f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        )
        tail = self._stderr_tail
        if len(tail) == _STDERR_TAIL_BYTES:  # it begins somewhere in a line
            tail = tail.partition(b"\n")[2] or tail
        cause = last_words(tail)
        if status == -signal.SIGILL:
            how += " (the runtime uses instructions that this processor lacks; measure with another one)"
        return f"the measuring process {how}" + (f": {cause}" if cause else "")

    def _kill_locked(self, reason: str) -> None:
        if self._child.returncode is None:
            self._killed_because = self._killed_because or reason
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def _drain_stderr(self, stderr: IO[bytes]) -> bool:
        try:
            chunk = os.read(stderr.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return False
        self._stderr_tail = (self._stderr_tail + chunk)[-_STDERR_TAIL_BYTES:]
        return bool(chunk)


@contextmanager
def _blocked_stop_signals() -> Iterator[None]:
    """Let this thread's children be born with SIGTERM and SIGINT blocked.

    A service manager sends them to every process of a service, but whether a lease is finished is for the
    agent to decide. A signal mask, unlike a handler, holds from the child's first instruction.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "standard input, output and error are pipes"
    return pipe


def _environment(runtime: str, scratch: Path) -> dict[str, str]:
    """Return the child's variables: no settings or tokens of ours, temporary files into the scratch."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EDGENAS_")}
    return {**inherited, "TMPDIR": str(scratch), **(_TORCH_MALLOC if runtime == "torch" else {})}
