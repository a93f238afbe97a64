"""A search away from the CPU (pretended, see ``pretended_accelerator.py``), and one in mixed precision."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from search_server.nas.checkpoint import load_checkpoint, save_checkpoint, state
from search_server.nas.choosing.shortlist import shortlist
from search_server.nas.data.batches import evaluation_batches, training_batches
from search_server.nas.network_weights import load_network, network_bytes, numpy_weights
from search_server.nas.search import SearchRun, search
from search_server.nas.supernet.accelerator import CPU, accelerator_of, choose_accelerator
from search_server.nas.supernet.paths import single_path
from search_server.nas.train import TrainConfig, evaluate, train
from search_server.search_options import PathsName, SearchOptions, ThetaGradientName, WeightsName
from shared.architecture import uniform_architecture
from shared.modules import NetworkModule, network_module
from tests.nas.pretended_accelerator import ACCELERATOR, PretendedAccelerator
from tests.nas.small_search import (
    MIDDLE_MS,
    MIDDLE_US,
    SPACE,
    TABLE,
    cap_at,
    digit_batches,
    digits,
    generator,
    run_epochs,
)
from tests.nas.test_checkpoint import assert_resumes_to_the_same_bits, assert_same_bits

OPTIONS = SearchOptions(
    target_ms=MIDDLE_MS, epochs=1, warmup_epochs=0, theta_paths=2, channels_last=False, step_images=8192
)
"""Maps with the channels last are summed in another order where torch cannot see the CPU."""
DATA = digits()
FEW = replace(
    DATA,
    weights=DATA.weights.select(range(64)),
    training=DATA.training.select(range(160)),
    validation=DATA.validation.select(range(48)),
)


def run_at(accelerator: torch.device, options: SearchOptions) -> SearchRun:
    return search(SPACE, TABLE, *digit_batches(num_images=16, batch_size=8), options, accelerator)


@pytest.mark.parametrize(
    ("paths", "weights", "theta_gradient"),
    [
        ("one", "entangled", "leave_one_out"),
        ("one", "entangled", "effects"),
        ("one", "entangled", "straight_through"),
        ("two", "separate", "effects"),
        ("soft", "entangled", "effects"),
    ],
)
def test_a_search_elsewhere_ends_with_the_same_bits(
    paths: PathsName, weights: WeightsName, theta_gradient: ThetaGradientName
) -> None:
    options = replace(OPTIONS, paths=paths, weights=weights, theta_gradient=theta_gradient)
    here = run_at(CPU, options)
    list(here)
    wanted = here.supernet.state_dict()
    with PretendedAccelerator():
        elsewhere = run_at(ACCELERATOR, options)
        facts = list(elsewhere)
        assert accelerator_of(elsewhere.supernet.layers) == ACCELERATOR
        assert elsewhere.supernet.theta_LK.device == CPU
        assert [each.accelerator for each in facts] == ["meta"]
        for name, value in elsewhere.supernet.state_dict().items():
            assert torch.equal(value.cpu(), wanted[name]), name


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_a_search_moves_between_accelerators_at_its_checkpoints(tmp_path: Path) -> None:
    options = replace(OPTIONS, epochs=3)
    whole = run_at(CPU, options)
    run_epochs(whole, 3)
    with PretendedAccelerator():
        begun = run_at(ACCELERATOR, options)
        run_epochs(begun, 1)
        save_checkpoint(begun, tmp_path / "first.pt")
    here = run_at(CPU, options)
    load_checkpoint(here, tmp_path / "first.pt")
    run_epochs(here, 1)
    save_checkpoint(here, tmp_path / "second.pt")
    with PretendedAccelerator():
        ended = run_at(ACCELERATOR, options)
        load_checkpoint(ended, tmp_path / "second.pt")
        run_epochs(ended, 1)
        save_checkpoint(ended, tmp_path / "third.pt")
    last = run_at(CPU, options)
    load_checkpoint(last, tmp_path / "third.pt")
    assert_same_bits(state(last), state(whole))


def test_networks_are_ranked_trained_and_saved_elsewhere(tmp_path: Path) -> None:
    here = run_at(CPU, OPTIONS)
    workload = uniform_architecture(SPACE, "k3_e1").workload()
    train_config = TrainConfig(epochs=1)

    def trained(network: NetworkModule) -> NetworkModule:
        list(train(network, training_batches(FEW.weights, 32, seed=3), train_config))
        return network

    at_home = trained(network_module(workload, generator(1)))
    with PretendedAccelerator():
        elsewhere = run_at(ACCELERATOR, OPTIONS)
        ranked = [
            shortlist(run.supernet, [cap_at(MIDDLE_US)], FEW, 2, seed=0, least_share=0.9, batch_size=8)
            for run in (here, elsewhere)
        ]
        moved = trained(network_module(workload, generator(1)).to(ACCELERATOR))
        accuracy = evaluate(moved, evaluation_batches(FEW.validation))
        assert accelerator_of(moved) == ACCELERATOR
        (tmp_path / "network.pt").write_bytes(network_bytes(moved))
        assert numpy_weights(moved).keys() == numpy_weights(at_home).keys()
    assert set(ranked[0]) == set(ranked[1])  # rounding, learned from for 20 steps, moves the order
    loaded = load_network(workload, tmp_path / "network.pt")
    assert evaluate(loaded, evaluation_batches(FEW.validation)) == accuracy
    state_at_home = at_home.state_dict()
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, state_at_home[name], rtol=1e-3, atol=1e-4)


def test_the_pretended_accelerator_refuses_tensors_of_the_cpu() -> None:
    with PretendedAccelerator():
        elsewhere = torch.ones(2, device=ACCELERATOR)
        assert (elsewhere + elsewhere).cpu().tolist() == [2, 2]
        with pytest.raises(RuntimeError, match="of the accelerator and of the CPU"):
            elsewhere + torch.ones(2)


def test_an_accelerator_that_torch_cannot_use_is_refused_by_name() -> None:
    assert choose_accelerator("cpu") == CPU
    assert choose_accelerator("auto").type in ("cuda", "mps", "cpu")
    with pytest.raises(ValueError, match="one of auto, cpu, cuda, mps, got 'tpu'"):
        choose_accelerator("tpu")
    is_usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    for name in [name for name, usable in is_usable.items() if not usable]:
        with pytest.raises(ValueError, match=rf"'{name}' cannot be used: torch .* finds .*cpu on this"):
            choose_accelerator(name)


MIXED = SearchOptions(target_ms=MIDDLE_MS, epochs=2, warmup_epochs=1, theta_paths=2, mixed_precision=True)


@pytest.mark.parametrize("paths", ["one", "soft"])
def test_what_adds_up_stays_fp32_in_mixed_precision(paths: PathsName) -> None:
    options = replace(MIXED, paths=paths, epochs=1, warmup_epochs=0)
    run = run_at(CPU, options)
    facts, exact = next(run), next(run_at(CPU, replace(options, mixed_precision=False)))
    assert facts.weight_loss == pytest.approx(exact.weight_loss, rel=0.02)
    assert facts.weight_loss != exact.weight_loss
    assert math.isfinite(facts.theta_loss or math.nan)
    assert facts.expected_latency_us == pytest.approx(MIDDLE_US, rel=5e-3)
    for parameter in run.supernet.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is None or parameter.grad.dtype == torch.float32
    for name, buffer in run.supernet.named_buffers():
        assert torch.isfinite(buffer).all()
        assert buffer.dtype == (torch.float32 if "running" in name else torch.int64)


def test_steps_in_mixed_precision_learn() -> None:
    run = run_at(CPU, MIXED)
    run.supernet.train()
    batch = next(iter(run.weight_batches))
    path = single_path([SPACE.candidates.index("k3_e3")] * SPACE.num_layers)
    losses = [run.weights.step(batch, path, progress=0.5).loss for _ in range(24)]
    assert losses[-1] < 0.5 * losses[0]


def test_an_interrupted_search_in_mixed_precision_ends_with_the_same_bits(tmp_path: Path) -> None:
    assert_resumes_to_the_same_bits(lambda: run_at(CPU, MIXED), tmp_path)


def test_training_and_evaluation_in_mixed_precision() -> None:
    network = network_module(uniform_architecture(SPACE, "k3_e1").workload(), generator(1))
    batches = training_batches(DATA.training.select(range(256)), 32, seed=3)
    facts = list(train(network, batches, TrainConfig(epochs=2, mixed_precision=True)))
    assert facts[1].loss < facts[0].loss
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    mixed, exact = (evaluate(network, evaluation_batches(FEW.validation), each) for each in (True, False))
    assert mixed == pytest.approx(exact, abs=0.1)
