"""How well tables of any runtime predict whole networks, measured as a server has them measured.

``python -m benchmarks.runtimes --runtime ncnn`` measures a table and fresh random networks with the agent
of this machine and compares; half of the truth against the other half is the noise ceiling.
"""

import argparse
import random

import numpy as np

from benchmarks.latency_accuracy import accuracy
from benchmarks.local_table import measure_networks, measure_table
from benchmarks.machine import print_figures
from shared.architecture import random_architecture
from shared.device import DTYPES, RUNTIME_NAMES, Conditions
from shared.search_space import search_space


def main() -> None:
    """Measure a table and networks; print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runtime", default="onnxruntime", choices=RUNTIME_NAMES)
    parser.add_argument("--dtype", default="fp32", choices=DTYPES)
    parser.add_argument("--space", default="fbnet-tiny")
    parser.add_argument("--num-random", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    arguments = parser.parse_args()

    space = search_space(arguments.space)
    conditions = Conditions(arguments.runtime, dtype=arguments.dtype)
    generator = random.Random(20_000 + arguments.seed)
    networks = [random_architecture(space, generator) for _ in range(arguments.num_random)]
    table, device_s = measure_table(space, conditions, arguments.seed)
    halves = [measure_networks(space, conditions, networks, seed) for seed in (1, 2)]
    true_units = (halves[0] + halves[1]) / 2
    predicted = np.array([table.predict(network).latency_us for network in networks]) / table.anchor_us
    figures = accuracy(predicted, true_units)
    if not arguments.json:
        print(f"{'network':>8}{'predicted':>11}{'measured':>10}   in units of the anchor")
        for index, (guess, truth) in enumerate(zip(predicted, true_units, strict=True)):
            print(f"{index:>8}{guess:>11.3f}{truth:>10.3f}")
        print(f"{table.conditions}: mean error {figures['mape']:.2%}, largest {figures['max_error']:.1%}")
        print(f"verdict: {table.verdict}")
    print_figures(
        {
            "benchmark": "runtimes",
            "space": space.name,
            "conditions": str(table.conditions),
            **figures,
            "noise_ceiling_mape": float(np.mean(np.abs(halves[0] / halves[1] - 1))),
            "num_networks": len(networks),
            "num_entries": len(table.entries),
            "device_s": device_s,
            "is_accepted": table.verdict is not None and table.verdict.is_accepted,
        }
    )


if __name__ == "__main__":
    main()
