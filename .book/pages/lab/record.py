"""Measure some windows of a profile on this machine and keep them, for ``lab.refit``.

It takes about five seconds a window, in processes of their own, as an agent measures for a server. The
file of the space is written anew. The machine should do nothing else meanwhile: what ``lab.refit`` can tell
apart ends at the noise of the windows.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.local_table import measure_window
from lab.recorded import Windows, save
from profiler_agent.agent import AgentCore
from search_server.latency.covers import window_architectures
from search_server.profiling.plan import ANCHOR_ID, MIN_PROFILE_LEASES
from shared.architecture import Architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import Result
from shared.search_space import search_space


def main() -> None:
    """Record windows of each space that is asked for."""
    arguments = _parsed_arguments()
    for space in arguments.space:
        path = save(record(space, Conditions(), arguments.windows))
        print(f"{path}: {path.stat().st_size} bytes")


def record(name: str, conditions: Conditions, num_windows: int) -> Windows:
    """Return windows of a space, measured now.

    Raises:
        ValueError: there is no such space, or this machine cannot measure under these conditions.
    """
    space = search_space(name)
    covers: dict[str, Architecture] = {}
    families: dict[str, Architecture] = {}
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="edgenas-lab-") as folder:
        core = AgentCore(Path(folder))
        for index in range(num_windows):
            drawn, kin = window_architectures(space, index)
            covers, families = covers | drawn, families | kin
            results += measure_window(core, space, conditions, drawn, kin, index)
            print(f"{name}: window {index + 1} of {num_windows}", flush=True)
    return Windows(space, conditions, ANCHOR_ID, covers, families, tuple(results))


def _parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.record", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--space", action="append", required=True, help="again for more")
    parser.add_argument("--windows", type=int, default=MIN_PROFILE_LEASES, metavar="N", help="default: 6")
    return parser.parse_args()


if __name__ == "__main__":
    main()
