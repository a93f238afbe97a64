"""The usual ways to predict a network: isolated blocks summed, and a line through its MACs.

Each is fitted on the test networks themselves, which favours it.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.plain_models import Array
from benchmarks.plain_timing import time_in_new_process
from shared.architecture import Architecture
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace
from shared.workload import IDENTITY_KEY, Workload


def isolated_sum(
    space: SearchSpace,
    networks: Sequence[Architecture],
    conditions: Conditions,
    seconds: float,
    warm_s: float,
) -> Array:
    """Return per network the sum over its blocks in seconds, each timed as a model of its own.

    Args:
        space: whose blocks are timed.
        networks: of that space.
        conditions: runtime and dtype.
        seconds: for all blocks together; three rounds at least.
        warm_s: how long a block runs untimed before its timed runs; with 0 all others run before it.
    """
    blocks = isolated_blocks(space)
    timing = time_in_new_process(list(blocks.values()), conditions, seconds, warm_s, seed=3)
    block_s = dict(zip(blocks, timing.medians_s(), strict=True))
    return np.array(
        [
            sum(block_s[key] for key in network.workload().segment_keys() if key != IDENTITY_KEY)
            for network in networks
        ]
    )


def isolated_blocks(space: SearchSpace) -> dict[str, Workload]:
    """Return each distinct block of a space, stem and head too, as a workload of its own."""
    return {
        placed.key: Workload(placed.input_shape, (placed.segment,))
        for placed in space.segments()
        if placed.segment.operators
    }


def scaled(values: Array, true_units: Array) -> Array:
    """Return the values times the one factor that suits the test networks best."""
    return values * float(np.median(true_units / values))


def macs_line(networks: Sequence[Architecture], true_units: Array) -> Array:
    """Return ``a + b * MACs`` with the a and b of least squares over the test networks."""
    macs = np.array([network.workload().macs for network in networks], dtype=float)
    design = np.stack([np.ones_like(macs), macs], axis=1)
    line: Array = design @ np.linalg.lstsq(design, true_units, rcond=None)[0]
    return line
