"""Searches on a real CUDA device; skipped where torch finds none."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from search_server.nas.checkpoint import load_checkpoint, save_checkpoint
from search_server.nas.choosing.shortlist import shortlist
from search_server.nas.data.batches import evaluation_batches, training_batches
from search_server.nas.data.data_sets import load_data
from search_server.nas.network_weights import load_network, network_bytes
from search_server.nas.search import SearchRun, search
from search_server.nas.supernet.accelerator import CPU, accelerator_of, choose_accelerator
from search_server.nas.supernet.paths import sample_paths
from search_server.nas.train import TrainConfig, evaluate, train
from search_server.search_options import PathsName, SearchOptions, ThetaGradientName, WeightsName
from shared.architecture import uniform_architecture
from shared.modules import network_module
from tests.nas.small_search import (
    MIDDLE_MS,
    MIDDLE_US,
    SPACE,
    TABLE,
    cap_at,
    digit_batches,
    generator,
    run_epochs,
)
from tests.nas.test_checkpoint import assert_resumes_to_the_same_bits

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")

CUDA = torch.device("cuda")
OPTIONS = SearchOptions(target_ms=MIDDLE_MS, epochs=3, warmup_epochs=1, theta_paths=2)
MODES: list[tuple[PathsName, WeightsName, ThetaGradientName]] = [
    ("one", "entangled", "leave_one_out"),
    ("one", "entangled", "effects"),
    ("one", "entangled", "straight_through"),
    ("two", "separate", "effects"),
    ("soft", "entangled", "effects"),
    ("soft", "separate", "effects"),
]


def run_at(accelerator: torch.device, options: SearchOptions) -> SearchRun:
    return search(SPACE, TABLE, *digit_batches(), options, accelerator)


@pytest.fixture
def full_precision() -> Iterator[None]:
    """Products as on the CPU: convolutions else take TF32 there, with ten bits of mantissa."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def test_auto_chooses_cuda() -> None:
    assert choose_accelerator("auto") == choose_accelerator("cuda") == CUDA


@pytest.mark.usefixtures("full_precision")
@pytest.mark.parametrize(("paths", "weights", "theta_gradient"), MODES)
def test_logits_are_those_of_the_cpu(
    paths: PathsName, weights: WeightsName, theta_gradient: ThetaGradientName
) -> None:
    options = replace(OPTIONS, paths=paths, weights=weights, theta_gradient=theta_gradient)
    here, there = (run_at(accelerator, options).supernet.train() for accelerator in (CPU, CUDA))
    images_NCHW, _ = next(iter(digit_batches()[0]))
    with torch.no_grad():
        for seed in range(3):
            drawn = sample_paths(here.theta_LK, 1.0, paths, generator(seed))
            logits_NC = there(images_NCHW.to(CUDA), drawn).cpu()
            torch.testing.assert_close(logits_NC, here(images_NCHW, drawn), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("mixed_precision", [False, True])
@pytest.mark.parametrize(("paths", "weights", "theta_gradient"), MODES)
def test_a_search_learns_and_holds_its_budget(
    paths: PathsName, weights: WeightsName, theta_gradient: ThetaGradientName, mixed_precision: bool
) -> None:
    options = replace(
        OPTIONS,
        paths=paths,
        weights=weights,
        theta_gradient=theta_gradient,
        mixed_precision=mixed_precision,
        epochs=6,
    )
    run = run_at(CUDA, options)
    facts = list(run)
    assert facts[-1].weight_loss < facts[0].weight_loss
    assert all(math.isfinite(each.theta_loss) for each in facts if each.theta_loss is not None)
    assert facts[-1].expected_latency_us == pytest.approx(MIDDLE_US, rel=5e-3)
    assert {each.accelerator for each in facts} == {"cuda"}
    assert all(a.peak_memory_bytes <= b.peak_memory_bytes for a, b in pairwise(facts))
    assert facts[0].peak_memory_bytes > 0
    assert run.supernet.theta_LK.device == CPU
    assert run.supernet.accelerator.type == "cuda"
    for name, value in run.supernet.state_dict().items():
        assert value.dtype in (torch.float32, torch.int64), name
        assert torch.isfinite(value).all(), name


@pytest.mark.parametrize(("paths", "weights", "theta_gradient"), MODES)
def test_an_interrupted_search_ends_with_the_same_bits(
    paths: PathsName, weights: WeightsName, theta_gradient: ThetaGradientName, tmp_path: Path
) -> None:
    options = replace(OPTIONS, paths=paths, weights=weights, theta_gradient=theta_gradient)
    assert_resumes_to_the_same_bits(lambda: run_at(CUDA, options), tmp_path)


def test_a_search_moves_between_cuda_and_the_cpu(tmp_path: Path) -> None:
    begun = run_at(CUDA, OPTIONS)
    run_epochs(begun, 1)
    save_checkpoint(begun, tmp_path / "first.pt")
    here = run_at(CPU, OPTIONS)
    load_checkpoint(here, tmp_path / "first.pt")
    run_epochs(here, 1)
    save_checkpoint(here, tmp_path / "second.pt")
    ended = run_at(CUDA, OPTIONS)
    load_checkpoint(ended, tmp_path / "second.pt")
    (facts,) = ended
    assert facts.epoch == 2
    assert facts.expected_latency_us == pytest.approx(MIDDLE_US, rel=5e-3)


def test_recomputed_branches_take_less_memory_and_end_alike() -> None:
    options = replace(OPTIONS, paths="soft", weights="separate", epochs=2)
    peaks, losses = [], []
    for recomputes in (False, True):
        torch.cuda.reset_peak_memory_stats()
        facts = list(run_at(CUDA, replace(options, recomputes_branches=recomputes)))
        peaks.append(torch.cuda.max_memory_allocated())
        losses.append([each.weight_loss for each in facts])
    assert peaks[1] < peaks[0]
    torch.testing.assert_close(*losses, rtol=0.05, atol=0.02)


def test_networks_are_ranked_trained_and_saved(tmp_path: Path) -> None:
    data = load_data("digits", SPACE.resolution)
    run = run_at(CUDA, OPTIONS)
    list(run)
    networks = shortlist(run.supernet, [cap_at(MIDDLE_US)], data, 2, seed=0, least_share=0.9)
    assert all(0.9 * MIDDLE_US <= TABLE.predict_us(network) <= MIDDLE_US for network in networks)
    workload = uniform_architecture(SPACE, "k3_e1").workload()
    network = network_module(workload, generator(1)).to(CUDA)
    few = data.weights.select(range(256))
    facts = list(train(network, training_batches(few, 32, seed=3), TrainConfig(epochs=4)))
    assert facts[-1].loss < facts[0].loss
    assert accelerator_of(network).type == "cuda"
    accuracy = evaluate(network, evaluation_batches(data.validation))
    (tmp_path / "network.pt").write_bytes(network_bytes(network))
    loaded = load_network(workload, tmp_path / "network.pt")
    assert evaluate(loaded, evaluation_batches(data.validation)) == pytest.approx(accuracy, abs=0.02)
