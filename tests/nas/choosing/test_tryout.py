"""Short trainings that rank a shortlist."""

import random
from dataclasses import replace

import pytest
import torch

from search_server.nas.choosing.shortlist import shortlist
from search_server.nas.choosing.tryout import MIN_STEPS, rank_by_tryout, tryout_images
from search_server.nas.data.batches import evaluation_batches, training_batches
from search_server.nas.data.data_sets import load_data
from search_server.nas.data.images import DataSplits
from search_server.nas.supernet.accelerator import CPU
from search_server.nas.supernet.supernet import Supernet
from search_server.nas.train import TrainConfig, cross_entropy, train
from shared.architecture import Architecture, random_architecture
from shared.modules import network_module
from tests.nas.small_search import MIDDLE_US, SPACE, cap_at, generator, random_theta


@pytest.fixture(scope="module")
def data() -> DataSplits:
    digits = load_data("digits", SPACE.resolution)
    return replace(digits, training=digits.training.select(range(320)))


def networks(number: int) -> list[Architecture]:
    return [random_architecture(SPACE, random.Random(seed)) for seed in range(number)]


def test_those_with_the_least_loss_after_the_same_training_come_first(data: DataSplits) -> None:
    told: list[str] = []
    ranked = rank_by_tryout(networks(3), data, 32, seed=5, accelerator=CPU, tell=told.append)
    losses = []
    for network in ranked:
        module = network_module(network.workload(), generator(5))
        list(train(module, training_batches(data.training, 32, 5), TrainConfig(epochs=2)))
        losses.append(cross_entropy(module, evaluation_batches(data.validation)))
    assert losses == sorted(losses)
    assert set(ranked) == set(networks(3))
    assert told == [f"trying out network {place} of 3" for place in (1, 2, 3)]


def test_one_network_needs_no_training(data: DataSplits) -> None:
    told: list[str] = []
    assert rank_by_tryout(networks(1), data, 32, 0, CPU, tell=told.append) == networks(1)
    assert not told


@pytest.mark.parametrize(
    ("num_images", "batch_size", "expected"),
    [(1000, 16, (500, 1)), (1000, 32, (32 * MIN_STEPS, 1)), (300, 32, (300, 3))],
)
def test_a_tryout_is_half_an_epoch_and_more_where_images_are_few(
    num_images: int, batch_size: int, expected: tuple[int, int]
) -> None:
    source = load_data("digits", 8).training.select(range(num_images))
    images, epochs = tryout_images(source, batch_size, seed=1)
    assert (len(images.labels_N), epochs) == expected


def test_a_decided_theta_lists_its_network_and_others_beside_it(data: DataSplits) -> None:
    supernet = Supernet(SPACE, "entangled", generator())
    with torch.no_grad():
        supernet.theta_LK.copy_(random_theta(1, size=30.0))
    cap = cap_at(1.1 * MIDDLE_US)
    listed = shortlist(supernet, [cap], data, 3, seed=0, least_share=0.9)
    assert len(set(listed)) == 3
    assert shortlist(supernet, [cap], data, 1, seed=0, least_share=0.9)[0] in listed
    assert all(0.9 * cap.limit <= cap.cost(network) <= cap.limit for network in listed)
