"""The engine ``local``: processes of this machine, which torch's elastic launcher joins.

One process needs no other: then the function runs in this one.
"""

import multiprocessing
import os
import pickle
import queue
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any

from search_server.engines.engine import (
    MAX_RESTARTS,
    POLL_S,
    GoOn,
    OnReport,
    Outcome,
    Task,
    Tell,
    TogetherFunction,
)
from search_server.engines.local_mail import served
from search_server.engines.mailbox import Mailbox, opened
from search_server.engines.processes import end_process, end_with_parent

GRACE_S = 3.0
"""Less than what the worker grants this process."""

_Told = tuple[int, float, str]


@dataclass(frozen=True, slots=True)
class Alone:
    """What a function knows that is the only one."""

    checkpoint: bytes | None
    on_report: OnReport
    rank: int = 0
    world_size: int = 1

    def report(self, facts: Any, checkpoint: bytes) -> None:
        """Tell facts, and from what to go on behind them."""
        self.on_report(facts, checkpoint)

    def latest_checkpoint(self) -> bytes | None:
        """Return from what to go on."""
        return self.checkpoint


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Processes of this machine."""

    num_processes: int = 1

    def run_together(
        self,
        function: TogetherFunction,
        task: Any,
        num_processes: int,
        checkpoint: bytes | None,
        on_report: OnReport,
        go_on: GoOn,
    ) -> None:
        """Run a function on several processes to its end; see :class:`Engine`."""
        if num_processes == 1:
            function(Alone(checkpoint, on_report), task)
            return
        mailbox = Mailbox(checkpoint)
        command = [sys.executable, "-m", "search_server.engines.local_ranks"]
        arguments = [str(os.getpid()), str(num_processes), str(MAX_RESTARTS)]
        with served(mailbox, pickle.dumps((function, task))) as address:
            threads = {"OMP_NUM_THREADS": str(num_threads_each(num_processes))}
            environment = {**os.environ, **threads, **address}
            process = subprocess.Popen([*command, *arguments], env=environment)
            try:
                _attend(process, mailbox, on_report, go_on)
            finally:
                end_process(process, GRACE_S)

    def spread(
        self,
        function: Callable[[Task, Tell], Outcome],
        tasks: Sequence[Task],
        on_told: Callable[[int, float, str], None],
        on_done: Callable[[int, Outcome], None],
        go_on: GoOn,
    ) -> list[Outcome]:
        """Run a function on each task, several at the same time; see :class:`Engine`."""
        outcomes: dict[int, Outcome] = {}

        def keep(index: int, outcome: Outcome) -> None:
            outcomes[index] = outcome
            on_done(index, outcome)

        if self.num_processes == 1 or len(tasks) == 1:
            for index, task in enumerate(tasks):
                go_on()
                keep(index, function(task, partial(on_told, index)))
        else:
            for restart in range(MAX_RESTARTS + 1):
                left = {index: task for index, task in enumerate(tasks) if index not in outcomes}
                try:
                    _run_pool(min(self.num_processes, len(left)), function, left, on_told, keep, go_on)
                    break
                except BrokenProcessPool as error:
                    if restart == MAX_RESTARTS:
                        raise RuntimeError(
                            f"processes died {restart + 1} times (memory?); see the worker's log"
                        ) from error
        return [outcomes[index] for index in range(len(tasks))]


LOCAL = LocalEngine()
"""One process: this one."""


def num_threads_each(num_processes: int) -> int:
    """Return how many threads each of some processes has, of those that this one may have."""
    mine = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, (int(mine) if mine.isdecimal() else os.cpu_count() or 1) // num_processes)


def _attend(process: "subprocess.Popen[bytes]", mailbox: Mailbox, on_report: OnReport, go_on: GoOn) -> None:
    """Pass reports on until a process has ended."""
    while True:
        go_on()
        code = process.poll()
        report = opened(mailbox.take(POLL_S))
        if report is not None:
            on_report(report.facts, report.checkpoint)
        elif code == 0:
            return
        elif code is not None:
            raise RuntimeError(
                f"the processes ended with code {code}, started {MAX_RESTARTS + 1} times (memory?); see "
                "the worker's log"
            )


def _run_pool(
    num_processes: int,
    function: Callable[[Task, Tell], Outcome],
    tasks: dict[int, Task],
    on_told: Callable[[int, float, str], None],
    on_done: Callable[[int, Outcome], None],
    go_on: GoOn,
) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
    told: multiprocessing.Queue[_Told] = context.Queue()
    arguments = (os.getpid(), told, num_threads_each(num_processes))
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(num_processes, context, _begin, arguments)
    try:
        futures = {pool.submit(_run, function, index, task): index for index, task in tasks.items()}
        while futures:
            go_on()
            _pass_on(told, on_told)
            done, _ = wait(futures, POLL_S, FIRST_COMPLETED)
            for future in done:
                on_done(futures.pop(future), future.result())
    except BaseException:
        for process in multiprocessing.active_children():
            if process not in others:
                process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _pass_on(told: "multiprocessing.Queue[_Told]", on_told: Callable[[int, float, str], None]) -> None:
    while True:
        try:
            words = told.get_nowait()
        except queue.Empty:
            return
        on_told(*words)


_told: "multiprocessing.Queue[_Told] | None" = None
"""In a process of the pool: takes what its tasks tell."""


def _begin(parent_pid: int, told: "multiprocessing.Queue[_Told]", num_threads: int) -> None:
    """Prepare a process of the pool, before it loads torch."""
    global _told
    end_with_parent(parent_pid)
    os.environ["OMP_NUM_THREADS"] = str(num_threads)
    _told = told


def _run(function: Callable[[Task, Tell], Outcome], index: int, task: Task) -> Outcome:
    assert _told is not None, "the pool has begun"
    told = _told
    return function(task, lambda share, words: told.put((index, share, words)))
