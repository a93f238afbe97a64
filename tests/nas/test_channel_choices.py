"""Spaces whose stages offer inner channels are searched, held at a budget and decoded like others."""

import itertools

import numpy as np
import pytest
import torch

from search_server.nas.budget.caps import Cap
from search_server.nas.budget.knapsack import networks_within
from search_server.nas.choosing.finalist import inherit
from search_server.nas.choosing.most import most_network
from search_server.nas.search import search
from search_server.nas.supernet.paths import Paths, single_path
from search_server.nas.theta.effects import effects_prior
from search_server.search_options import PathsName, SearchOptions, ThetaGradientName, WeightsName
from shared.architecture import Architecture
from shared.search_space import search_space
from tests.nas.small_search import MacsTable, digit_batches, generator

SPACE = search_space(
    "own:resolution=16,classes=10,stem=8s2,stages=8x2s1_c8.16.40-16x2s2_c24.48.96_se_hs,head=32,"
    "blocks=k3_c1-k3_c2-k3_c3-k5_c2-skip"
)
FEW = search_space(
    "own:resolution=16,classes=10,stem=8s2,stages=8x2s1_c8.16.40-16x2s2_c24.48.96,head=32,"
    "blocks=k3_c1-k3_c2-k3_c3-skip"
)
EVERY = list(itertools.product(range(4), repeat=4))
"""Indices of the 256 networks of ``FEW``."""


@pytest.mark.parametrize(
    ("paths", "gradient", "weights"),
    [
        ("one", "effects", "entangled"),
        ("one", "straight_through", "entangled"),
        ("one", "leave_one_out", "entangled"),
        ("two", "effects", "entangled"),
        ("soft", "effects", "entangled"),
        ("soft", "effects", "separate"),
    ],
)
def test_a_search_holds_its_budget_and_hands_over_a_network(
    paths: PathsName, gradient: ThetaGradientName, weights: WeightsName
) -> None:
    table = MacsTable(SPACE)
    rows = table.latency_us_LK()
    target_us = table.fixed_us + sum(0.6 * min(row) + 0.4 * max(row) for row in rows)
    options = SearchOptions(
        epochs=2,
        warmup_epochs=1,
        target_ms=target_us / 1000,
        paths=paths,
        theta_gradient=gradient,
        weights=weights,
    )
    run = search(SPACE, table, *digit_batches(), options)
    _, last = run
    assert last.expected_latency_us == pytest.approx(target_us, rel=1e-3)
    found = run.architecture()
    images = torch.randn(2, *SPACE.input_shape, generator=generator(1))
    one_hot_LK = torch.nn.functional.one_hot(torch.tensor(found.indices), len(SPACE.candidates)).float()
    everything = (tuple(range(len(SPACE.candidates))),) * SPACE.num_layers
    supernet = run.supernet.eval()
    with torch.no_grad():
        alone = inherit(supernet, found).eval()(images)
        along = supernet(images, single_path(found.indices))
        mixed = supernet(images, Paths(everything, one_hot_LK))
    torch.testing.assert_close(along, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mixed, alone, rtol=1e-4, atol=1e-5)


def macs_by_hand(indices: tuple[int, ...]) -> int:
    """Of the layers: 8 channels of 8x8 twice, then 16 of 4x4."""
    macs = 0
    for layer, index in enumerate(indices):
        inner = ((8, 16, 40), (24, 48, 96))[layer // 2][index] if index < 3 else 0
        if layer < 2:
            macs += 64 * inner * (8 + 9 + 8)
        elif layer == 2:
            macs += 64 * 8 * inner + 16 * inner * (9 + 16) if inner else 16 * 8 * 16
        else:
            macs += 16 * inner * (16 + 9 + 16)
    return macs


def test_counts_are_those_by_hand() -> None:
    """Without stem, 64 pixels of 27 products for 8 channels, and head."""
    around = 64 * 27 * 8 + 16 * 16 * 32 + 32 * 10
    for indices in EVERY:
        network = Architecture(FEW, tuple(FEW.candidates[index] for index in indices))
        assert network.workload().macs == around + macs_by_hand(indices)


LATENCY_LK = np.random.default_rng(3).integers(1, 40, (4, 4)).astype(float)
"""Whole microseconds, which the knapsack tells apart."""
LATENCY = np.array([sum(LATENCY_LK[layer, index] for layer, index in enumerate(each)) for each in EVERY])


@pytest.mark.parametrize("quantile", [0.02, 0.2, 0.5, 0.8, 1.0])
def test_decoding_finds_what_enumeration_finds(quantile: float) -> None:
    """The most multiply-accumulates within a latency, and the most probable network within both limits."""
    limit_us = float(np.quantile(LATENCY, quantile))
    macs = np.array(list(map(macs_by_hand, EVERY)))
    latency = Cap("latency", "us", 0.0, LATENCY_LK, limit_us)
    most = most_network(FEW, [latency], "macs").indices
    assert LATENCY[EVERY.index(most)] <= limit_us
    assert macs_by_hand(most) == macs[limit_us >= LATENCY].max()
    log_p_LK = np.log(np.random.default_rng(4).dirichlet(np.ones(4), 4))
    log_p = np.array([sum(log_p_LK[layer, index] for layer, index in enumerate(each)) for each in EVERY])
    decoded = next(networks_within(log_p_LK, [latency]))
    assert tuple(decoded) == EVERY[int(np.where(limit_us >= LATENCY, log_p, -np.inf).argmax())]


def test_before_any_draw_one_choice_is_believed_to_do_much_the_same_with_other_kernels() -> None:
    num_candidates = len(SPACE.candidates)
    prior_KK = effects_prior(SPACE)[:num_candidates, num_candidates : 2 * num_candidates]
    k3_c1, k3_c2, _, k5_c2, _ = range(num_candidates)
    assert prior_KK[k3_c2, k5_c2] > prior_KK[k3_c1, k5_c2] > 0
