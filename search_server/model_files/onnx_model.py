"""Workload -> ONNX model, with every batch norm folded into the convolution before it.

A network of images takes them as bytes and subtracts the mean, whether it is timed or delivered: the two
differ in their weights only. Nodes are named ``<segment>/<operator index>/<kind>``; the runtime keeps those
names through its own fusions, which is how the time of a node finds its way back to a segment. Weights are
named as in ``shared/modules.py``.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from search_server.model_files.folding import Array, FoldedWeights
from search_server.model_files.onnx_graph import Graph
from search_server.model_files.onnx_quantised import QuantisedGraph
from shared.operators import Linear, ReLU
from shared.workload import Workload

OPSET = 17
IR_VERSION = 8
"""Both old enough for the ONNX Runtime of a phone's package manager."""


def onnx_bytes(
    workload: Workload,
    weights: Mapping[str, Array] | None = None,
    batch: int | None = 1,
    dtype: str = "fp32",
) -> bytes:
    """Return the serialised ONNX model of a workload: input ``images`` NCHW, output ``logits``.

    The input of a network that ``takes_images`` is uint8, of another one float32. Logits are float32.

    Without weights the model is for timing only: each kernel is one constant, about the inverse of the
    fan-in, written as a fill operator that the runtime unfolds when it loads the model. The file then
    takes kilobytes where it would take megabytes, and activations keep their size through the layers,
    so that no number becomes denormal. The constants differ, so that the runtime merges no two kernels.

    Args:
        workload: the network.
        weights: one array per parameter, named ``<segment>.<operator index>.<parameter>`` as in
            ``shared/modules.py``, batch norms with running statistics. The first convolution takes
            ``image - OFFSET``.
        batch: images per run; None leaves it open.
        dtype: fp32 or int8; int8 models are for timing only.

    Raises:
        ValueError: an array is missing or has another shape than its operator, or weights came with int8.
    """
    if weights is not None and dtype != "fp32":
        raise ValueError(f"a model with weights must be fp32, not {dtype}; quantise it with a converter")
    folded = None if weights is None else FoldedWeights(weights)
    graph = QuantisedGraph(folded) if dtype == "int8" else Graph(folded)
    first = workload.first_segment.name
    tensor = graph.add_images(first) if workload.takes_images else "images"
    tensor = graph.between(f"{first}/images", tensor, None if workload.takes_images else ReLU())
    for segment, shape in zip(workload.segments, workload.shapes(), strict=False):
        # In a Reshape, 0 means: as it comes.
        tensor = graph.add_segment(segment, shape, tensor, batch or 0)
    graph.finish(tensor, workload.segments[-1].name, is_flat=_ends_with_linear(workload))
    channels, height, width = workload.input_shape
    input_type = TensorProto.UINT8 if workload.takes_images else TensorProto.FLOAT
    output = int(np.prod(workload.output_shape))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "workload",
            [helper.make_tensor_value_info("images", input_type, [batch or "N", channels, height, width])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch or "N", output])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="edgenas",
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _ends_with_linear(workload: Workload) -> bool:
    last = workload.segments[-1]
    return bool(last.operators) and isinstance(last.operators[-1], Linear) and not last.residual
