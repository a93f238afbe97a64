"""No NaN, ever: steps of weights and theta at the ends of every scale."""

import itertools
from dataclasses import replace

import pytest
import torch

from search_server.nas.budget.latency_loss import FBNetLoss
from search_server.nas.search import SearchRun
from search_server.nas.supernet.paths import sample_paths
from search_server.search_options import TAU_FLOOR, PathsName, SearchOptions, ThetaGradientName
from tests.nas.small_search import (
    LEAST_US,
    MIDDLE_MS,
    MOST_US,
    NUM_CANDIDATES,
    NUM_LAYERS,
    random_theta,
    small_search,
)

OPTIONS = SearchOptions(target_ms=MIDDLE_MS, epochs=2, warmup_epochs=0, theta_paths=2, step_images=8192)

ONE_HOT = torch.nn.functional.one_hot(torch.full((NUM_LAYERS,), 3), NUM_CANDIDATES).float()

THETAS = {
    "one-hot": ONE_HOT,
    "decided": 1e3 * ONE_HOT,
    "against all but one": -1e3 * (1 - ONE_HOT),
    "signs": 1e3 * random_theta(3).sign(),
}


def assert_finite(run: SearchRun) -> None:
    for name, value in run.supernet.state_dict().items():
        assert torch.isfinite(value).all(), name


@pytest.mark.parametrize(
    ("paths", "theta_gradient"),
    [
        ("soft", "effects"),
        ("one", "effects"),
        ("one", "straight_through"),
        ("one", "leave_one_out"),
        ("two", "effects"),
    ],
)
@pytest.mark.parametrize("theta", THETAS)
def test_steps_stay_finite_at_every_theta_and_temperature(
    paths: PathsName, theta_gradient: ThetaGradientName, theta: str
) -> None:
    run = small_search(replace(OPTIONS, paths=paths, theta_gradient=theta_gradient))
    run.supernet.train()
    images_NCHW, labels_N = next(iter(run.weight_batches))
    for tau in (OPTIONS.tau_start, TAU_FLOOR, 0.0):
        with torch.no_grad():
            run.supernet.theta_LK.copy_(THETAS[theta])
        drawn = sample_paths(run.supernet.theta_LK.detach(), tau, paths, run.generator)
        run.weights.step((images_NCHW, labels_N), drawn, progress=0.0)
        facts = run.theta.step((images_NCHW[:8], labels_N[:8]), tau, entropy_limit=0.1)
        assert torch.isfinite(torch.tensor([facts.loss, facts.cross_entropy_gradient])).all()
        assert_finite(run)


@pytest.mark.parametrize("paths", ["soft", "one"])
def test_images_that_are_all_alike_stay_finite(paths: PathsName) -> None:
    """Every variance is zero: only a batch norm's epsilon is left."""
    run = small_search(replace(OPTIONS, paths=paths))
    run.supernet.train()
    images_NCHW, labels_N = next(iter(run.weight_batches))
    drawn = sample_paths(run.supernet.theta_LK.detach(), 1.0, paths, run.generator)
    run.weights.step((torch.zeros_like(images_NCHW), labels_N), drawn, progress=0.0)
    assert_finite(run)


def test_the_paper_s_loss_is_finite_at_the_corners_of_alpha_and_beta() -> None:
    for alpha, beta, latency_us in itertools.product(
        (0.0, 1e-6, 0.2, 1e6), (0.0, 1e-6, 0.6, 1.0, 50.0), (LEAST_US, MOST_US, 1e9)
    ):
        leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (2.3, latency_us)]
        loss = FBNetLoss(LEAST_US, alpha, beta)(*leaves)
        slopes = torch.autograd.grad(loss, leaves)
        assert all(torch.isfinite(value).all() for value in (loss, *slopes))
