from pathlib import Path

import numpy as np
import torch

from search_server.nas.network_weights import load_network, network_bytes, numpy_weights
from shared.architecture import uniform_architecture
from shared.modules import network_module
from shared.operators import BatchNorm2d, Conv2d, Linear
from tests.nas.small_search import SPACE, generator

WORKLOAD = uniform_architecture(SPACE, "k5_e1_g2").workload()


def test_a_saved_network_answers_the_same(tmp_path: Path) -> None:
    network = network_module(WORKLOAD, generator(1))
    images = torch.randn(4, *SPACE.input_shape, generator=generator(2))
    network.train()(images)
    network.eval()
    (tmp_path / "network.pt").write_bytes(network_bytes(network))
    loaded = load_network(WORKLOAD, tmp_path / "network.pt").eval()
    with torch.no_grad():
        assert torch.equal(loaded(images), network(images))
    assert [path.name for path in tmp_path.iterdir()] == ["network.pt"]


def test_numpy_weights_are_named_by_segment_and_operator() -> None:
    weights = numpy_weights(network_module(WORKLOAD, generator(1)))
    assert all(value.dtype == np.float32 and value.flags.c_contiguous for value in weights.values())
    assert weights["layer02.0.weight"].shape[1] == SPACE.layers[1].in_channels // 2
    expected = set()
    for segment in WORKLOAD.segments:
        for index, operator in enumerate(segment.operators):
            names: tuple[str, ...] = ()
            if isinstance(operator, Conv2d):
                names = ("weight",)
            elif isinstance(operator, BatchNorm2d):
                names = ("weight", "bias", "running_mean", "running_var")
            elif isinstance(operator, Linear):
                names = ("weight", "bias")
            expected |= {f"{segment.name}.{index}.{name}" for name in names}
    assert set(weights) == expected
