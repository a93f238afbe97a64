"""What the benchmark ``delivered`` takes for a delivered file, and what it says of ratios."""

from pathlib import Path

import onnx
import pytest

from benchmarks.delivered import delivered_conditions, delivered_file, exported_over_timed, figures
from search_server.model_files.model_file import ModelFile
from shared.architecture import uniform_architecture
from shared.protocol.device import Conditions
from shared.runtimes import DTYPES
from shared.search_space import search_space

NETWORK = uniform_architecture(search_space("fbnet-tiny:width=0.25,resolution=16"), "k3_e3")


def test_int8_is_compared_where_a_search_exports_it() -> None:
    pairs = [(each.runtime, each.dtype) for each in delivered_conditions(["onnxruntime", "litert"])]
    assert pairs == [("onnxruntime", "fp32"), ("litert", "fp32"), ("onnxruntime", "int8")]
    assert [each.runtime for each in delivered_conditions(["onnxruntime", "litert"], "int8")] == [
        "onnxruntime"
    ]


@pytest.mark.parametrize(("dtype", "is_quantised"), [("fp32", False), ("int8", True)])
def test_a_delivered_file_takes_images_and_holds_its_weights(
    dtype: str, is_quantised: bool, tmp_path: Path
) -> None:
    file = delivered_file(NETWORK, Conditions("onnxruntime", dtype=dtype), tmp_path)
    assert isinstance(file, ModelFile)
    graph = onnx.load_from_string(file.content).graph
    (images,) = graph.input
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert any(node.op_type == "QuantizeLinear" for node in graph.node) is is_quantised
    assert not any(node.op_type == "ConstantOfShape" for node in graph.node)


@pytest.mark.parametrize(
    ("runtime", "dtype"), [*[("onnxruntime", each) for each in DTYPES], ("torch", "fp32")]
)
def test_both_files_are_timed(runtime: str, dtype: str) -> None:
    assert exported_over_timed(NETWORK, Conditions(runtime, dtype=dtype), 0.01, 1) > 0


def test_bias_and_share_of_networks_within_5_percent() -> None:
    """Errors of -2, +1, +1 and +8 %: 2 % in the mean, three of four within 5 %."""
    figured = figures({"a": 0.98, "b": 1.01, "c": 1.01, "d": 1.08})
    assert figured["bias"] == pytest.approx(0.02)
    assert figured["within_5"] == 0.75
