"""Networks that have every block and operator, and weights that leave nothing at its default."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from shared.architecture import parse_architecture
from shared.blocks import CANDIDATE_NAMES
from shared.modules import NetworkModule
from shared.operators import Conv2d, HSigmoid, HSwish, Operator, ReLU6, SqueezeExcite
from shared.search_space import search_space
from shared.workload import Segment, Workload

ALL_BLOCKS = "k3_e1,k3_e1_g2,k3_e3,k3_e6,k5_e1,k5_e1_g2,k5_e3,k5_e6,skip,k3_e1,k3_sep,skip,k5_sep"
_TINY = search_space("fbnet-tiny:width=0.5,resolution=16")
_SPACE = replace(_TINY, candidates=(*CANDIDATE_NAMES, "k3_sep", "k5_sep"))
WORKLOAD = parse_architecture(ALL_BLOCKS, _SPACE).workload()

_V3_SPACE = (
    "v3:resolution=16,classes=10,stem=8s1,stages=8x2s1-16x3s2_se-24x3s2_se_hs-32x2s1_r6,head=32-48,"
    "activation=hswish,blocks=k3_sep-k3_e2.5-k7_e3-k5_e4_g2-k3_e2_hs-skip"
)
V3 = parse_architecture(
    "k3_sep,k7_e3,skip,k3_e2.5,k5_e4_g2,k3_sep,k7_e3,k3_e2_hs,k3_e2.5,k3_e2_hs", search_space(_V3_SPACE)
).workload()
"""Squeeze-and-excite with each activation, and a linear layer behind pooling."""

_V4_SPACE = (
    "v4:resolution=16,classes=10,stem=8s1-8k3s1-16k1s1,stages=16x4s2-24x4s2,head=32-48_bn,activation=relu6,"
    "blocks=k3_e2-d3_k5_e4-d5_e2-e4-d3_k3_e2_se_hs-e2_r6"
)
V4 = parse_architecture(
    "d3_k5_e4,d5_e2,e4,k3_e2,d5_e2,e2_r6,d3_k3_e2_se_hs,e4", search_space(_V4_SPACE)
).workload()
"""The universal inverted bottleneck in all of its forms, and a convolution behind pooling."""


def _alone(*operators: Operator) -> Workload:
    return Workload((8, 7, 9), (Segment("only", operators),))


NEW_WORKLOADS = {
    "v3": V3,
    "v4": V4,
    "h_swish": _alone(HSwish()),
    "h_sigmoid": _alone(HSigmoid()),
    "relu6": _alone(ReLU6()),
    "squeeze_excite": _alone(SqueezeExcite(8, 4)),
    "squeeze_excite_inside": _alone(Conv2d(8, 16), SqueezeExcite(16, 8), HSigmoid(), Conv2d(16, 8)),
}
"""What MobileNetV3 and V4 have and FBNet has not."""


def images_for(workload: Workload, batch: int) -> torch.Tensor:
    """Return images whose numbers reach both ends of h-sigmoid and ReLU6."""
    generator = torch.Generator().manual_seed(1)
    return 4 * torch.randn(batch, *workload.input_shape, generator=generator)


def mean_of(workload: Workload) -> float:
    """Return what a file subtracts from its input: 255 * 0.45 if that is an image of three colours."""
    return 114.75 if workload.input_shape[0] == 3 else 0.0


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
