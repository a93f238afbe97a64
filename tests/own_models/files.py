"""Model files as other programs write them: by ONNX's own package."""

import hashlib
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from search_server.resources.models import ModelCreate, ModelFormat


def onnx_model(
    nodes: list[onnx.NodeProto] | None = None, opset: int = 17, batch: int | str = "N", **changes: Any
) -> onnx.ModelProto:
    """Return a small network of four nodes, or of the given ones, from ``x`` to ``y``."""
    weights = numpy_helper.from_array(np.full((8, 3, 3, 3), 0.01, np.float32), "w")
    graph = helper.make_graph(
        nodes or usual_nodes(),
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 8])],
        [weights],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, **{"opset_imports": opsets, "ir_version": 8, **changes})


def usual_nodes() -> list[onnx.NodeProto]:
    """Return a convolution, its activation, a mean, and a change of shape that has a name."""
    return [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], name="first"),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["y"], name="last"),
    ]


def onnx_bytes(**options: Any) -> bytes:
    """Return the bytes of :func:`onnx_model`."""
    return bytes(onnx_model(**options).SerializeToString())


def create_for(content: bytes, name: str, model_format: ModelFormat = "onnx") -> ModelCreate:
    """Return what a caller says of a file."""
    return ModelCreate(name, model_format, hashlib.sha256(content).hexdigest(), len(content))
