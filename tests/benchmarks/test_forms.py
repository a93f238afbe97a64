"""The forms of a truth compute the same networks, and none of them comes from a timing model."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.forms import alone, exported_file, forms
from benchmarks.plain_models import load_model
from benchmarks.torch_export import can_write, torch_exported, torch_network
from benchmarks.truth import deal
from shared.architecture import Architecture, random_architecture, uniform_architecture
from shared.modules import network_module
from shared.operators import Conv2d
from shared.protocol.device import Conditions
from shared.search_space import search_space

SPACE = search_space("fbnet-tiny:width=0.25,resolution=16")
OWN_SPACE = search_space(
    "mine:resolution=16,classes=4,stem=8s2,stages=8x1s1-16x1s2-16x2s1,head=32,blocks=k3_e1_g2-k7_e4_g4-skip"
)
NETWORKS = [random_architecture(SPACE, random.Random(seed)) for seed in range(30)]


@pytest.mark.parametrize(
    "network",
    [uniform_architecture(space, block) for space in (SPACE, OWN_SPACE) for block in space.candidates],
    ids=str,
)
def test_torch_s_own_network_computes_what_the_project_s_computes(network: Architecture) -> None:
    ours = network_module(network.workload(), torch.Generator().manual_seed(0)).eval()
    theirs = torch_network(network).eval()
    values = ours.state_dict().values()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)))
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (2, *network.space.input_shape), dtype=torch.uint8, generator=generator)
    seen = (images / 255 - 0.45) / 0.25
    with torch.inference_mode():
        torch.testing.assert_close(theirs(images), ours(seen).reshape(2, -1), rtol=1e-4, atol=1e-4)


def test_torch_writes_fbnet_s_blocks_only() -> None:
    assert can_write(SPACE)
    assert can_write(OWN_SPACE)
    assert not any(
        can_write(search_space(f"{name}-tiny")) for name in ("mobilenetv3", "mobilenetv4", "channels")
    )


def test_both_files_run_and_hold_every_weight(tmp_path: Path) -> None:
    workload = NETWORKS[0].workload()
    convolutions = [op for s in workload.segments for op in s.operators if isinstance(op, Conv2d)]
    num_weights = sum(convolution.num_params for convolution in convolutions)
    for name, content in (("ours", exported_file(NETWORKS[0])), ("theirs", torch_exported(NETWORKS[0]))):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        assert load_model("onnxruntime", workload, path).output().shape == (SPACE.num_classes,)
        assert len(content) > 4 * num_weights


def test_onnx_runtime_is_judged_by_exported_files_and_others_by_timing_models(tmp_path: Path) -> None:
    exported, foreign, by_itself = forms(NETWORKS, Conditions(), tmp_path)
    assert exported.networks == tuple(NETWORKS)
    assert (len(foreign.networks), len(by_itself.networks)) == (15, 10)
    for form in (exported, foreign, by_itself):
        assert form.paths is not None
        assert form.networks == tuple(NETWORKS[place] for place in form.places)
        assert all(path.exists() for path in form.paths)
    for conditions in (Conditions("litert"), Conditions("onnxruntime", dtype="int8")):
        (form,) = forms(NETWORKS, conditions, tmp_path)
        assert (form.name, form.paths) == ("timing_model", None)


def test_files_are_timed_together_and_alone(tmp_path: Path) -> None:
    exported, *_ = forms(NETWORKS[:2], Conditions(), tmp_path)
    assert exported.paths is not None
    together = deal(SPACE, exported.networks, Conditions(), 0.01, 1, exported.paths)
    by_itself = alone(exported.networks, exported.paths, Conditions(), seed=1)
    for true in (together, by_itself):
        assert true.units_DN.shape == true.seconds_DN.shape == (1, 2)
        assert np.isfinite(true.units_DN).all()
        assert (true.seconds_DN > 0).all()
