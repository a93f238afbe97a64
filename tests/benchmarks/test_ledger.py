"""A benchmark that was interrupted goes on with what it has."""

import multiprocessing
import multiprocessing.connection
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ledger import Ledger, Outcome


@dataclass(frozen=True, slots=True)
class Count:
    """Leaves a line for each time that it was run."""

    trace: str
    number: int

    def run(self) -> Outcome:
        with Path(self.trace).open("a") as file:
            file.write(f"{self.number}\n")
        return {"double": 2 * self.number}


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    one, two = Count(str(trace), 1), Count(str(trace), 2)
    assert Ledger(tmp_path / "trials.jsonl").outcome(one) == {"double": 2}
    told: list[str] = []
    ledger = Ledger(tmp_path / "trials.jsonl")
    ledger.run_all([one, two, two], num_processes=1, tell=told.append)
    assert [ledger.outcome(trial)["double"] for trial in (one, two)] == [2, 4]
    assert told == ["1 of 1"]
    assert trace.read_text() == "1\n2\n"


@dataclass(frozen=True, slots=True)
class Wait:
    """Says who runs it, and never ends."""

    fifo: str

    def run(self) -> Outcome:
        Path(self.fifo).write_text(str(os.getpid()))
        signal.pause()
        return {}


def _run_forever(folder: Path) -> None:
    ledger = Ledger(folder / "trials.jsonl")
    ledger.run_all([Wait(str(folder / "fifo"))], num_processes=1, tell=print)


def test_the_worker_of_a_killed_benchmark_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    benchmark = multiprocessing.get_context("spawn").Process(target=_run_forever, args=(tmp_path,))
    benchmark.start()
    worker = os.pidfd_open(int((tmp_path / "fifo").read_text()))
    benchmark.kill()
    benchmark.join()
    assert multiprocessing.connection.wait([worker], timeout=60)
    os.close(worker)
