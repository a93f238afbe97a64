import random
from dataclasses import replace

import pytest
import torch
from torch import nn

from search_server.nas.choosing.finalist import inherit
from search_server.nas.supernet.paths import Paths, single_path
from search_server.nas.supernet.supernet import Supernet
from search_server.search_options import WeightsName
from shared.architecture import Architecture, random_architecture, uniform_architecture
from tests.nas.small_search import NUM_LAYERS, generator
from tests.nas.small_search import SPACE as SMALL_SPACE

SPACE = replace(SMALL_SPACE, candidates=(*SMALL_SPACE.candidates, "k3_sep"))
NUM_CANDIDATES = len(SPACE.candidates)
ARCHITECTURES = [uniform_architecture(SPACE, block) for block in SPACE.candidates]
ARCHITECTURES += [random_architecture(SPACE, random.Random(seed)) for seed in range(3)]


def used_supernet(weights: WeightsName) -> Supernet:
    """A supernet in evaluation mode whose batch norms are far from fresh."""
    supernet = Supernet(SPACE, weights, generator(3))
    noise = generator(4)
    for norm in supernet.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_(0, 0.2, generator=noise)
            norm.running_var.uniform_(0.5, 1.5, generator=noise)
            nn.init.uniform_(norm.weight, 0.5, 1.5, generator=noise)
            nn.init.normal_(norm.bias, 0, 0.2, generator=noise)
    return supernet.eval()


@pytest.mark.parametrize("weights", ["separate", "entangled"])
def test_one_path_computes_what_the_network_alone_computes(weights: WeightsName) -> None:
    supernet = used_supernet(weights)
    images = torch.randn(2, *SPACE.input_shape, generator=generator(5))
    for architecture in ARCHITECTURES:
        with torch.no_grad():
            alone = inherit(supernet, architecture).eval()(images)
            path = supernet(images, single_path(architecture.indices))
        assert alone.std() > 1e-3
        torch.testing.assert_close(path, alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max()))


@pytest.mark.parametrize("weights", ["separate", "entangled"])
def test_a_one_hot_mixture_of_all_candidates_is_the_one_path(weights: WeightsName) -> None:
    supernet = used_supernet(weights)
    images = torch.randn(2, *SPACE.input_shape, generator=generator(5))
    everything = (tuple(range(NUM_CANDIDATES)),) * NUM_LAYERS
    for architecture in ARCHITECTURES[::4]:
        one_hot_LK = nn.functional.one_hot(torch.tensor(architecture.indices), NUM_CANDIDATES).float()
        with torch.no_grad():
            mixed = supernet(images, Paths(everything, one_hot_LK))
            path = supernet(images, single_path(architecture.indices))
        torch.testing.assert_close(mixed, path, rtol=1e-4, atol=1e-4 * float(path.abs().max()))


def test_entangled_candidates_share_weights_and_separate_ones_do_not() -> None:
    def expand_weight(supernet: Supernet, block: str) -> torch.Tensor:
        state = supernet.extract_weights(uniform_architecture(SPACE, block))
        return state["segments.layer02.0.weight"]

    entangled, separate = used_supernet("entangled"), used_supernet("separate")
    for supernet, is_shared in ((entangled, True), (separate, False)):
        small, large = expand_weight(supernet, "k3_e3"), expand_weight(supernet, "k5_e6")
        assert torch.equal(small, large[: len(small)]) is is_shared


def test_recomputed_branches_give_the_same_gradient() -> None:
    images = torch.randn(4, *SPACE.input_shape, generator=generator(5))
    path = single_path(ARCHITECTURES[-1].indices)
    gradients = []
    for recomputes in (False, True):
        supernet = Supernet(SPACE, "entangled", generator(3))
        for layer in supernet.mixed_layers():
            layer.recomputes_branches = recomputes
        torch.autograd.backward(supernet(images, path).square().sum())
        gradients.append([p.grad for p in supernet.weight_parameters() if p.grad is not None])
    torch.testing.assert_close(gradients[1], gradients[0])


def test_the_most_probable_network_is_the_largest_theta() -> None:
    supernet = Supernet(SPACE, "entangled", generator())
    with torch.no_grad():
        supernet.theta_LK[torch.arange(NUM_LAYERS), torch.tensor(ARCHITECTURES[-1].indices)] = 1
    assert supernet.architecture() == Architecture(SPACE, ARCHITECTURES[-1].blocks)


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second = (Supernet(SPACE, "entangled", generator(8)).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
