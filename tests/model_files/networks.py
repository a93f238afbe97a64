"""A network that has every block, and weights that leave nothing at its default."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from shared.architecture import parse_architecture
from shared.blocks import CANDIDATE_NAMES
from shared.modules import NetworkModule
from shared.search_space import search_space
from shared.workload import Workload

ALL_BLOCKS = "k3_e1,k3_e1_g2,k3_e3,k3_e6,k5_e1,k5_e1_g2,k5_e3,k5_e6,skip,k3_e1,k3_sep,skip,k5_sep"
_TINY = search_space("fbnet-tiny:width=0.5,resolution=16")
_SPACE = replace(_TINY, candidates=(*CANDIDATE_NAMES, "k3_sep", "k5_sep"))
WORKLOAD = parse_architecture(ALL_BLOCKS, _SPACE).workload()


def trained_network(workload: Workload) -> NetworkModule:
    """Return a network in evaluation mode whose running statistics have moved away from 0 and 1."""
    torch.manual_seed(0)
    module = NetworkModule(workload)
    for _ in range(3):
        module(torch.randn(2, *workload.input_shape) * 2 + 1)
    return module.eval()


def weights_of(module: NetworkModule) -> dict[str, NDArray[np.float32]]:
    """Return the weights under the names that the writers of model files expect."""
    return {
        name.removeprefix("segments."): value.numpy().astype(np.float32)
        for name, value in module.state_dict().items()
    }
