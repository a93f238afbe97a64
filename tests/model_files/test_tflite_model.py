from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.options import CpuOptions, Options
from numpy.typing import NDArray

from search_server.model_files.tflite_model import NETWORK, tflite_bytes
from shared.architecture import parse_architecture
from shared.operators import Conv2d
from shared.workload import Segment, Workload
from tests.model_files.networks import (
    NEW_WORKLOADS,
    WORKLOAD,
    images_for,
    mean_of,
    trained_network,
    weights_of,
)


def run(model: bytes, images: NDArray[np.float32]) -> NDArray[np.float32]:
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def torch_and_tflite(workload: Workload) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    module = trained_network(workload)
    images = images_for(workload, 2) + mean_of(workload)
    with torch.inference_mode():
        expected = module(images - mean_of(workload)).numpy()
    model = tflite_bytes(workload, weights_of(module), batch=2)
    output = run(model, images.permute(0, 2, 3, 1).contiguous().numpy())
    return expected, output.transpose(0, 3, 1, 2).reshape(2, -1)


def test_the_model_computes_what_the_torch_network_computes() -> None:
    expected, actual = torch_and_tflite(WORKLOAD)
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NEW_WORKLOADS)
def test_blocks_of_mobilenet_v3_and_v4_compute_what_torch_computes(name: str) -> None:
    expected, actual = torch_and_tflite(NEW_WORKLOADS[name])
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
@pytest.mark.parametrize("name", ["v3", "v4", "squeeze_excite_inside"])
def test_xnnpack_runs_all_of_their_timing_models(name: str, dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_bytes(NEW_WORKLOADS[name], dtype=dtype))
    model = CompiledModel.from_file(str(path), options=Options(cpu_options=CpuOptions(num_threads=1)))
    assert model.is_fully_accelerated()


@pytest.mark.parametrize("size", [7, 8])
def test_strided_convolutions_pad_both_sides_alike(size: int) -> None:
    expected, actual = torch_and_tflite(
        Workload((3, size, size), (Segment("only", (Conv2d(3, 4, 5, 2),)),))
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_a_timing_model_holds_its_zeros_once() -> None:
    workload = parse_architecture("fbnet-a").workload()
    assert len(tflite_bytes(workload)) < 3 * workload.num_params  # fp32 would take four bytes each
    assert len(tflite_bytes(workload, dtype="int8")) < workload.num_params


def test_each_segment_is_a_signature_over_the_same_weights() -> None:
    module = trained_network(WORKLOAD)
    model = tflite_bytes(WORKLOAD, weights_of(module))
    signatures = Interpreter(model_content=model).get_signature_list()
    assert set(signatures) == {NETWORK, *(s.name for s in WORKLOAD.segments if s.operators)}
    assert len(model) < 1.3 * 4 * WORKLOAD.num_params + 100_000
