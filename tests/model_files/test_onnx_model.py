from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto

from search_server.exports.description import Description
from search_server.exports.onnx_file import onnx_file, quantised_onnx_file
from search_server.model_files.model_file import model_file
from search_server.model_files.onnx_model import onnx_bytes
from shared.architecture import parse_architecture
from shared.modules import NetworkModule
from shared.operators import Conv2d
from shared.protocol.device import Conditions
from shared.runtimes import DTYPES
from shared.search_space import search_space
from shared.workload import Segment, Workload
from tests.model_files.networks import (
    NEW_WORKLOADS,
    V3,
    WORKLOAD,
    images_for,
    mean_of,
    trained_network,
    weights_of,
)

SHUFFLED = ",".join(["k3_e6", "k3_e1_g2", "k5_e1_g2"] * 4 + ["k3_e6"])
"""A network of fbnet-tiny with kernels of equal shapes, and shuffles."""


def run(model: bytes, images: NDArray[np.generic]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"images": images})[0])


def optimised(model: bytes, folder: Path) -> onnx.GraphProto:
    """Return the graph that the runtime runs, with its weights inside."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3  # it warns that such a file belongs to this machine
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return onnx.load(options.optimized_model_filepath).graph


def test_the_model_computes_what_the_torch_network_computes() -> None:
    module = trained_network(WORKLOAD)
    images = torch.randint(256, (2, *WORKLOAD.input_shape), dtype=torch.uint8)
    with torch.inference_mode():
        expected = module(images.float() - 114.75).numpy()  # 255 * 0.45
    actual = run(onnx_bytes(WORKLOAD, weights_of(module), batch=2), images.numpy())
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NEW_WORKLOADS)
def test_blocks_of_mobilenet_v3_and_v4_compute_what_torch_computes(name: str) -> None:
    workload = NEW_WORKLOADS[name]
    module = trained_network(workload)
    images = images_for(workload, 2) + mean_of(workload)
    images = images.byte() if mean_of(workload) else images
    with torch.inference_mode():
        expected = module(images.float() - mean_of(workload)).numpy()
    actual = run(onnx_bytes(workload, weights_of(module), batch=2), images.numpy())
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_a_squeeze_and_excite_lacks_no_weight_in_silence() -> None:
    weights = weights_of(NetworkModule(V3))
    name = next(name for name in weights if name.endswith("expand.bias"))
    del weights[name]
    with pytest.raises(ValueError, match=f"weights lack '{name}'"):
        onnx_bytes(V3, weights)


@pytest.mark.parametrize("name", NEW_WORKLOADS)
def test_every_node_of_an_optimised_model_tells_its_segment(name: str, tmp_path: Path) -> None:
    """The runtime's own nodes, changes of layout, have names without a slash."""
    for dtype in ("fp32", "int8"):
        nodes = optimised(onnx_bytes(NEW_WORKLOADS[name], dtype=dtype), tmp_path).node
        segments = {node.name.partition("/")[0] for node in nodes if "/" in node.name}
        assert segments == {segment.name for segment in NEW_WORKLOADS[name].segments if segment.operators}
        assert not [node for node in nodes if "HardS" in node.op_type and "/" not in node.name]


def test_a_timing_model_is_small_and_keeps_its_numbers_normal() -> None:
    workload = parse_architecture("fbnet-a").workload()
    model = onnx_bytes(workload)
    assert len(model) < workload.num_params / 40
    logits = run(model, np.full((1, *workload.input_shape), 200, np.uint8))
    assert logits.shape == (1, 1000)
    assert np.isfinite(logits).all()
    assert (logits > 1e-3).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_runtime_runs_the_same_nodes_over_as_many_kernels_as_of_the_delivered_file(
    tmp_path: Path, dtype: str
) -> None:
    # It keeps equal fills once, and reads them from the caches; this network has many of one shape.
    workload = parse_architecture(SHUFFLED, search_space("fbnet-tiny")).workload()
    delivered = onnx_file(workload, weights_of(trained_network(workload)), Description("", "", 32, ()))
    if dtype == "int8":
        images = np.random.default_rng(0).integers(0, 256, (4, *workload.input_shape), np.uint8)
        delivered = quantised_onnx_file(delivered, [images])
    file = model_file(workload, Conditions(dtype=dtype))
    assert file is not None
    timing, trained = optimised(file.content, tmp_path), optimised(delivered, tmp_path)
    kinds = [node.op_type for node in timing.node]
    assert kinds == [node.op_type for node in trained.node]
    kernels = [
        sorted(tuple(each.dims) for each in graph.initializer if len(each.dims) > 1)
        for graph in (timing, trained)
    ]
    assert kernels[0] == kernels[1]
    assert kinds[:2] == ["Cast", "Sub"]  # of the images
    assert [graph.input[0].type.tensor_type.elem_type for graph in (timing, trained)] == [
        TensorProto.UINT8
    ] * 2


def test_the_runtime_keeps_each_kernel_and_bias_of_an_int8_model(tmp_path: Path) -> None:
    workload = parse_architecture("k3_e6", search_space("fbnet-tiny")).workload()
    graph = optimised(onnx_bytes(workload, dtype="int8"), tmp_path)
    convolutions = [node for node in graph.node if node.op_type == "QLinearConv"]
    operators = [operator for segment in workload.segments for operator in segment.operators]
    assert len(convolutions) == sum(isinstance(operator, Conv2d) for operator in operators)
    for place in (3, 8):  # kernel and bias
        assert len({node.input[place] for node in convolutions}) == len(convolutions)


def test_the_same_workload_gives_the_same_bytes() -> None:
    assert onnx_bytes(WORKLOAD) == onnx_bytes(WORKLOAD)


def test_a_network_without_a_linear_layer_ends_flat() -> None:
    workload = Workload((3, 4, 4), (Segment("only", (Conv2d(3, 2),)),))
    assert run(onnx_bytes(workload), np.ones((1, 3, 4, 4), np.uint8)).shape == (1, 32)


def test_wrong_weights_are_named() -> None:
    weights = weights_of(NetworkModule(WORKLOAD))
    with pytest.raises(ValueError, match=r"'stem\.0\.weight' must have shape \(8, 3, 3, 3\), got \(1,\)"):
        onnx_bytes(WORKLOAD, weights | {"stem.0.weight": np.zeros(1, np.float32)})
    del weights["head.4.bias"]
    with pytest.raises(ValueError, match=r"weights lack 'head\.4\.bias'"):
        onnx_bytes(WORKLOAD, weights)
