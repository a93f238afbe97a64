"""The forms in which whole networks are timed: as people get them, as torch writes them, alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import torch

from benchmarks.plain_timing import NETWORK_WARM_S, time_files
from benchmarks.torch_export import can_write, torch_exported
from benchmarks.truth import FIRST_HALF, Truth, truth
from search_server.exports.description import Description
from search_server.exports.onnx_file import onnx_file
from search_server.model_files.model_file import model_file
from search_server.nas.network_weights import numpy_weights
from shared.architecture import Architecture, anchor_architecture
from shared.modules import network_module
from shared.protocol.device import Conditions

NUM_FOREIGN, NUM_ALONE = 24, 12
"""Networks that another program writes, and that are timed alone, at most."""
ALONE_S = 0.3
"""Of timing in a process that has one network."""


@dataclass(frozen=True, slots=True)
class Form:
    """Some of the test networks as files of one kind, and how these are timed."""

    name: str
    places: range
    """Of the networks among all test networks."""
    networks: tuple[Architecture, ...]
    paths: tuple[Path, ...] | None
    """Model file of each network; None: the timing models."""
    num_deals: int
    """In each half of the truth."""
    is_alone: bool = False
    """Each network has a process of its own."""

    def timed(self, conditions: Conditions, seconds: float, half: Sequence[int]) -> Truth:
        """Return what the networks take in one half of the truth.

        Raises:
            RuntimeError: a process that times them failed; the message says what to do.
        """
        seeds = half[: self.num_deals]
        if self.is_alone:
            assert self.paths is not None, "a network alone is a file"
            deals = [alone(self.networks, self.paths, conditions, seed) for seed in seeds]
            return reduce(Truth.then, deals)
        return truth(self.networks[0].space, self.networks, conditions, seconds, seeds, self.paths)


def forms(networks: Sequence[Architecture], conditions: Conditions, folder: Path) -> list[Form]:
    """Return the forms of test networks under a runtime, their files written; the first is the main truth.

    For ONNX Runtime in fp32 that is the file that a search exports. What other runtimes get is timed as
    timing models, as the agent does. Torch writes networks of FBNet's blocks only.

    Args:
        networks: of one space.
        conditions: runtime and dtype.
        folder: takes 20 MB a network of ``fbnet-224``, and as much again where another program writes it.
    """
    everything = range(len(networks))
    if (conditions.runtime, conditions.dtype) != ("onnxruntime", "fp32"):
        return [Form("timing_model", everything, tuple(networks), None, len(FIRST_HALF))]

    def form(
        name: str, writer: Callable[[Architecture], bytes], at_most: int, num_deals: int, is_alone: bool
    ) -> Form:
        places = everything[:: -(-len(everything) // at_most)]
        chosen = tuple(networks[place] for place in places)
        paths = tuple(folder / f"{name}{place}.onnx" for place in places)
        for path, network in zip(paths, chosen, strict=True):
            path.write_bytes(writer(network))
        return Form(name, places, chosen, paths, num_deals, is_alone)

    made = [
        form("exported", exported_file, len(networks), len(FIRST_HALF), is_alone=False),
        form("alone", exported_file, NUM_ALONE, 1, is_alone=True),
    ]
    if can_write(networks[0].space):
        made.insert(1, form("torch_export", torch_exported, NUM_FOREIGN, 1, is_alone=False))
    return made


def exported_file(network: Architecture) -> bytes:
    """Return the ONNX file that a search exports, with weights as before training."""
    workload = network.workload()
    weights = numpy_weights(network_module(workload, torch.Generator().manual_seed(0)))
    size, names = workload.input_shape[-1], tuple(map(str, range(workload.output_shape[0])))
    return onnx_file(workload, weights, Description(network.space.name, str(network), size, names))


def alone(
    networks: Sequence[Architecture], paths: Sequence[Path], conditions: Conditions, seed: int
) -> Truth:
    """Return what networks take in processes of their own, each right after one of the anchor's."""
    anchor = anchor_architecture(networks[0].space).workload()
    yardstick = model_file(anchor, conditions)
    seconds = np.empty((len(networks), 2))
    faults = 0.0
    for index, (network, path) in enumerate(zip(networks, paths, strict=True)):
        for column, (workload, file) in enumerate([(anchor, yardstick), (network.workload(), path)]):
            timing = time_files([workload], [file], conditions, ALONE_S, NETWORK_WARM_S, seed)
            seconds[index, column] = timing.medians_s()[0]
            faults = max(faults, timing.page_faults_per_run)
    return Truth((seconds[:, 1] / seconds[:, 0])[None], seconds[None, :, 1], faults)
