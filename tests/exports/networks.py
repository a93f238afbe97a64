"""A trained network to export, and images with what torch says of them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from search_server.exports.description import Description
from search_server.nas.network_weights import numpy_weights
from shared.architecture import parse_architecture
from shared.modules import NetworkModule
from shared.search_space import search_space
from shared.workload import Workload

NETWORKS = {
    "fbnet": (search_space("fbnet-tiny:width=0.25,resolution=16"), ("k3_e3", "k5_e1_g2", "k3_e1")),
    "mobilenetv3": (
        search_space(
            "v3:resolution=16,classes=10,stem=8s2,stages=8x1s1-8x2s1-16x3s2_se-24x4s2_hs-32x2s1_se_hs,"
            "head=80-128,activation=hswish,blocks=k3_e3-k5_e4-k7_e3-skip"
        ),
        ("k3_e3", "k5_e4", "k7_e3"),
    ),
}


@dataclass(frozen=True, slots=True)
class Trained:
    """A network and what belongs to it."""

    module: NetworkModule
    workload: Workload
    description: Description

    @property
    def weights(self) -> dict[str, NDArray[np.float32]]:
        return numpy_weights(self.module)

    def logits(self, images_NCHW: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what torch computes of the images, normalised by the rule that docs/exports.md states."""
        with torch.no_grad():
            return np.asarray(self.module((torch.from_numpy(images_NCHW).float() / 255 - 0.45) / 0.25))


def trained_network(name: str = "fbnet") -> Trained:
    """Return a network with residuals; its batch norms have statistics of their own.

    Args:
        name: of one with a shuffle, ``fbnet``, or with squeeze-and-excite and h-swish, ``mobilenetv3``.
    """
    space, cycle = NETWORKS[name]
    blocks = [cycle[layer % len(cycle)] for layer in range(space.num_layers)]
    workload = parse_architecture(",".join(blocks), space).workload()
    torch.manual_seed(0)
    module = NetworkModule(workload)
    for _ in range(3):
        module.train()(torch.randn(16, 3, 16, 16))
    names = tuple(f"class {index}" for index in range(space.num_classes))
    description = Description(space.name, ",".join(blocks), 16, names, snapshot="abc", target_ms=0.5)
    return Trained(module.eval(), workload, description)


def images(number: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (number, 3, 16, 16), dtype=np.uint8)
