"""The weights of a trained network: as a file of torch, and as numpy arrays for other formats."""

from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray

from search_server.nas.torch_file import torch_file
from shared.modules import NetworkModule
from shared.workload import Workload


def network_bytes(network: NetworkModule) -> bytes:
    """Return the state of a network as a file of torch, with tensors of the CPU."""
    return torch_file(network.state_dict())


def load_network(workload: Workload, file: Path | IO[bytes]) -> NetworkModule:
    """Return the network of a workload with a state that :func:`network_bytes` returned."""
    network = NetworkModule(workload)
    network.load_state_dict(torch.load(file, weights_only=True))
    return network


def numpy_weights(network: NetworkModule) -> dict[str, NDArray[np.float32]]:
    """Return all parameters and running statistics, named ``<segment>.<operator index>.<what>``."""
    return {
        name.removeprefix("segments."): np.ascontiguousarray(value.detach().cpu().numpy(), dtype=np.float32)
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
