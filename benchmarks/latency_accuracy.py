"""How well a latency table predicts whole networks it has never seen, beside the usual ways.

The table is measured by the agent, under each runtime that is asked for. The truth, whole networks against
the anchor under the same runtime, is measured by ``plain_timing`` in processes that share no code with the
agent. A host that others use changes within minutes; so half of the truth is timed before the table and the
baselines, half after, and one half against the other is the noise ceiling: no predictor can look better.
Beside it stands every other deal against the others, which is what a host that kept its pace would allow.
Baselines of the same run: isolated blocks summed (warm), each block once per round (cold), and
``a + b * MACs``; each baseline's scale is fitted on the test networks themselves, which favours it.

The last line is JSON. Each runtime has its figures under its name (``onnxruntime``, ``litert-int8``), its
baselines within; ``baselines`` beside them are those of the first runtime.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.baselines import isolated_sum, macs_line, scaled
from benchmarks.local_table import measure_table
from benchmarks.machine import print_figures
from benchmarks.plain_models import RUNTIME_DTYPES
from benchmarks.plain_timing import BLOCK_WARM_S
from benchmarks.truth import FIRST_HALF, SECOND_HALF, test_networks, truth
from shared.architecture import Architecture
from shared.protocol.device import Conditions
from shared.runtimes import DTYPES
from shared.search_space import SearchSpace, search_space

Array = NDArray[np.float64]


def main() -> None:
    """Measure tables, truth and baselines; print a row each and the figures as JSON."""
    arguments = parsed_arguments()
    space = search_space(arguments.space)
    networks = test_networks(space, arguments.num_random, arguments.seed)
    figures: dict[str, Any] = {"benchmark": "latency_accuracy", "space": space.name}
    for runtime in arguments.runtime:
        conditions = Conditions(runtime, dtype=arguments.dtype)
        rows = judge(space, networks, conditions, arguments)
        name = name_of(conditions)
        if not arguments.json:
            print_rows(space.name, name, rows)
        table = rows.pop("table")
        figures[name] = {**table, "baselines": rows}
        figures.setdefault("baselines", rows)
    print_figures(figures)


def parsed_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags; a runtime that lacks the dtype ends the program with what exists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--space", default="fbnet-224")
    parser.add_argument(
        "--runtime", action="append", choices=RUNTIME_DTYPES, help="may be given more than once"
    )
    parser.add_argument("--dtype", default="fp32", choices=DTYPES)
    parser.add_argument("--num-random", type=int, default=60)
    parser.add_argument(
        "--truth-s", type=float, default=2.5, help="seconds of a dozen networks, eight times"
    )
    parser.add_argument("--blocks-s", type=float, default=25.0, help="seconds of isolated blocks, twice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    arguments = parser.parse_args(argv)
    arguments.runtime = arguments.runtime or ["onnxruntime"]
    for runtime in arguments.runtime:
        if arguments.dtype not in RUNTIME_DTYPES[runtime]:
            known = ", ".join(RUNTIME_DTYPES[runtime])
            parser.error(f"{runtime} has no dtype {arguments.dtype}; it has {known}")
    return arguments


def name_of(conditions: Conditions) -> str:
    """Return the key of a runtime's figures."""
    return conditions.runtime + ("" if conditions.dtype == "fp32" else f"-{conditions.dtype}")


def judge(
    space: SearchSpace,
    networks: Sequence[Architecture],
    conditions: Conditions,
    arguments: argparse.Namespace,
) -> dict[str, dict[str, Any]]:
    """Return the figures of ``table`` and of each baseline under one runtime."""
    before = truth(space, networks, conditions, arguments.truth_s, FIRST_HALF)
    warm = isolated_sum(space, networks, conditions, arguments.blocks_s, BLOCK_WARM_S)
    table, device_s = measure_table(space, conditions, arguments.seed, cover_seed=arguments.seed)
    cold = isolated_sum(space, networks, conditions, arguments.blocks_s, warm_s=0.0)
    true = before.then(truth(space, networks, conditions, arguments.truth_s, SECOND_HALF))
    predictions = [table.predict(network) for network in networks]
    predicted = np.array([p.latency_us for p in predictions]) / table.anchor_us
    intervals = np.array([(p.low_us, p.high_us) for p in predictions]) / table.anchor_us
    is_inside = (intervals[:, 0] <= true.units) & (true.units <= intervals[:, 1])
    rows: dict[str, dict[str, Any]] = {
        "table": {
            **accuracy(predicted, true.units),
            "interval_90_coverage": float(is_inside.mean()),
            "device_s": device_s,
            "is_accepted": table.verdict is not None and table.verdict.is_accepted,
            "conditions": str(table.conditions),
            "page_faults_per_run": true.page_faults_per_run,
        },
        "isolated_sum": accuracy(scaled(warm, true.units), true.units),
        "op_by_op": accuracy(scaled(cold, true.units), true.units),
        "macs": accuracy(macs_line(networks, true.units), true.units),
    }
    for row in rows.values():
        row.update(noise_ceiling_mape=true.noise_ceiling_mape, num_networks=len(networks))
    rows["table"]["alternating_mape"] = true.alternating_mape
    return rows


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


def print_rows(space: str, name: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print a row per predictor."""
    table = rows["table"]
    print(f"space {space}, {table['conditions']}; page faults a run: {table['page_faults_per_run']:.1f}")
    print(f"noise ceiling (half of the truth against the other half): {table['noise_ceiling_mape']:.2%}")
    print(f"every other deal of the truth against the others: {table['alternating_mape']:.2%}")
    print(f"{'predictor':<16}{'within 5 %':>12}{'within 10 %':>13}{'MAPE':>8}{'max':>8}{'Spearman':>10}")
    for predictor, row in rows.items():
        print(
            f"{name if predictor == 'table' else predictor:<16}{row['within_5']:>12.1%}"
            f"{row['within_10']:>13.1%}{row['mape']:>8.2%}{row['max_error']:>8.1%}{row['spearman']:>10.4f}"
        )


if __name__ == "__main__":
    main()
