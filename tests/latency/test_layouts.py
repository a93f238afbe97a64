import random

import numpy as np
import pytest

from search_server.latency.layouts import CHANNEL_BLOCKS, LayoutChanges, layout_changes
from shared.architecture import Architecture, random_architecture, uniform_architecture
from shared.search_space import search_space

SPACE = search_space(
    "two-stages:resolution=16,classes=10,stem=8s1,stages=24x3s1-48x1s2,head=64,blocks=k3_e1-k3_e1_g2-skip"
)
"""Its first stage has 24 channels, two groups of 12; layer 1 and 4 change the shape."""


def changes(channel_block: int, *blocks: str) -> float:
    """Return how many more changes a network has than one of identities and plain convolutions."""
    counter = LayoutChanges(SPACE, channel_block)
    usual = Architecture(SPACE, ("k3_e1", "skip", "skip", "k3_e1"))
    return counter.surplus(Architecture(SPACE, blocks).workload()) - counter.surplus(usual.workload())


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (("k3_e1", "k3_e1", "k3_e1", "k3_e1"), 0),
        (("k3_e1", "k3_e1_g2", "skip", "k3_e1"), 2),  # to plain channels; back before the shape changes
        (("k3_e1", "k3_e1_g2", "k3_e1_g2", "k3_e1"), 2),
        (("k3_e1", "k3_e1_g2", "k3_e1", "k3_e1"), 4),  # a residual block between copies twice for itself
        (("k3_e1", "skip", "k3_e1_g2", "k3_e1"), 2),
        (("k3_e1", "skip", "k3_e1_g2", "k3_e1_g2"), 2),  # back before the head
    ],
)
def test_counts_changes(blocks: tuple[str, ...], expected: int) -> None:
    assert changes(8, *blocks) == pytest.approx(expected)


def test_groups_of_whole_blocks_need_no_change() -> None:
    assert changes(4, "k3_e1", "k3_e1_g2", "k3_e1", "k3_e1") == pytest.approx(0)


@pytest.mark.parametrize("channel_block", CHANNEL_BLOCKS)
def test_the_mean_over_a_space_is_zero(channel_block: int) -> None:
    counter = LayoutChanges(SPACE, channel_block)
    every = [counter.surplus(network.workload()) for network in _all()]
    assert np.mean(every) == pytest.approx(0, abs=1e-12)


def test_a_candidate_answers_for_what_it_brings_in_the_mean() -> None:
    counter = LayoutChanges(SPACE, 8)
    for layer in range(SPACE.num_layers):
        for index, block in enumerate(SPACE.candidates):
            with_it = [
                counter.surplus(network.workload()) for network in _all() if network.blocks[layer] == block
            ]
            assert counter.usual_LK[layer, index] == pytest.approx(np.mean(with_it), abs=1e-12)


def test_the_sum_over_layers_explains_most_of_the_changes() -> None:
    space = search_space("fbnet-96-035")
    counter = layout_changes(space, 8)
    generator = random.Random(0)
    networks = [random_architecture(space, generator) for _ in range(400)]
    exact = np.array([counter.surplus(network.workload()) for network in networks])
    layers = range(space.num_layers)
    sums = np.array([counter.usual_LK[layers, list(network.indices)].sum() for network in networks])
    assert np.var(exact - sums) < np.var(exact)
    assert abs(np.mean(exact - sums)) < 4 * np.std(exact - sums) / 20


def test_networks_of_one_grouped_candidate_are_spared_most_changes() -> None:
    space = search_space("fbnet-96-035")
    counter = layout_changes(space, 8)
    layers = range(space.num_layers)
    network = uniform_architecture(space, "k3_e1_g2")
    brought = counter.usual_LK[layers, list(network.indices)].sum()
    assert counter.surplus(network.workload()) < brought - 10


def _all() -> list[Architecture]:
    names = SPACE.candidates
    return [Architecture(SPACE, (a, b, c, d)) for a in names for b in names for c in names for d in names]
