"""An exported network takes images as they are, and computes what torch computes of normalised ones."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from search_server.exports.onnx_file import onnx_file, quantised_onnx_file
from tests.exports.networks import NETWORKS, Trained, images, trained_network


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request: pytest.FixtureRequest) -> Trained:
    return trained_network(request.param)


@pytest.fixture(scope="module")
def content(trained: Trained) -> bytes:
    return onnx_file(trained.workload, trained.weights, trained.description)


@pytest.mark.parametrize("batch", [1, 5])
def test_uint8_images_of_any_batch_give_what_torch_gives(
    trained: Trained, content: bytes, batch: int
) -> None:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images(batch)})
    np.testing.assert_allclose(logits, trained.logits(images(batch)), rtol=1e-3, atol=1e-4)


def test_the_file_says_what_it_is(trained: Trained, content: bytes) -> None:
    model = onnx.load_from_string(content)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(said["class_names"])[3] == "class 3"
    assert said["space"] == trained.description.space
    assert said["snapshot"] == "abc"
    assert json.loads(said["target_ms"]) == 0.5
    assert "shorter side" in said["resize"]
    assert "measured_ms" not in said  # unknown things are left out


def test_int8_agrees_with_fp32_and_keeps_the_description(content: bytes) -> None:
    quantised = quantised_onnx_file(content, [images(32, seed=1)])
    assert any(node.op_type == "QuantizeLinear" for node in onnx.load_from_string(quantised).graph.node)
    assert len(quantised) < len(content) or len(content) < 200_000
    logits = [
        onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"]).run(
            None, {"images": images(64)}
        )[0]
        for each in (content, quantised)
    ]
    assert np.corrcoef(logits[0].ravel(), logits[1].ravel())[0, 1] > 0.98
    said = {entry.key for entry in onnx.load_from_string(quantised).metadata_props}
    assert {"class_names", "resize", "architecture"} <= said


def test_int8_without_images_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="needs images"):
        quantised_onnx_file(content, [])
