import math
from dataclasses import replace

import pytest
import torch

from search_server.nas.config import SearchConfig, search_config
from search_server.nas.search import search
from search_server.nas.theta.theta_step import frozen_statistics
from search_server.search_options import PathsName, ThetaGradientName
from tests.nas.small_search import (
    LATENCY,
    MIDDLE_US,
    NUM_CANDIDATES,
    NUM_LAYERS,
    SPACE,
    TABLE,
    digit_batches,
    run_epochs,
    small_search,
)

CONFIG = SearchConfig(target_us=MIDDLE_US, epochs=3, warmup_epochs=1, theta_paths=2)


@pytest.mark.parametrize(
    ("paths", "theta_gradient"),
    [("soft", "effects"), ("one", "effects"), ("one", "straight_through"), ("two", "effects")],
)
def test_a_search_holds_its_target_and_becomes_decided(
    paths: PathsName, theta_gradient: ThetaGradientName
) -> None:
    num_paths = 1 if paths == "soft" else 2
    run = small_search(replace(CONFIG, paths=paths, theta_gradient=theta_gradient, theta_paths=num_paths))
    warmup, *epochs = list(run)
    assert [facts.phase for facts in (warmup, *epochs)] == ["warmup", "search", "search"]
    assert [facts.step for facts in (warmup, *epochs)] == [3, 9, 15]
    assert warmup.theta_loss is None
    for facts in epochs:
        assert facts.expected_latency_us == pytest.approx(MIDDLE_US, rel=1e-4)
        assert facts.theta_loss is not None
        assert math.isfinite(facts.theta_loss)
        assert all(sum(row) == pytest.approx(1, rel=1e-5) for row in facts.theta)
        assert len(facts.theta) == SPACE.num_layers
    entropies = [warmup.entropy, *(facts.entropy for facts in epochs)]
    assert entropies == sorted(entropies, reverse=True)
    assert entropies[-1] <= 0.1001 * math.log(NUM_CANDIDATES)
    assert next(run, None) is None


@pytest.mark.parametrize("loss", ["fbnet", "additive"])
def test_the_other_losses_press_on_latency(loss: str) -> None:
    """With a weight that outdoes cross entropy, E[LAT] falls; no target is needed."""
    config = SearchConfig(
        loss=loss,  # type: ignore[arg-type]  # parametrised
        beta=8.0,
        latency_weight=50.0,
        epochs=2,
        warmup_epochs=0,
        theta_paths=2,
        final_entropy=None,
    )
    run = small_search(config)
    before_us = run.theta.expected_us()
    facts = list(run)
    assert before_us == pytest.approx(float(LATENCY.expected_us(torch.full((NUM_LAYERS, 9), 1 / 9))))
    assert facts[1].expected_latency_us < facts[0].expected_latency_us < before_us


def test_a_decided_theta_goes_on_learning_of_candidates_that_it_leans_away_from() -> None:
    run = small_search(replace(CONFIG, theta_paths=NUM_CANDIDATES))
    with torch.no_grad():
        run.supernet.theta_LK.zero_()
        run.supernet.theta_LK[:, 0] = 30.0
    run.theta.step(next(iter(run.theta_batches)), 1.0, 1.0)
    informed_E = run.theta.effects.state_dict()["gram"].diagonal()
    assert bool((informed_E > 0.5).all())  # each candidate of each layer was drawn once of nine


def test_the_same_seed_gives_the_same_theta_and_another_seed_another() -> None:
    first, second, other = (small_search(replace(CONFIG, seed=seed)) for seed in (0, 0, 1))
    for run in (first, second, other):
        run_epochs(run, 2)
    assert torch.equal(first.supernet.theta_LK, second.supernet.theta_LK)
    assert first.architecture() == second.architecture()
    assert not torch.equal(first.supernet.theta_LK, other.supernet.theta_LK)


def test_the_warm_up_leaves_theta_alone() -> None:
    run = small_search(CONFIG)
    before_LK = run.supernet.theta_LK.detach().clone()
    run_epochs(run, 1)
    assert torch.equal(run.supernet.theta_LK, before_LK)


def test_a_batch_of_weights_is_taken_in_even_parts_and_theta_leaves_the_statistics_alone() -> None:
    weights, theta = digit_batches(num_images=70, batch_size=35)
    for step_images, num_parts in ((16, 2), (10, 3), (64, 1), (None, 1)):
        config = replace(CONFIG, epochs=2, warmup_epochs=1, step_images=step_images)
        run = search(SPACE, TABLE, weights, theta, config)
        assert next(run).step == 2 * num_parts
        before = {name: value.clone() for name, value in run.supernet.named_buffers()}
        with frozen_statistics(run.supernet):
            run.theta.step(next(iter(theta)), 1.0, 1.0)
        for name, value in run.supernet.named_buffers():
            assert torch.equal(value, before[name]) or name.endswith("num_batches_tracked")


def test_a_path_of_identities_gives_theta_no_gradient_instead_of_failing() -> None:
    """Straight-through: what no candidate computes has nothing to say about its factor."""
    config = replace(CONFIG, theta_gradient="straight_through", warmup_epochs=0)
    run = small_search(config)
    skip = SPACE.candidates.index("skip")
    with torch.no_grad():
        run.supernet.theta_LK[:, skip] = 100.0
    facts = run.theta.step(next(iter(run.theta_batches)), 1.0, 1.0)
    assert math.isfinite(facts.cross_entropy_gradient)
    assert torch.isfinite(run.supernet.theta_LK).all()


def test_presets_and_values_out_of_range() -> None:
    paper = search_config("fbnet-paper")
    assert paper.tau(0) == 5
    assert paper.tau(80) == pytest.approx(0.137, abs=5e-4)
    assert search_config(target_us=900.0).loss == "budget"
    assert [search_config(target_us=1.0, paths=p).num_theta_paths for p in ("one", "two", "soft")] == [
        8,
        4,
        1,
    ]
    for changes, message in (
        ({"target_us": None, "loss": "budget"}, "needs target_us"),
        ({"warmup_epochs": 20}, "must lie in 0..19"),
        ({"step_images": 1}, "step_images must be at least 2"),
        ({"theta_paths": 1}, "at least 2"),
        ({"theta_paths": 0, "paths": "two"}, "theta_paths must be at least 1, got 0"),
        ({"paths": "three"}, "one of soft, one, two"),
        ({"theta_lr": 0.0}, "theta_lr must be above 0"),
        ({"final_entropy": 2.0}, "final_entropy"),
    ):
        with pytest.raises(ValueError, match=message):
            search_config("small-budget", **{"target_us": 900.0, **changes})
    with pytest.raises(ValueError, match="small-budget, fbnet-paper"):
        search_config("cheap")
