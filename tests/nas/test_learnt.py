"""What a search has learnt, read from its checkpoint."""

from io import BytesIO

import pytest
import torch

from search_server.nas.checkpoint import checkpoint_bytes
from search_server.nas.learnt import load_learnt
from search_server.nas.supernet.paths import log_probabilities
from search_server.search_options import SearchOptions, ThetaGradientName
from tests.nas.small_search import MIDDLE_MS, SPACE, small_search


def options(theta_gradient: ThetaGradientName) -> SearchOptions:
    return SearchOptions(
        target_ms=MIDDLE_MS, epochs=2, warmup_epochs=1, theta_paths=4, theta_gradient=theta_gradient
    )


@pytest.mark.parametrize("theta_gradient", ["effects", "leave_one_out"])
def test_networks_drawn_on_the_same_images_leave_effects(theta_gradient: ThetaGradientName) -> None:
    run = small_search(options(theta_gradient))
    list(run)
    learnt = load_learnt(BytesIO(checkpoint_bytes(run)), SPACE, run.options)
    assert learnt.are_effects
    assert learnt.score_LK == pytest.approx(-run.theta.effects.effects_LK().numpy())
    assert learnt.score_LK.any()


def test_a_search_without_draws_has_its_theta() -> None:
    run = small_search(options("straight_through"))
    list(run)
    learnt = load_learnt(BytesIO(checkpoint_bytes(run)), SPACE, run.options)
    assert not learnt.are_effects
    log_p_LK = log_probabilities(run.supernet.theta_LK.detach().double())
    assert torch.equal(torch.from_numpy(learnt.score_LK), log_p_LK)
