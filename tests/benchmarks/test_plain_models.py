"""The benchmarks' own timing loads every runtime, each in a process of its own."""

import math
import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.plain_models import RUNTIME_DTYPES, PlainModel, environment_of, load_model
from benchmarks.plain_timing import time_in_new_process
from search_server.model_files.model_file import model_file
from search_server.nas.network_weights import numpy_weights
from shared.architecture import random_architecture
from shared.modules import network_module
from shared.operators import Conv2d
from shared.protocol.device import Conditions
from shared.runtimes import RUNTIMES
from shared.search_space import search_space
from shared.workload import Segment, Workload

NETWORK = random_architecture(
    search_space("fbnet-tiny:width=0.25,resolution=16"), random.Random(3)
).workload()
BLOCK = Workload((16, 112, 112), (Segment("block", (Conv2d(16, 4),)),))
PACKAGES = {"litert": "ai_edge_litert"}


@pytest.fixture(
    params=[
        Conditions(runtime, dtype=dtype) for runtime, dtypes in RUNTIME_DTYPES.items() for dtype in dtypes
    ],
    ids=str,
)
def conditions(request: pytest.FixtureRequest) -> Conditions:
    chosen: Conditions = request.param
    skip_unless_installed(chosen.runtime)
    return chosen


def skip_unless_installed(runtime: str) -> None:
    package = PACKAGES.get(runtime, runtime)
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def load(workload: Workload, conditions: Conditions, folder: Path) -> PlainModel:
    model = model_file(workload, conditions)
    path = folder / "model" if model else None
    if model and path:
        path.write_bytes(model.content)
    return load_model(conditions.runtime, workload, path)


@pytest.mark.parametrize("workload", [NETWORK, BLOCK], ids=["network", "block"])
def test_every_runtime_gives_the_values_that_the_workload_has(
    conditions: Conditions, workload: Workload, tmp_path: Path
) -> None:
    model = load(workload, conditions, tmp_path)
    first = model.output()
    model.run()
    assert first.shape == (math.prod(workload.output_shape),)
    np.testing.assert_array_equal(model.output(), first)


def test_torch_without_batch_norms_computes_the_same(tmp_path: Path) -> None:
    network = network_module(NETWORK, torch.Generator().manual_seed(0)).eval()
    images = np.random.default_rng(0).random((1, *NETWORK.input_shape), dtype=np.float32)
    normalised = ((255 * images).astype(np.uint8) - 114.75) / 63.75  # 255 * 0.45 and 255 * 0.25
    with torch.inference_mode():
        expected = network(torch.from_numpy(normalised.astype(np.float32))).numpy().reshape(-1)
    actual = load(NETWORK, Conditions("torch"), tmp_path).output()
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("runtime", [each.name for each in RUNTIMES.values() if each.model_format])
def test_a_file_with_weights_computes_what_the_trained_network_computes(
    runtime: str, tmp_path: Path
) -> None:
    skip_unless_installed(runtime)
    network = network_module(NETWORK, torch.Generator().manual_seed(0)).eval()
    file = model_file(NETWORK, Conditions(runtime), numpy_weights(network))
    assert file is not None
    images = np.random.default_rng(0).random((1, *NETWORK.input_shape), dtype=np.float32)
    # The loop gives ONNX Runtime bytes, and LiteRT a hundred times the images, of which its int8 models see
    # something. All but ExecuTorch's files subtract the mean.
    seen = {
        "onnxruntime": (255 * images).astype(np.uint8) - np.float32(114.75),
        "litert": 100 * images - 114.75,
        "ncnn": images - 114.75,
        "executorch": images,
    }[runtime]
    with torch.inference_mode():
        expected = network(torch.from_numpy(seen.astype(np.float32)))
    actual = load_model(runtime, NETWORK, file.write(tmp_path, "delivered")).output()
    np.testing.assert_allclose(actual, expected.numpy().reshape(-1), rtol=1e-3, atol=1e-4)


def test_a_process_times_each_network_beside_the_first(conditions: Conditions) -> None:
    timing = time_in_new_process(
        [NETWORK, BLOCK], conditions, 0.01, warm_s=1e-6, seed=1
    )  # turns of two timed runs
    assert timing.seconds.shape[1:] == (2, 2)
    assert len(timing.seconds) >= 2
    assert (timing.seconds > 0).all()
    assert timing.ratios().shape == timing.medians_s().shape == (2,)


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(
        RuntimeError, match=r"(?s)timing process of simulated.*choose one of onnxruntime, torch"
    ):
        time_in_new_process([BLOCK], Conditions("simulated"), 0.01, warm_s=0, seed=1)


def test_only_torch_needs_another_allocator() -> None:
    assert {runtime for runtime in RUNTIME_DTYPES if environment_of(runtime)} == {"torch"}
