"""What becomes of tables that are measured while a neighbour comes and goes at random.

A process that keeps one core and the memory busy is switched on and off at random, and one table after
another is measured. Every five minutes the load ends, and the truth about some networks is timed in quiet:
a host changes within half an hour, so tables are held to the truths before and after them, and
``truth_moved`` says how far these lie apart. An accepted table must predict as well as its intervals
promise; a refused one says why. A 90 % interval that is right holds fewer than ``chance_limit`` of the
networks in one table of twenty; ``accepted_below_chance`` counts such tables.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.stats import binom

from benchmarks.local_table import measure_table
from benchmarks.machine import figures_parser, print_figures
from benchmarks.plain_models import Array
from benchmarks.truth import FIRST_HALF, SECOND_HALF, Truth, test_networks, truth
from search_server.latency.estimate.observations import UnfittableError
from search_server.latency.table import LatencyTable
from shared.architecture import Architecture
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace, search_space

_BUSY = "import numpy as np\na = np.ones((2000, 2000), np.float32)\nwhile True: a = a @ a * 0"
ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

PART_S = 300.0
"""Of load, between two truths."""


def main() -> None:
    """Measure tables for some minutes under a changing load; print a row each and the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--space", default="fbnet-224")
    parser.add_argument("--minutes", type=float, default=30.0, help="of load, the truths not counted")
    parser.add_argument("--num-neighbours", type=int, default=2, help="busy processes at a time, at most")
    arguments = parser.parse_args()
    space = search_space(arguments.space)
    networks = test_networks(space, 20, seed=0)
    chance_limit = float(binom.ppf(0.05, len(networks), 0.9)) / len(networks)
    truths = [truth(space, networks, Conditions(), seconds=2.5, seeds=FIRST_HALF)]
    around: list[Truth] = []
    rows: list[dict[str, Any]] = []
    num_parts = max(1, round(60 * arguments.minutes / PART_S))
    for part in range(num_parts):
        if not arguments.json:
            print(f"part {part + 1} of {num_parts}: tables under load, then the truth in quiet", flush=True)
        with changing_load(arguments.num_neighbours, seed=part):
            tables = list(tables_for(60 * arguments.minutes / num_parts, space, first_seed=len(rows)))
        deals = FIRST_HALF if part % 2 else SECOND_HALF
        truths.append(truth(space, networks, Conditions(), seconds=2.5, seeds=deals))
        around.append(truths[-2].then(truths[-1]))
        judgements = [judged(*table, networks, around[-1].units) for table in tables]
        rows += judgements
        if not arguments.json:
            print(f"truths before and after differ by {around[-1].noise_ceiling_mape:.1%}")
            for row in judgements:
                _print_row(row)
    accepted = [row for row in rows if row["is_accepted"]]
    coverages = [row["interval_90_coverage"] for row in accepted]
    reasons = Counter(str(reason).partition(" by ")[0] for row in rows for reason in row["reasons"])
    print_figures(
        {
            "benchmark": "changing_load",
            "space": space.name,
            "minutes": arguments.minutes,
            "num_tables": len(rows),
            "num_refused": len(rows) - len(accepted),
            "refused_for": dict(reasons),
            "accepted_worst_mape": max((row["mape"] for row in accepted), default=None),
            "accepted_mean_coverage": float(np.mean(coverages)) if coverages else None,
            "accepted_worst_coverage": min(coverages, default=None),
            "accepted_below_chance": sum(coverage < chance_limit for coverage in coverages),
            "chance_limit": chance_limit,
            "truth_moved": [one.noise_ceiling_mape for one in around],
            "num_networks": len(networks),
            "tables": rows,
        }
    )


def tables_for(
    seconds: float, space: SearchSpace, first_seed: int
) -> Iterator[tuple[LatencyTable | None, str, float]]:
    """Yield tables until the time is over: each with device time in seconds, or why there is none.

    Args:
        seconds: no table begins later.
        space: what the tables are of.
        first_seed: of the order in which the agent runs; counts up.
    """
    end_s = time.monotonic() + seconds
    while (started_s := time.monotonic()) < end_s:
        try:
            table, device_s = measure_table(space, Conditions(), first_seed)
            yield table, "", device_s
        except UnfittableError as error:
            yield None, str(error), time.monotonic() - started_s
        first_seed += 1


def judged(
    table: LatencyTable | None,
    reason: str,
    device_s: float,
    networks: Sequence[Architecture],
    true_units: Array,
) -> dict[str, Any]:
    """Return a table's verdict, and errors of its predictions as shares of the truth.

    Without numbers for a table it counts as refused, and has no errors.

    Args:
        table: the table, if there is one.
        reason: why there is none.
        device_s: what it took, seconds.
        networks: what is predicted.
        true_units: their latencies in units of the anchor, timed in quiet.
    """
    if table is None:
        return {"is_accepted": False, "reasons": (reason,), "device_s": device_s}
    assert table.verdict is not None
    predictions = [table.predict(network) for network in networks]
    units = np.array([p.latency_us for p in predictions]) / table.anchor_us
    intervals = np.array([(p.low_us, p.high_us) for p in predictions]) / table.anchor_us
    held = (intervals[:, 0] <= true_units) & (true_units <= intervals[:, 1])
    errors = np.abs(units / true_units - 1)
    return {
        "is_accepted": table.verdict.is_accepted,
        "reasons": table.verdict.reasons,
        "device_s": device_s,
        "mape": float(errors.mean()),
        "max_error": float(errors.max()),
        "interval_90_coverage": float(held.mean()),
    }


@contextmanager
def changing_load(num_neighbours: int, seed: int) -> Iterator[None]:
    """Keep between none and so many busy processes running, changing every 1 to 20 s."""
    ended = threading.Event()
    thread = threading.Thread(target=_come_and_go, args=(num_neighbours, seed, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _come_and_go(num_neighbours: int, seed: int, ended: threading.Event) -> None:
    generator = random.Random(seed)
    while not ended.is_set():
        command = [sys.executable, "-c", _BUSY]
        number = generator.randint(0, num_neighbours)
        busy = [subprocess.Popen(command, env=os.environ | ONE_CORE) for _ in range(number)]
        ended.wait(generator.uniform(1, 20))
        for process in busy:
            process.kill()
            process.wait()


def _print_row(row: dict[str, Any]) -> None:
    word = "accepted" if row["is_accepted"] else "refused "
    line = f"{word} after {row['device_s']:5.1f} s"
    if "mape" in row:
        line += f": error {row['mape']:.1%}, at most {row['max_error']:.1%}"
        line += f", 90 % intervals hold {row['interval_90_coverage']:.0%}"
    print(f"{line}; {'; '.join(row['reasons'])}", flush=True)


if __name__ == "__main__":
    main()
