"""Effects of candidates, against losses whose parts are known."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from search_server.nas.supernet.paths import balanced_paths, log_probabilities
from search_server.nas.theta.effects import BlockEffects, effects_prior
from shared.search_space import search_space

SPACE = search_space("fbnet-tiny")
NUM_LAYERS, NUM_CANDIDATES = len(SPACE.layers), len(SPACE.candidates)
GENERATOR = torch.Generator().manual_seed(0)
EVERYWHERE_K = torch.randn(NUM_CANDIDATES, generator=GENERATOR, dtype=torch.float64)
EVERYWHERE_K -= EVERYWHERE_K.mean()
OWN_LK = torch.randn(NUM_LAYERS, NUM_CANDIDATES, generator=GENERATOR, dtype=torch.float64)
TRUE_LK = EVERYWHERE_K + 0.5 * (OWN_LK - OWN_LK.mean(1, keepdim=True))


def draws(number: int, theta_LK: Tensor, generator: torch.Generator) -> Tensor:
    paths = balanced_paths(theta_LK, number, generator)
    chosen_PL = torch.tensor([[candidates[0] for candidates in each.candidates_L] for each in paths])
    return F.one_hot(chosen_PL, theta_LK.shape[1])


def estimated(num_groups: int, noise: float, true_LK: Tensor = TRUE_LK) -> Tensor:
    """Return effects from groups of eight draws whose losses share a level of their own."""
    generator = torch.Generator().manual_seed(1)
    effects = BlockEffects(SPACE)
    for group in range(num_groups):
        draws_PLK = draws(8, torch.zeros(NUM_LAYERS, NUM_CANDIDATES), generator)
        losses_P = (draws_PLK * true_LK).sum((1, 2)) + 10 * group
        effects.add(draws_PLK, losses_P + noise * torch.randn(8, generator=generator))
    return effects.effects_LK()


def agreement(first: Tensor, second: Tensor) -> float:
    """Return the correlation of all entries."""
    return float(torch.corrcoef(torch.stack((first.flatten(), second.flatten())))[0, 1])


def test_effects_are_found_whatever_the_level_of_each_group() -> None:
    assert agreement(estimated(600, 1.0), TRUE_LK) > 0.97


def test_what_a_candidate_does_in_all_layers_shows_after_few_draws() -> None:
    everywhere_LK = EVERYWHERE_K.expand(NUM_LAYERS, NUM_CANDIDATES)
    assert agreement(estimated(10, 1.0, everywhere_LK), everywhere_LK) > 0.9


def test_the_skip_that_changes_the_shape_tells_nothing_about_identities() -> None:
    prior_LKLK = effects_prior(SPACE).view(NUM_LAYERS, NUM_CANDIDATES, NUM_LAYERS, NUM_CANDIDATES)
    skip = SPACE.candidates.index("skip")
    keeps = [layer.keeps_shape for layer in SPACE.layers]
    identity, strided = keeps.index(True), keeps.index(False)
    assert prior_LKLK[identity, skip, strided, skip] == 0
    assert prior_LKLK[identity, 0, strided, 0] > 0
    assert bool((torch.linalg.eigvalsh(effects_prior(SPACE)) > 0).all())


def test_separable_blocks_are_believed_to_be_like_those_of_expansion_1() -> None:
    space = replace(SPACE, candidates=("k3_sep", "k3_e1", "k3_e6", "skip"))
    prior_EE = effects_prior(space)
    assert torch.equal(prior_EE, prior_EE.T)
    assert prior_EE[0, 1] > prior_EE[0, 2] > prior_EE[0, 3] == 0


def test_blocks_with_squeeze_and_excite_are_believed_to_be_alike_where_others_have_none() -> None:
    space = replace(SPACE, candidates=("k3_e3", "k3_e3_se", "k5_e6_se", "k7_e6", "skip"))
    prior_EE = effects_prior(space)
    assert prior_EE[1, 2] > prior_EE[1, 3]
    assert prior_EE[0, 1] > prior_EE[0, 3]


def test_more_draws_tell_more() -> None:
    errors = [float((estimated(number, 1.0) - TRUE_LK).square().mean()) for number in (5, 50, 500)]
    assert errors[0] > errors[1] > errors[2]


def test_a_theta_that_has_decided_does_not_forget_what_it_leans_away_from() -> None:
    """Eight draws, one of them other in one layer, tell 2 * 7/8; even ones 7 * 13 * 8/9, 46 times that."""
    generator = torch.Generator().manual_seed(5)
    effects = BlockEffects(SPACE)
    for _ in range(100):
        draws_PLK = draws(8, torch.zeros(NUM_LAYERS, NUM_CANDIDATES), generator)
        effects.add(draws_PLK, (draws_PLK * TRUE_LK).sum((1, 2)))
    learnt_LK = effects.effects_LK()
    alike_PLK = F.one_hot(torch.zeros(8, NUM_LAYERS, dtype=torch.int64), NUM_CANDIDATES)
    alike_PLK[0, 0] = alike_PLK[0, 0].roll(1)
    before_E = effects.state_dict()["gram"].diagonal().clone()
    effects.add(alike_PLK, torch.ones(8))
    untouched_E = effects.state_dict()["gram"].diagonal()[NUM_CANDIDATES:]
    expected_E = before_E[NUM_CANDIDATES:] * 0.5 ** (8 * (2 * 7 / 8) / (7 * 13 * 8 / 9) / 1000)
    torch.testing.assert_close(untouched_E, expected_E, rtol=1e-9, atol=0.0)
    for _ in range(10_000):
        effects.add(alike_PLK[1:], torch.ones(7))  # one network again and again
    assert agreement(effects.effects_LK(), learnt_LK) > 0.99


def test_without_draws_no_candidate_is_preferred() -> None:
    assert BlockEffects(SPACE).effects_LK().abs().max() == 0


def test_balanced_paths_name_each_candidate_as_often_as_theta_says() -> None:
    theta_LK = torch.randn(NUM_LAYERS, NUM_CANDIDATES, generator=torch.Generator().manual_seed(2))
    expected_LK = 16 * log_probabilities(theta_LK).exp()
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        counts_LK = draws(16, theta_LK, generator).sum(0)
        assert (counts_LK - expected_LK).abs().max() < 1
    total_LK = sum(draws(16, theta_LK, generator).sum(0) for _ in range(500)) / 500
    torch.testing.assert_close(total_LK, expected_LK, atol=0.1, rtol=0.0)


def test_a_candidate_that_theta_rules_out_is_never_drawn() -> None:
    theta_LK = torch.zeros(NUM_LAYERS, NUM_CANDIDATES)
    theta_LK[:, -1] = -1e9
    generator = torch.Generator().manual_seed(4)
    assert all(draws(8, theta_LK, generator)[:, :, -1].sum() == 0 for _ in range(50))
