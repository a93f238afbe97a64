import math

import pytest
import torch

from search_server.nas.supernet.paths import (
    entropy_L,
    favour,
    log_probabilities,
    sample_paths,
    single_path,
)
from search_server.search_options import PathsName, SearchOptions
from tests.nas.small_search import NUM_CANDIDATES, NUM_LAYERS, generator, random_theta


def soft_factors(theta_LK: torch.Tensor, tau: float, seed: int) -> torch.Tensor:
    """The factors of all candidates, with the same noise as any other paths of this seed."""
    weights_LK = sample_paths(theta_LK, tau, "soft", generator(seed)).weights_LK
    assert weights_LK is not None
    return weights_LK


@pytest.mark.parametrize("paths", ["one", "two"])
def test_draws_follow_softmax_of_theta(paths: PathsName) -> None:
    num_draws = 4000
    theta_LK = random_theta(5)[:2]
    noise = generator(6)
    counts_LK = torch.zeros_like(theta_LK)
    for _ in range(num_draws):
        drawn = sample_paths(theta_LK, 1.0, paths, noise)
        if drawn.weights_LK is None:
            chosen_L = torch.tensor([candidates[0] for candidates in drawn.candidates_L])
        else:
            chosen_L = drawn.weights_LK.argmax(1)
        counts_LK[torch.arange(2), chosen_L] += 1
    probability_LK = log_probabilities(theta_LK).exp()
    sigma_LK = (probability_LK * (1 - probability_LK) / num_draws).sqrt()
    assert ((counts_LK / num_draws - probability_LK).abs() < 4 * sigma_LK).all()


def test_a_low_temperature_decides_and_a_high_one_spreads() -> None:
    theta_LK = random_theta(5)
    cold_LK, hot_LK = (soft_factors(theta_LK, tau, 7) for tau in (1e-9, 1e4))
    assert (cold_LK.max(1).values > 0.9).float().mean() > 0.9
    torch.testing.assert_close(hot_LK, torch.full_like(hot_LK, 1 / NUM_CANDIDATES), rtol=0.01, atol=0)
    torch.testing.assert_close(cold_LK.sum(1), torch.ones(NUM_LAYERS))


@pytest.mark.parametrize("paths", ["soft", "one", "two"])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e3, 1e8, math.inf])
def test_nothing_is_nan_over_the_whole_schedule(paths: PathsName, size: float) -> None:
    options = SearchOptions(preset="fbnet-paper")
    theta_LK = random_theta(8, 1.0 if math.isinf(size) else size)
    if math.isinf(size):
        theta_LK[:, 0], theta_LK[:, 1] = math.inf, -math.inf
    theta_LK.requires_grad_()
    noise = generator(9)
    for epoch in range(options.epochs):
        weights_LK = sample_paths(theta_LK, options.tau(epoch), paths, noise).weights_LK
        assert weights_LK is not None
        (gradient_LK,) = torch.autograd.grad(weights_LK.square().sum(), theta_LK)
        assert torch.isfinite(weights_LK).all()
        assert torch.isfinite(gradient_LK).all()
        torch.testing.assert_close(weights_LK.sum(1), torch.ones(NUM_LAYERS))
    assert torch.isfinite(entropy_L(theta_LK)).all()


def test_one_path_is_hard_forward_and_soft_backward() -> None:
    theta_LK = random_theta(5).requires_grad_()
    paths = sample_paths(theta_LK, 1.0, "one", generator(10))
    assert paths.weights_LK is not None
    assert all(len(candidates) == 1 for candidates in paths.candidates_L)
    for row, (candidate,) in zip(paths.weights_LK, paths.candidates_L, strict=True):
        assert row[candidate].item() == pytest.approx(1)
    factor_LK = random_theta(11)
    (gradient_LK,) = torch.autograd.grad((paths.weights_LK * factor_LK).sum(), theta_LK)
    soft_LK = soft_factors(theta_LK, 1.0, 10)
    (expected_LK,) = torch.autograd.grad((soft_LK * factor_LK).sum(), theta_LK)
    torch.testing.assert_close(gradient_LK, expected_LK)


def test_two_paths_weigh_the_two_largest_against_each_other() -> None:
    theta_LK = random_theta(5).requires_grad_()
    paths = sample_paths(theta_LK, 2.0, "two", generator(12))
    soft_LK = soft_factors(theta_LK, 2.0, 12)
    assert paths.weights_LK is not None
    for row, soft_K, pair in zip(paths.weights_LK, soft_LK, paths.candidates_L, strict=True):
        assert set(pair) == set(soft_K.topk(2).indices.tolist())
        share = (soft_K[pair[0]] / (soft_K[pair[0]] + soft_K[pair[1]])).item()
        assert row[pair[0]].item() == pytest.approx(share, rel=1e-4)
        assert row[list(pair)].sum().item() == pytest.approx(1)


def test_an_unknown_name_is_refused_and_a_single_path_needs_no_draw() -> None:
    with pytest.raises(ValueError, match="must be one of soft, one, two, none, got 'three'"):
        sample_paths(random_theta(0), 1.0, "three", generator())  # type: ignore[arg-type]  # the point
    assert single_path([3, 1]).candidates_L == ((3,), (1,))


def test_a_favoured_candidate_takes_the_place_of_others_by_chance() -> None:
    paths = single_path([0] * NUM_LAYERS)
    favoured = [2, None] + [None] * (NUM_LAYERS - 2)
    drawn = [favour(paths, favoured, 0.25, generator(seed)).candidates_L for seed in range(400)]
    assert {candidates_L[1:] for candidates_L in drawn} == {((0,),) * (NUM_LAYERS - 1)}
    assert sum(candidates_L[0] == (2,) for candidates_L in drawn) == pytest.approx(100, abs=30)
    source = generator(0)
    state = source.get_state()
    assert favour(paths, [None] * NUM_LAYERS, 0.25, source) == paths
    assert torch.equal(source.get_state(), state)
