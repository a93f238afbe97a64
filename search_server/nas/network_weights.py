"""The weights of a trained network: as a file of torch, and as numpy arrays for other formats."""

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from shared.modules import NetworkModule
from shared.workload import Workload


def save_network(network: NetworkModule, path: Path) -> None:
    """Write the state of a network as tensors of the CPU; the file is whole or not there."""
    part = path.with_suffix(".part")
    torch.save({name: value.cpu() for name, value in network.state_dict().items()}, part)
    os.replace(part, path)


def load_network(workload: Workload, path: Path) -> NetworkModule:
    """Return the network of a workload with a state that :func:`save_network` wrote."""
    network = NetworkModule(workload)
    network.load_state_dict(torch.load(path, weights_only=True))
    return network


def numpy_weights(network: NetworkModule) -> dict[str, NDArray[np.float32]]:
    """Return all parameters and running statistics, named ``<segment>.<operator index>.<what>``."""
    return {
        name.removeprefix("segments."): np.ascontiguousarray(value.detach().cpu().numpy(), dtype=np.float32)
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
