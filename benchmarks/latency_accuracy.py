"""How well a latency table predicts whole networks it has never seen, beside the usual ways.

The table is measured by the agent, under each runtime that is asked for. The truth, whole networks against
the anchor under the same runtime, is measured by ``plain_timing`` in processes that share no code with the
agent. For ONNX Runtime the networks are the files that a search exports, with weights and uint8 images;
``torch_export`` has some of them as torch writes them, built anew from the names of their blocks, and
``alone`` has some exported ones, each in a process without any other. The unit is the anchor's timing model
everywhere, since it is a table's unit: so ``bias`` (mean of predicted over true, less 1) holds what a
timing model and a network that people get differ by. ``bias_ms`` is that of milliseconds, which moves with
the pace of the machine as well. For other runtimes, and int8, the truth is made of timing models.

A host that others use changes within minutes; so half of the truth is timed before the table and the
baselines, half after, and one half against the other is the noise ceiling: no predictor can look better.
Beside it stands every other deal against the others, which is what a host that kept its pace would allow.
Baselines of the same run: isolated blocks summed (warm), each block once per round (cold), and
``a + b * MACs``; each baseline's scale is fitted on the test networks themselves, which favours it.

The last line is JSON. Each runtime has its figures under its name (``onnxruntime``, ``litert-int8``):
``within_5``, ``within_10``, ``mape``, ``spearman``, ``bias``, ``noise_ceiling_mape``, ``num_networks``. The
same keys are within, for ONNX Runtime in fp32, in ``torch_export`` and ``alone``, and in each of
``baselines``: ``isolated_sum``, ``op_by_op``, ``macs``. ``baselines`` beside the runtimes are those of the
first. With the defaults it takes four to five minutes, and 2 GB of disk for the files.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.baselines import isolated_sum, macs_line, scaled
from benchmarks.forms import Form, forms
from benchmarks.local_table import measure_table
from benchmarks.machine import figures_parser, print_figures
from benchmarks.plain_models import RUNTIME_DTYPES, Array
from benchmarks.plain_timing import BLOCK_WARM_S
from benchmarks.truth import FIRST_HALF, SECOND_HALF, Truth, test_networks
from search_server.latency.table import LatencyTable
from shared.architecture import Architecture
from shared.protocol.device import Conditions
from shared.runtimes import DTYPES
from shared.search_space import SearchSpace, search_space

BASELINES = ("isolated_sum", "op_by_op", "macs")


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
        baselines = {each: rows.pop(each) for each in BASELINES}
        figures[name] = {**table, **rows, "baselines": baselines}
        figures.setdefault("baselines", baselines)
    print_figures(figures)


def parsed_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags; a runtime that lacks the dtype ends the program with what exists."""
    parser = figures_parser(__doc__)
    parser.add_argument("--space", default="fbnet-224")
    parser.add_argument(
        "--runtime", action="append", choices=RUNTIME_DTYPES, help="may be given more than once"
    )
    parser.add_argument("--dtype", default="fp32", choices=DTYPES)
    parser.add_argument("--num-random", type=int, default=60)
    parser.add_argument(
        "--truth-s", type=float, default=1.5, help="seconds of a dozen networks, eight times"
    )
    parser.add_argument("--blocks-s", type=float, default=12.0, help="seconds of isolated blocks, twice")
    parser.add_argument("--seed", type=int, default=0)
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
    """Return the figures of ``table``, of the table against other truths, and of each baseline."""
    with tempfile.TemporaryDirectory(prefix="edgenas-truth-") as folder:
        kinds = forms(networks, conditions, Path(folder))
        before = [kind.timed(conditions, arguments.truth_s, FIRST_HALF) for kind in kinds]
        warm = isolated_sum(space, networks, conditions, arguments.blocks_s, BLOCK_WARM_S)
        table, device_s = measure_table(space, conditions, arguments.seed, cover_seed=arguments.seed)
        cold = isolated_sum(space, networks, conditions, arguments.blocks_s, warm_s=0.0)
        after = [kind.timed(conditions, arguments.truth_s, SECOND_HALF) for kind in kinds]
    truths = [first.then(second) for first, second in zip(before, after, strict=True)]
    main_row, *others = [table_row(table, kind, true) for kind, true in zip(kinds, truths, strict=True)]
    true = truths[0]
    baselines = {
        "isolated_sum": scaled(warm, true.units),
        "op_by_op": scaled(cold, true.units),
        "macs": macs_line(networks, true.units),
    }
    measured = {"noise_ceiling_mape": true.noise_ceiling_mape, "num_networks": len(networks)}
    return {
        "table": {
            **main_row,
            "alternating_mape": true.alternating_mape,
            "truth": kinds[0].name,
            "device_s": device_s,
            "is_accepted": table.is_accepted,
            "conditions": str(table.conditions),
            "page_faults_per_run": max(each.page_faults_per_run for each in truths),
        },
        **{kind.name: row for kind, row in zip(kinds[1:], others, strict=True)},
        **{name: {**accuracy(baselines[name], true.units), **measured} for name in BASELINES},
    }


def table_row(table: LatencyTable, form: Form, true: Truth) -> dict[str, Any]:
    """Return how well a table predicts networks in one form."""
    predictions = [table.predict(network) for network in form.networks]
    predicted_us = np.array([p.latency_us for p in predictions])
    low, high = np.array([(p.low_us, p.high_us) for p in predictions]).T / table.anchor_us
    return {
        **accuracy(predicted_us / table.anchor_us, true.units),
        "bias_ms": float((predicted_us / true.latency_us - 1).mean()),
        "interval_90_coverage": float(((low <= true.units) & (true.units <= high)).mean()),
        "noise_ceiling_mape": true.noise_ceiling_mape,
        "num_networks": len(predictions),
    }


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
    print(f"truth: {table['truth']}, {table['num_networks']} networks")
    print(f"noise ceiling (half of the truth against the other half): {table['noise_ceiling_mape']:.2%}")
    print(f"every other deal of the truth against the others: {table['alternating_mape']:.2%}")
    heads = f"{'bias':>8}{'within 5 %':>12}{'within 10 %':>13}{'MAPE':>8}{'max':>8}{'Spearman':>10}{'n':>5}"
    print(f"{'predictor':<28}{heads}")
    for predictor, row in rows.items():
        others = predictor if predictor in BASELINES else f"{name}, {predictor}"
        print(
            f"{name if predictor == 'table' else others:<28}{row['bias']:>+8.2%}{row['within_5']:>12.1%}"
            f"{row['within_10']:>13.1%}{row['mape']:>8.2%}{row['max_error']:>8.1%}{row['spearman']:>10.4f}"
            f"{row['num_networks']:>5}"
        )


if __name__ == "__main__":
    main()
