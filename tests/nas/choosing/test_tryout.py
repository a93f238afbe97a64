"""Short trainings that rank a shortlist."""

from dataclasses import replace

import pytest

from search_server.nas.choosing.shortlist import shortlist
from search_server.nas.choosing.tryout import MIN_STEPS, rank_by_tryout, tryout_images
from search_server.nas.data.images import DataSplits
from search_server.nas.supernet.accelerator import CPU
from shared.architecture import uniform_architecture
from tests.nas.small_search import MIDDLE_US, SPACE, cap_at, digits, random_theta, supernet_with

SKIPS, BLOCKS = (uniform_architecture(SPACE, block) for block in ("skip", "k3_e3"))


def digits_of(num_images: int) -> DataSplits:
    return replace(digits(), training=digits().training.select(range(num_images)))


def test_six_blocks_learn_more_than_one_convolution() -> None:
    told: list[str] = []
    ranked = rank_by_tryout([SKIPS, BLOCKS], digits_of(960), 4, 5, CPU, tell=told.append)
    assert ranked == [BLOCKS, SKIPS]
    assert told == ["trying out network 1 of 2", "trying out network 2 of 2"]


def test_one_network_needs_no_training() -> None:
    told: list[str] = []
    assert rank_by_tryout([SKIPS], digits_of(16), 32, 0, CPU, tell=told.append) == [SKIPS]
    assert not told


@pytest.mark.parametrize(
    ("num_images", "batch_size", "expected"),
    [(1000, 16, (500, 1)), (1000, 32, (32 * MIN_STEPS, 1)), (300, 32, (300, 3))],
)
def test_a_tryout_is_half_an_epoch_and_more_where_images_are_few(
    num_images: int, batch_size: int, expected: tuple[int, int]
) -> None:
    images, epochs = tryout_images(digits_of(num_images).training, batch_size, seed=1)
    assert (len(images.labels_N), epochs) == expected


def test_a_decided_theta_lists_its_network_and_others_beside_it() -> None:
    supernet, cap = supernet_with(random_theta(1, size=30.0)), cap_at(1.1 * MIDDLE_US)
    data = digits_of(160)
    listed = shortlist(supernet, [cap], data, 3, seed=0, least_share=0.9, batch_size=8)
    (decided,) = shortlist(supernet, [cap], data, 1, seed=0, least_share=0.9)
    assert len(set(listed)) == 3
    assert decided in listed
    assert all(0.9 * cap.limit <= cap.cost(network) <= cap.limit for network in listed)
