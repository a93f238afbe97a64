"""An exported network takes images as they are, and computes what torch computes of normalised ones."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from search_server.exports.description import Description
from search_server.exports.file_accuracy import onnx_accuracy
from search_server.exports.onnx_file import onnx_file, quantised_onnx_file
from search_server.nas.network_weights import numpy_weights
from shared.architecture import parse_architecture
from shared.modules import NetworkModule
from shared.search_space import search_space

SPACE = search_space("fbnet-tiny:width=0.25,resolution=16")


def trained_network() -> tuple[NetworkModule, bytes]:
    blocks = [("k3_e3", "k5_e1_g2", "k3_e1")[layer % 3] for layer in range(SPACE.num_layers)]
    workload = parse_architecture(",".join(blocks), SPACE).workload()
    torch.manual_seed(0)
    network = NetworkModule(workload)
    for _ in range(3):  # batch norms with statistics of their own
        network.train()(torch.randn(16, 3, 16, 16))
    network.eval()
    names = tuple(f"class {index}" for index in range(SPACE.num_classes))
    description = Description(SPACE.name, ",".join(blocks), 16, names, snapshot="abc", target_ms=0.5)
    return network, onnx_file(workload, numpy_weights(network), description)


@pytest.fixture(scope="module")
def network() -> tuple[NetworkModule, bytes]:
    return trained_network()


def images(number: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (number, 3, 16, 16), dtype=np.uint8)


@pytest.mark.parametrize("batch", [1, 5])
def test_uint8_images_of_any_batch_give_what_torch_gives(
    network: tuple[NetworkModule, bytes], batch: int
) -> None:
    module, content = network
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images(batch)})
    with torch.no_grad():
        expected = module((torch.from_numpy(images(batch)).float() / 255 - 0.45) / 0.25).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)


def test_the_file_says_what_it_is(network: tuple[NetworkModule, bytes]) -> None:
    model = onnx.load_from_string(network[1])
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(said["class_names"])[3] == "class 3"
    assert said["space"] == SPACE.name
    assert said["snapshot"] == "abc"
    assert json.loads(said["target_ms"]) == 0.5
    assert "shorter side" in said["resize"]
    assert "measured_ms" not in said  # unknown things are left out


def test_int8_agrees_with_fp32_and_keeps_the_description(network: tuple[NetworkModule, bytes]) -> None:
    _, content = network
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


def test_accuracy_is_the_share_of_right_answers(network: tuple[NetworkModule, bytes]) -> None:
    _, content = network
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    right = session.run(None, {"images": images(8)})[0].argmax(1)
    labels = right.copy()
    labels[:2] = (labels[:2] + 1) % SPACE.num_classes  # two of eight are wrong
    assert onnx_accuracy(content, [(images(8)[:5], labels[:5]), (images(8)[5:], labels[5:])]) == 0.75


def test_int8_without_images_is_refused(network: tuple[NetworkModule, bytes]) -> None:
    with pytest.raises(ValueError, match="needs images"):
        quantised_onnx_file(network[1], [])
