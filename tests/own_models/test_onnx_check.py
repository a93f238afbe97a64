"""What is read of an ONNX file, and what is refused; the files are made by ONNX's own package."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from search_server.own_models.onnx_check import onnx_facts
from search_server.resources.models import ModelTensor, OperatorCount
from tests.own_models.files import onnx_bytes, onnx_model, usual_nodes


def test_what_a_file_says_of_itself() -> None:
    facts = onnx_facts(onnx_bytes(producer_name="pytorch", producer_version="2.5"))
    assert (facts.version, facts.producer, facts.dtype) == ("IR 8, opset 17", "pytorch 2.5", "fp32")
    assert facts.inputs == (ModelTensor("x", "float32", (None, 3, 16, 16)),)
    assert facts.outputs == (ModelTensor("y", "float32", (None, 8)),)
    assert (facts.num_nodes, facts.num_params) == (4, 8 * 3 * 3 * 3)
    assert OperatorCount("Conv", 1) in facts.operators


def test_weights_that_are_also_listed_as_inputs_are_no_inputs() -> None:
    model = onnx_model(ir_version=3)
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [8, 3, 3, 3]))
    assert [tensor.name for tensor in onnx_facts(model.SerializeToString()).inputs] == ["x"]


def test_quantised_operators_make_a_model_int8() -> None:
    nodes = usual_nodes()
    nodes[1] = helper.make_node("QuantizeLinear", ["a", "s"], ["q"])
    nodes.insert(2, helper.make_node("DequantizeLinear", ["q", "s"], ["b"]))
    model = onnx_model(nodes)
    model.graph.initializer.append(helper.make_tensor("s", TensorProto.FLOAT, [], [0.1]))
    assert onnx_facts(model.SerializeToString()).dtype == "int8"


def test_data_in_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(onnx_model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ValueError, match="data of tensor 'w' lie in another file"):
        onnx_facts(path.read_bytes())


def test_data_in_another_file_are_found_in_an_inner_graph() -> None:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["k"], ["out"])],
        "inner",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])],
        [helper.make_tensor("k", TensorProto.FLOAT, [1], [1.0])],
    )
    secret = inner.initializer[0]
    secret.ClearField("float_data")
    secret.data_location = TensorProto.EXTERNAL
    entry = secret.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    branch = helper.make_node("If", ["go"], ["z"], then_branch=inner, else_branch=inner)
    model = onnx_model([*usual_nodes(), branch])
    model.graph.initializer.append(helper.make_tensor("go", TensorProto.BOOL, [], [True]))
    with pytest.raises(ValueError, match="'k' lie in another file"):
        onnx_facts(model.SerializeToString())


def test_an_unknown_operator_is_refused() -> None:
    nodes = usual_nodes()
    nodes[1] = helper.make_node("Sigmoidal", ["a"], ["b"], name="odd")
    with pytest.raises(ValueError, match="node 'odd' is a Sigmoidal"):
        onnx_facts(onnx_bytes(nodes=nodes))


def test_an_operator_that_is_younger_than_the_opset_is_refused() -> None:
    nodes = usual_nodes()
    nodes[1] = helper.make_node("Gelu", ["a"], ["b"])  # of opset 20
    with pytest.raises(ValueError, match="does not have at the model's opset"):
        onnx_facts(onnx_bytes(nodes=nodes))
    assert onnx_facts(onnx_bytes(nodes=nodes, opset=20)).num_nodes == 4


def test_a_domain_of_ones_own_is_refused() -> None:
    nodes = usual_nodes()
    nodes[1] = helper.make_node("Sigmoid", ["a"], ["b"], domain="com.example")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    with pytest.raises(ValueError, match=r"operators of 'com\.example'"):
        onnx_facts(onnx_bytes(nodes=nodes, opset_imports=opsets))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opset": 999}, "opset is 999"),
        ({"ir_version": 2}, "IR version is 2"),
        ({"ir_version": 999}, "IR version is 999"),
    ],
)
def test_versions_that_nobody_knows_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        onnx_facts(onnx_bytes(**changes))


@pytest.mark.parametrize("content", [b"", b"not a model", onnx_bytes()[:-40], bytes(1000)])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no ONNX model|IR version is 0"):
        onnx_facts(content)


def test_a_graph_that_names_what_nobody_computes_is_refused() -> None:
    nodes = usual_nodes()
    nodes[2] = helper.make_node("GlobalAveragePool", ["nowhere"], ["c"])
    with pytest.raises(ValueError, match="no ONNX model"):
        onnx_facts(onnx_bytes(nodes=nodes))
