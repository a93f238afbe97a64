"""How well a latency table predicts whole networks it has never seen, beside the usual ways.

The table is measured by the agent. The truth, whole networks against the anchor, is measured by
``plain_timing`` in two other processes; half of the truth against the other half is the noise ceiling:
no predictor can look better than that. Baselines of the same run: isolated blocks summed (warm), each
block once per round (cold), and ``a + b * MACs``; each baseline's scale is fitted on the test networks
themselves, which favours it.
"""

import argparse
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.local_table import measure_table
from benchmarks.machine import print_figures
from benchmarks.plain_timing import median_ratios, time_in_new_process
from search_server.profiling.artifacts import onnx_bytes
from search_server.profiling.covers import anchor_architecture
from shared.architecture import (
    KNOWN_ARCHITECTURES,
    Architecture,
    random_architecture,
    uniform_architecture,
)
from shared.device import Conditions
from shared.search_space import SearchSpace, search_space
from shared.workload import IDENTITY_KEY, Segment, Workload

Array = NDArray[np.float64]

TRUTH_GROUP = 12
"""Networks of one process beside the anchor."""


def main() -> None:
    """Measure table, truth and baselines; print a row each and the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--space", default="fbnet-224")
    parser.add_argument("--num-random", type=int, default=60)
    parser.add_argument(
        "--truth-s", type=float, default=5.0, help="seconds of a dozen networks, four times"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    arguments = parser.parse_args()

    space = search_space(arguments.space)
    networks = test_networks(space, arguments.num_random, arguments.seed)
    table, device_s = measure_table(space, Conditions(), arguments.seed, cover_seed=arguments.seed)
    quarters = [truth(space, networks, arguments.truth_s, seed) for seed in (1, 2, 3, 4)]
    halves = [(quarters[0] + quarters[1]) / 2, (quarters[2] + quarters[3]) / 2]
    true_units = (halves[0] + halves[1]) / 2
    ceiling = float(np.mean(np.abs(halves[0] / halves[1] - 1)))
    predictions = [table.predict(network) for network in networks]
    predicted = np.array([p.latency_us for p in predictions]) / table.anchor_us
    intervals = np.array([(p.low_us, p.high_us) for p in predictions]) / table.anchor_us
    is_inside = (intervals[:, 0] <= true_units) & (true_units <= intervals[:, 1])
    macs = np.array([network.workload().macs for network in networks], dtype=float)
    design = np.stack([np.ones_like(macs), macs], axis=1)
    line = design @ np.linalg.lstsq(design, true_units, rcond=None)[0]
    baselines = {
        "isolated_sum": scaled(isolated_sum(space, networks, is_warm=True), true_units),
        "op_by_op": scaled(isolated_sum(space, networks, is_warm=False), true_units),
        "macs": line,
    }
    rows: dict[str, dict[str, Any]] = {
        "onnxruntime": {
            **accuracy(predicted, true_units),
            "interval_90_coverage": float(is_inside.mean()),
            "device_s": device_s,
            "is_accepted": table.verdict is not None and table.verdict.is_accepted,
        },
        **{name: accuracy(values, true_units) for name, values in baselines.items()},
    }
    for row in rows.values():
        row.update(noise_ceiling_mape=ceiling, num_networks=len(networks))
    if not arguments.json:
        print_rows(space.name, rows, ceiling)
    print_figures(
        {
            "benchmark": "latency_accuracy",
            "space": space.name,
            "onnxruntime": rows.pop("onnxruntime"),
            "baselines": rows,
        }
    )


def test_networks(space: SearchSpace, num_random: int, seed: int) -> list[Architecture]:
    """Return fresh random networks, the uniform ones, and the known ones with the space's own head."""
    generator = random.Random(10_000 + seed)
    networks = [random_architecture(space, generator) for _ in range(num_random)]
    networks += [uniform_architecture(space, block) for block in space.candidates if block != "skip"]
    for name in ("fbnet-a", "fbnet-b", "fbnet-c"):
        blocks = tuple(KNOWN_ARCHITECTURES[name].blocks.split(","))
        if len(blocks) == space.num_layers:
            networks.append(Architecture(space, blocks))
    return networks


def truth(space: SearchSpace, networks: Sequence[Architecture], seconds: float, seed: int) -> Array:
    """Return the latency of each network in units of the anchor, from processes of a dozen networks each.

    Networks are dealt to processes anew for each seed, so that what is peculiar to a process, above all
    where its models lie in memory, falls on others each time.
    """
    anchor = anchor_architecture(space).workload()
    order = random.Random(seed).sample(range(len(networks)), k=len(networks))
    units = np.empty(len(networks))
    for start in range(0, len(order), TRUTH_GROUP):
        group = order[start : start + TRUTH_GROUP]
        workloads = [anchor, *(networks[index].workload() for index in group)]
        models = [(onnx_bytes(workload), workload.input_shape) for workload in workloads]
        timed = time_in_new_process(models, seconds, is_warm=True, seed=seed)
        units[group] = median_ratios(timed)[1:]
    return units


def isolated_sum(space: SearchSpace, networks: Sequence[Architecture], is_warm: bool) -> Array:
    """Return per network the sum over its blocks, each timed as a model of its own."""
    blocks = isolated_blocks(space)
    models = [(onnx_bytes(block), block.input_shape) for block in blocks.values()]
    seconds = time_in_new_process(models, 25.0, is_warm, seed=3)
    block_s = dict(zip(blocks, np.median(seconds[:, :, 1], axis=0), strict=True))
    return np.array(
        [
            sum(block_s[key] for key in network.workload().segment_keys() if key != IDENTITY_KEY)
            for network in networks
        ]
    )


def isolated_blocks(space: SearchSpace) -> dict[str, Workload]:
    """Return each distinct block of a space, stem and head too, as a workload of its own."""
    blocks: dict[str, Workload] = {}
    for layer in space.layers:
        for block in space.candidates:
            _add_block(blocks, space.candidate(layer, block), layer.input_shape)
    workload = uniform_architecture(space, space.candidates[0]).workload()
    _add_block(blocks, workload.segments[0], workload.input_shape)
    _add_block(blocks, workload.segments[-1], workload.shapes()[-2])
    return blocks


def _add_block(blocks: dict[str, Workload], segment: Segment, shape: tuple[int, int, int]) -> None:
    if segment.operators:
        workload = Workload(shape, (segment,))
        blocks[workload.segment_keys()[0]] = workload


def scaled(values: Array, true_units: Array) -> Array:
    """Return the values times the one factor that suits the test networks best."""
    return values * float(np.median(true_units / values))


def accuracy(predicted: Array, true_units: Array) -> dict[str, Any]:
    """Return shares within 5 and 10 %, mean absolute relative error, and rank correlation."""
    errors = np.abs(predicted / true_units - 1)
    return {
        "within_5": float((errors <= 0.05).mean()),
        "within_10": float((errors <= 0.10).mean()),
        "mape": float(errors.mean()),
        "bias": float((predicted / true_units - 1).mean()),
        "max_error": float(errors.max()),
        "spearman": float(spearmanr(predicted, true_units).statistic),
    }


def print_rows(space: str, rows: dict[str, dict[str, Any]], ceiling: float) -> None:
    """Print a row per predictor."""
    print(f"space {space}; noise ceiling (half of the truth against the other half): {ceiling:.2%}")
    print(f"{'predictor':<14}{'within 5 %':>12}{'within 10 %':>13}{'MAPE':>8}{'max':>8}{'Spearman':>10}")
    for name, row in rows.items():
        print(
            f"{name:<14}{row['within_5']:>12.1%}{row['within_10']:>13.1%}{row['mape']:>8.2%}"
            f"{row['max_error']:>8.1%}{row['spearman']:>10.4f}"
        )


if __name__ == "__main__":
    main()
