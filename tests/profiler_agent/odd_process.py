"""A measuring process whose runtime misbehaves as the id of each item says.

``fine`` and ``chatty`` (prints to standard output) work; ``refused`` is not supported, ``broken`` raises,
``crash`` aborts, ``greedy`` asks for more memory than allowed, ``fat`` takes 600 MB bit by bit and keeps
them, ``long`` writes a file of more than 256 MiB, ``wide`` fills its temporary folder with files of 1 MiB,
``spin`` never ends, ``hang`` opens the named pipe of the variable
``ODD_PIPE`` for writing and then runs for ever, ``gated`` goes on when somebody has opened that pipe for
writing and closed it. Its clock moves a little each time it is read, so a busy
machine makes no result restless.
"""

import itertools
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from profiler_agent.measuring.limits import MAX_FILE_BYTES
from profiler_agent.measuring.process import measure_order
from profiler_agent.runtimes.base import Clock, UnsupportedWorkloadError
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, NodeSamples


def _print() -> None:
    os.write(1, b"a runtime that talks\n")


def _fail() -> None:
    raise RuntimeError("the kernel does not like this shape")


def _take_memory() -> None:
    bytearray(1 << 36)


def _grow_fat() -> None:
    kept = [b"x" * (1 << 20) for _ in range(600)]
    while kept:
        pass


def _write_long_file() -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.seek(MAX_FILE_BYTES)
        file.write(b"x")


def _write_many_files() -> None:
    for index in range(64):
        Path(tempfile.gettempdir(), str(index)).write_bytes(b"x" * (1 << 20))
    _spin()


def _spin() -> None:
    while True:
        pass


def _hang() -> None:
    with open(os.environ["ODD_PIPE"], "w"):
        threading.Event().wait()


@cache
def _wait_at_gate() -> None:
    Path(os.environ["ODD_PIPE"]).read_bytes()


_BEHAVIOURS: dict[str, Callable[[], None]] = {
    "fine": lambda: None,
    "chatty": _print,
    "broken": _fail,
    "crash": os.abort,
    "greedy": _take_memory,
    "fat": _grow_fat,
    "long": _write_long_file,
    "wide": _write_many_files,
    "spin": _spin,
    "hang": _hang,
    "gated": _wait_at_gate,
}


class OddModel:
    def __init__(self, behaviour: Callable[[], None]) -> None:
        self._behaviour = behaviour

    def run(self) -> None:
        self._behaviour()

    def run_profiled(self) -> None:
        self._behaviour()

    def node_samples(self) -> Sequence[NodeSamples]:
        return ()


class OddRuntime:
    name = "simulated"
    accelerators = ("cpu",)
    version = "odd"

    def begin(self, seed: int) -> Clock:
        now_ns = partial(next, itertools.count(0, 100_000))
        return Clock(wall_ns=now_ns, cpu_ns=now_ns, canary_us=lambda: 100.0)

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> OddModel:
        if item.item_id == "refused":
            raise UnsupportedWorkloadError("not this one")
        return OddModel(_BEHAVIOURS[item.item_id])


if __name__ == "__main__":
    measure_order(Path(sys.argv[1]), lambda _: OddRuntime())
