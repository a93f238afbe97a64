import math
from dataclasses import replace

import pytest
import torch

from search_server.nas.budget.search_caps import DeviceTable
from search_server.nas.search import search
from search_server.nas.theta.theta_step import frozen_statistics
from search_server.search_options import PathsName, SearchOptions, ThetaGradientName
from tests.nas.small_search import (
    LATENCY,
    MIDDLE_MS,
    MIDDLE_US,
    NUM_CANDIDATES,
    NUM_LAYERS,
    SPACE,
    TABLE,
    digit_batches,
    run_epochs,
    small_search,
)

OPTIONS = SearchOptions(target_ms=MIDDLE_MS, epochs=3, warmup_epochs=1, theta_paths=2)


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
def test_a_search_holds_its_target_and_becomes_decided(
    paths: PathsName, theta_gradient: ThetaGradientName
) -> None:
    num_paths = 1 if paths == "soft" else 2
    run = small_search(replace(OPTIONS, paths=paths, theta_gradient=theta_gradient, theta_paths=num_paths))
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
    options = SearchOptions(
        loss=loss,  # type: ignore[arg-type]  # parametrised
        beta=8.0,
        latency_weight=50.0,
        epochs=2,
        warmup_epochs=0,
        theta_paths=2,
        final_entropy=1.0,
    )
    run = small_search(options)
    before_us = run.theta.expected_us()
    facts = list(run)
    assert before_us == pytest.approx(float(LATENCY.expected_us(torch.full((NUM_LAYERS, 9), 1 / 9))))
    assert facts[1].expected_latency_us < facts[0].expected_latency_us < before_us


@pytest.mark.parametrize("theta_gradient", ["effects", "leave_one_out"])
def test_a_decided_theta_learns_of_what_it_leans_away_from_by_effects_alone(
    theta_gradient: ThetaGradientName,
) -> None:
    options = replace(OPTIONS, theta_gradient=theta_gradient, theta_paths=NUM_CANDIDATES)
    run = small_search(options)
    with torch.no_grad():
        run.supernet.theta_LK.zero_()
        run.supernet.theta_LK[:, 0] = 30.0
    run.theta.step(next(iter(run.theta_batches)), 1.0, 1.0)
    informed_E = run.theta.effects.state_dict()["gram"].diagonal()
    if theta_gradient == "effects":
        assert bool((informed_E > 0.5).all())  # each candidate of each layer was drawn once of nine
    else:
        assert not informed_E.any()  # nine times the same network


def test_the_default_differentiates_and_its_theta_does_not_look_at_effects() -> None:
    """Adam takes the steps; wrong effects change nothing."""
    run, misled = small_search(OPTIONS), small_search(OPTIONS)
    state = misled.theta.effects.state_dict()
    state["moment"] = torch.linspace(-50, 50, len(state["moment"]), dtype=torch.float64)
    misled.theta.effects.load_state_dict(state)
    list(run), list(misled)
    assert run.theta.optimiser.state[run.supernet.theta_LK]["step"] == 2 * 3  # two epochs of three batches
    assert torch.equal(run.supernet.theta_LK, misled.supernet.theta_LK)
    assert not torch.equal(run.theta.effects.effects_LK(), misled.theta.effects.effects_LK())


def test_the_same_seed_gives_the_same_theta_and_another_seed_another() -> None:
    first, second, other = (small_search(replace(OPTIONS, seed=seed)) for seed in (0, 0, 1))
    for run in (first, second, other):
        run_epochs(run, 2)
    assert torch.equal(first.supernet.theta_LK, second.supernet.theta_LK)
    assert first.architecture() == second.architecture()
    assert not torch.equal(first.supernet.theta_LK, other.supernet.theta_LK)


def test_the_warm_up_leaves_theta_alone() -> None:
    run = small_search(OPTIONS)
    before_LK = run.supernet.theta_LK.detach().clone()
    run_epochs(run, 1)
    assert torch.equal(run.supernet.theta_LK, before_LK)


def test_a_batch_of_weights_is_taken_in_even_parts_and_theta_leaves_the_statistics_alone() -> None:
    weights, theta = digit_batches(num_images=70, batch_size=35)
    for step_images, num_parts in ((16, 2), (10, 3), (64, 1), (8192, 1)):
        options = replace(OPTIONS, epochs=2, warmup_epochs=1, step_images=step_images)
        run = search(SPACE, TABLE, weights, theta, options)
        assert next(run).step == 2 * num_parts
        before = {name: value.clone() for name, value in run.supernet.named_buffers()}
        with frozen_statistics(run.supernet):
            run.theta.step(next(iter(theta)), 1.0, 1.0)
        for name, value in run.supernet.named_buffers():
            assert torch.equal(value, before[name]) or name.endswith("num_batches_tracked")


def test_a_path_of_identities_gives_theta_no_gradient_instead_of_failing() -> None:
    """Straight-through: what no candidate computes has nothing to say about its factor."""
    options = replace(OPTIONS, theta_gradient="straight_through", warmup_epochs=0)
    run = small_search(options)
    skip = SPACE.candidates.index("skip")
    with torch.no_grad():
        run.supernet.theta_LK[:, skip] = 100.0
    facts = run.theta.step(next(iter(run.theta_batches)), 1.0, 1.0)
    assert math.isfinite(facts.cross_entropy_gradient)
    assert torch.isfinite(run.supernet.theta_LK).all()


def test_several_tables_have_a_target_each_and_a_loss_that_holds_them() -> None:
    pair = [DeviceTable("a", TABLE, MIDDLE_MS), DeviceTable("b", TABLE, None)]
    for options, tables, message in (
        (SearchOptions(), TABLE, "needs target_ms"),
        (SearchOptions(), pair, "needs target_ms"),
        (SearchOptions(preset="fbnet-paper"), pair, "loss 'fbnet' holds no limits; several devices"),
        (SearchOptions(loss="fbnet", max_macs=1), TABLE, "holds no limits"),
        (SearchOptions(), [], "needs a latency table"),
    ):
        with pytest.raises(ValueError, match=message):
            small_search(options, tables)
    with pytest.raises(ValueError, match="target_ms of device a must be above 0, got 0"):
        DeviceTable("a", TABLE, 0.0)
