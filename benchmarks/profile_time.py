"""How long a full latency table takes on the device, how well it repeats, and what op-by-op timing takes.

Two tables of one space are measured by the agent, each lease in a process of its own, preparation and
warm-up included; the figure is the relative difference per entry between the two tables. Op-by-op timing
gets the same blocks one by one, in processes of its own, for as long as it needs for the same median
repeatability; the ratio of the two times is ``op_by_op_ratio`` (a lower bound if it never gets there).
"""

import numpy as np

from benchmarks.baselines import isolated_blocks
from benchmarks.local_table import measure_table
from benchmarks.machine import figures_parser, print_figures
from benchmarks.plain_models import Array
from benchmarks.plain_timing import BLOCK_WARM_S, time_in_new_process
from search_server.latency.table import LatencyTable
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace, search_space

LONGEST_OP_BY_OP_S = 80.0


def main() -> None:
    """Measure two tables and op-by-op timing; print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--space", default="fbnet-224")
    arguments = parser.parse_args()
    space = search_space(arguments.space)
    tables, seconds = zip(*(measure_table(space, Conditions(), seed) for seed in (1, 2)), strict=True)
    differences = repeatability(*(units(table) for table in tables))
    device_s = float(np.mean(seconds))
    median, p95 = float(np.median(differences)), float(np.quantile(differences, 0.95))
    op_by_op_s, op_by_op_median = op_by_op(space, median)
    if not arguments.json:
        print(f"space {space.name}: {len(differences)} entries in {device_s:.1f} s of device time")
        print(f"two tables differ per entry by {median:.2%} (median), {p95:.2%} (19 of 20)")
        print(f"op by op: {op_by_op_median:.2%} (median) after {op_by_op_s:.0f} s")
    print_figures(
        {
            "benchmark": "profile_time",
            "space": space.name,
            "num_entries": len(differences),
            "device_s": device_s,
            "repeat_median": median,
            "repeat_p95": p95,
            "op_by_op_ratio": op_by_op_s / device_s,
            "op_by_op_s": op_by_op_s,
            "op_by_op_repeat_median": op_by_op_median,
            "are_accepted": [table.is_accepted for table in tables],
        }
    )


def units(table: LatencyTable) -> Array:
    """Return the entries in units of the anchor, in the order of their keys."""
    return np.array([table.entries[key].latency_units for key in sorted(table.entries)])


def repeatability(first: Array, second: Array) -> Array:
    """Return the relative difference per entry of two tables that are scaled to the same sum."""
    first, second = first / first.sum(), second / second.sum()
    differences: Array = 2 * np.abs(first - second) / (first + second)
    return differences


def op_by_op(space: SearchSpace, wanted_median: float) -> tuple[float, float]:
    """Time blocks one by one, longer and longer, until two processes agree as well as two tables."""
    blocks = list(isolated_blocks(space).values())
    seconds = 10.0
    while True:
        runs = [time_in_new_process(blocks, Conditions(), seconds, BLOCK_WARM_S, seed) for seed in (1, 2)]
        median = float(np.median(repeatability(*(run.medians_s() for run in runs))))
        if median <= wanted_median or seconds >= LONGEST_OP_BY_OP_S:
            return seconds, median
        seconds *= 2


if __name__ == "__main__":
    main()
