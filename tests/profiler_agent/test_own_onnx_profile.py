"""Profiles of ONNX Runtime by hand, and real ones of files that tests write."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from profiler_agent.runtimes.base import UnsupportedWorkloadError
from profiler_agent.runtimes.own_onnx_profile import own_nodes
from shared.protocol.device import Conditions
from shared.protocol.measurement import Artifact, LeaseItem, ModelInput
from tests.own_models.files import onnx_bytes


def event(name: str, start_us: int, duration_us: int, index: int, **more: Any) -> dict[str, Any]:
    arguments = {"node_index": str(index), "op_name": name.partition("_")[0], **more}
    named = f"{name}_kernel_time"
    return {"cat": "Node", "name": named, "ts": start_us, "dur": duration_us, "args": arguments}


def run(start_us: int, duration_us: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "ts": start_us, "dur": duration_us, "args": {}}


def test_nodes_of_runs_that_count() -> None:
    events = [
        event("Conv_0", 0, 9, 0),
        run(0, 10),
        event("Conv_0", 20, 5, 0),
        event("Relu_1", 25, 3, 1),
        run(20, 10),
        event("Conv_0", 40, 7, 0),
        run(40, 10),
    ]
    conv, relu = own_nodes(events, [False, True, True])
    assert (conv.name, conv.op_type, conv.segment, conv.wall_us) == ("Conv_0", "Conv", "", (5.0, 7.0))
    assert relu.wall_us == (3.0, 0.0)


def test_a_node_within_another_one_is_part_of_it() -> None:
    events = [event("Loop_0", 0, 50, 0), event("Add_0", 5, 10, 0), event("Add_0", 20, 10, 0), run(0, 60)]
    (loop,) = own_nodes(events, [True])
    assert (loop.op_type, loop.wall_us) == ("Loop", (50.0,))


def test_nodes_of_one_name_are_numbered_and_shapes_are_told() -> None:
    shapes = {
        "input_type_shape": [{"float": [1, 3, 8, 8]}, {"int64": []}],
        "output_type_shape": [{"float": [1, 8]}],
    }
    events = [event("ReorderInput", 0, 1, 5, **shapes), event("ReorderInput", 1, 1, 9), run(0, 4)]
    first, second = own_nodes(events, [True])
    assert (first.name, second.name) == ("ReorderInput#1", "ReorderInput#2")
    assert (first.shapes, second.shapes) == ("1x3x8x8 scalar -> 1x8", " -> ")


@pytest.fixture
def load() -> Any:
    pytest.importorskip("onnxruntime")
    from profiler_agent.runtimes.own_onnx import OwnOnnxModel

    def loaded(folder: Path, content: bytes, *inputs: ModelInput) -> OwnOnnxModel:
        path = folder / "model"
        path.write_bytes(content)
        artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content))
        item = LeaseItem("model", None, artifact, profile_segments=True, inputs=inputs)
        return OwnOnnxModel(item, Conditions(), path, "cpu")

    return loaded


def test_each_profiled_run_gives_each_node_one_time(load: Any, tmp_path: Path) -> None:
    model = load(tmp_path, onnx_bytes(), ModelInput("x", (2, 3, 16, 16)))
    model.run()
    for _ in range(3):
        model.run_profiled()
    nodes = model.node_samples()
    assert {len(node.wall_us) for node in nodes} == {3}
    assert {"Conv", "Flatten"} <= {node.op_type for node in nodes}
    assert next(node.shapes for node in nodes if node.name == "last") == "2x8x1x1 -> 2x8"


def test_a_loop_is_one_node(load: Any, tmp_path: Path) -> None:
    scalar = helper.make_tensor_value_info("v", TensorProto.FLOAT, [256])
    body = helper.make_graph(
        [helper.make_node("Exp", ["v"], ["w"]), helper.make_node("Identity", ["go"], ["go_on"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            scalar,
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [256]),
        ],
    )
    times = onnx.numpy_helper.from_array(np.array(7), "times")
    graph = helper.make_graph(
        [helper.make_node("Loop", ["times", "", "x"], ["y"], body=body)],
        "loop",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [256])],
        [times],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = load(tmp_path, content.SerializeToString(), ModelInput("x", (256,)))
    for _ in range(2):
        model.run_profiled()
    assert [(node.op_type, len(node.wall_us)) for node in model.node_samples()] == [("Loop", 2)]


def test_the_runtimes_own_words_tell_what_is_wrong(load: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedWorkloadError, match="onnxruntime cannot run the file"):
        load(tmp_path, b"no model", ModelInput("x", (1, 3, 16, 16)))
    with pytest.raises(UnsupportedWorkloadError, match="cannot run the file"):
        load(tmp_path, onnx_bytes(), ModelInput("x", (1, 4, 16, 16)))
    with pytest.raises(UnsupportedWorkloadError, match="the lease gives shapes for"):
        load(tmp_path, onnx_bytes(), ModelInput("z", (1, 3, 16, 16)))
