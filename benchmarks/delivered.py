"""Does the file that is delivered run as fast as the file that was timed in its place?

Each network stands in one process four times, twice as the timing model, whose weights are not stored, and
twice with weights, as it is delivered. A file is timed right after one more timing model, the yardstick;
the figure of a process is the delivered files' mean over the timing models' mean, that of a network the
median over the processes. They load in another random order in each: models that load late run faster.
Both take images 0..255 and normalise them. For ONNX Runtime the delivered file is what a search exports, of
any batch size; in int8 it is that file quantised statically, as ``--deliver int8`` gives it. For torch it
is the file of plain torch. There is no int8 file for other runtimes, and no file for ExecuTorch.

For each runtime that is installed, and its int8 form where there is one:
``exported_over_timed`` by network, ``bias`` (its mean less 1) and ``within_5`` (share of networks within
5 %).
"""

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.delivered_torch import write_delivered_torch
from benchmarks.forms import exported_file
from benchmarks.machine import figures_parser, print_figures
from benchmarks.plain_models import RUNTIME_DTYPES
from benchmarks.plain_timing import NETWORK_WARM_S, time_files
from profiler_agent.runtimes import available_runtimes
from search_server.exports.onnx_file import CALIBRATION_BATCH, quantised_onnx_file
from search_server.model_files.model_file import ModelFile, model_file
from search_server.nas.network_weights import numpy_weights
from shared.architecture import Architecture, parse_architecture, random_architecture
from shared.modules import network_module
from shared.protocol.device import Conditions
from shared.runtimes import DTYPES
from shared.search_space import search_space

KNOWN_NETWORKS = ("fbnet-a", "fbnet-b", "fbnet-c", "k3_e6")
TOLERANCE = 0.05


def main() -> None:
    """Compare files with and without weights on each runtime; print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--space", default="fbnet-224", help="with 22 layers, as the known networks have")
    parser.add_argument("--runtime", nargs="*", help="compare on these only; default: all installed")
    parser.add_argument("--dtype", choices=DTYPES, help="compare this form only; default: both")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a process")
    parser.add_argument("--processes", type=int, default=5, help="for each network and runtime")
    arguments = parser.parse_args()
    networks = named_networks(arguments.space)
    rows: dict[str, dict[str, Any]] = {}
    for conditions in delivered_conditions(arguments.runtime or installed_runtimes(), arguments.dtype):
        ratios = {
            name: exported_over_timed(network, conditions, arguments.seconds, arguments.processes)
            for name, network in networks.items()
        }
        form = conditions.runtime if conditions.dtype == "fp32" else f"{conditions.runtime} int8"
        rows[form] = figures(ratios)
        if not arguments.json:
            each = ", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items())
            print(f"{form}, delivered over timed: {each}; bias {rows[form]['bias']:+.1%}", flush=True)
    print_figures({"benchmark": "delivered", "space": arguments.space, "runtimes": rows})


def named_networks(space: str) -> dict[str, Architecture]:
    """Return the networks that are compared, by name; the last is drawn at random."""
    home = search_space(space)
    networks = {name: parse_architecture(name, home) for name in KNOWN_NETWORKS}
    return {**networks, "random": random_architecture(home, random.Random(0))}


def installed_runtimes() -> list[str]:
    """Return the runtimes that are installed, of those that can be timed without the agent."""
    installed = {runtime.name for runtime in available_runtimes()}
    return [name for name in RUNTIME_DTYPES if name in installed]


def delivered_conditions(runtimes: Sequence[str], dtype: str | None = None) -> list[Conditions]:
    """Return under what delivered files run: fp32, and int8 where a search exports such a file."""
    pairs = [(runtime, "fp32") for runtime in runtimes]
    pairs += [(runtime, "int8") for runtime in runtimes if runtime == "onnxruntime"]
    return [Conditions(runtime, dtype=each) for runtime, each in pairs if dtype in (None, each)]


def delivered_file(network: Architecture, conditions: Conditions, folder: Path) -> ModelFile | Path | None:
    """Return a network as people get it, with weights as before training; torch's lies in the folder."""
    if conditions.runtime == "torch":
        return write_delivered_torch(network, folder)
    if conditions.runtime == "onnxruntime":
        content = exported_file(network)
        if conditions.dtype == "int8":
            shape = CALIBRATION_BATCH, *network.space.input_shape
            images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
            content = quantised_onnx_file(content, [images])
        return ModelFile("onnx", content)
    workload = network.workload()
    weights = numpy_weights(network_module(workload, torch.Generator().manual_seed(0)))
    return model_file(workload, conditions, weights)


def exported_over_timed(
    network: Architecture, conditions: Conditions, seconds: float, num_processes: int
) -> float:
    """Return how much longer the file with weights takes than the timing model, as a factor."""
    workload = network.workload()
    timed = model_file(workload, conditions)
    ratios = []
    with tempfile.TemporaryDirectory(prefix="edgenas-delivered-") as folder:
        delivered = delivered_file(network, conditions, Path(folder))
        for seed in range(num_processes):
            # The first file only is the yardstick: right after itself it would find its weights in the
            # caches.
            files = [timed, *[timed, delivered] * 2]
            timing = time_files([workload] * 5, files, conditions, seconds, NETWORK_WARM_S, seed)
            over_yardstick = timing.ratios()[1:]
            ratios.append(over_yardstick[1::2].mean() / over_yardstick[0::2].mean())
    return float(np.median(ratios))


def figures(ratios: Mapping[str, float]) -> dict[str, Any]:
    """Return what is printed of a runtime."""
    errors = np.array(list(ratios.values())) - 1
    return {
        "exported_over_timed": dict(ratios),
        "bias": float(errors.mean()),
        "within_5": float((np.abs(errors) <= TOLERANCE).mean()),
    }


if __name__ == "__main__":
    main()
