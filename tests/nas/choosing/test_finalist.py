import random

import torch

from search_server.nas.choosing.finalist import inherit, recalibrate
from search_server.nas.data.batches import evaluation_batches
from search_server.nas.data.data_sets import load_data
from shared.architecture import random_architecture
from tests.nas.small_search import SPACE, random_theta, supernet_with


def test_inherited_weights_leave_the_supernet_alone() -> None:
    supernet = supernet_with(random_theta(1))
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    network = inherit(supernet, random_architecture(SPACE, random.Random(0)))
    data = load_data("digits", SPACE.resolution)
    recalibrate(network, evaluation_batches(data.weights.select(range(64))))
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
