import random

import pytest
import torch

from search_server.nas.choosing.finalist import inherit
from search_server.nas.search import search
from search_server.nas.supernet.paths import Paths, single_path
from search_server.nas.supernet.supernet import Supernet
from search_server.search_options import SearchOptions, WeightsName
from shared.architecture import random_architecture
from shared.search_space import search_space
from tests.nas.small_search import MacsTable, digit_batches, generator

SPACE = search_space(
    "own:resolution=16,classes=10,stem=8s2,stages=8x2s1-16x2s2,head=32,"
    "blocks=k7_e4_g2-k3_e2-k5_e6-k7_e1-k3_e4_g4-skip"
)


@pytest.mark.parametrize("weights", ["separate", "entangled"])
def test_blocks_beyond_the_nine_compute_what_the_network_alone_computes(weights: WeightsName) -> None:
    supernet = Supernet(SPACE, weights, generator(3)).eval()
    images = torch.randn(2, *SPACE.input_shape, generator=generator(5))
    everything = (tuple(range(len(SPACE.candidates))),) * SPACE.num_layers
    for seed in range(4):
        architecture = random_architecture(SPACE, random.Random(seed))
        indices = torch.tensor(architecture.indices)
        one_hot_LK = torch.nn.functional.one_hot(indices, len(SPACE.candidates)).float()
        with torch.no_grad():
            alone = inherit(supernet, architecture).eval()(images)
            path = supernet(images, single_path(architecture.indices))
            mixed = supernet(images, Paths(everything, one_hot_LK))
        torch.testing.assert_close(path, alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max()))
        torch.testing.assert_close(mixed, alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max()))


@pytest.mark.parametrize("weights", ["separate", "entangled"])
def test_a_space_of_one_s_own_is_searched(weights: WeightsName) -> None:
    table = MacsTable(SPACE)
    options = SearchOptions(target_ms=0.09, weights=weights, epochs=2, warmup_epochs=1, theta_paths=2)
    *_, last = search(SPACE, table, *digit_batches(), options)
    assert last.expected_latency_us == pytest.approx(90.0, rel=1e-3)
    assert len(last.theta[0]) == len(SPACE.candidates)
