"""Files for LiteRT and ncnn answer as torch does and say what they are; running them gives an accuracy."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from profiler_agent.runtimes import load_runtime
from search_server.exports.file_accuracy import file_accuracy
from search_server.exports.ncnn_file import ncnn_file
from search_server.exports.onnx_file import onnx_file
from search_server.exports.tflite_file import tflite_file
from search_server.model_files.ncnn_model import ncnn_param
from shared.protocol.device import Conditions
from shared.protocol.measurement import Artifact, LeaseItem
from shared.runtimes import ArtifactFormat
from tests.exports.networks import NETWORKS, Trained, images, trained_network

WRITERS = {"onnx": onnx_file, "tflite": tflite_file, "ncnn": ncnn_file}


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request: pytest.FixtureRequest) -> Trained:
    return trained_network(request.param)


def test_litert_computes_what_torch_computes_of_images_0_to_255(trained: Trained) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    content = tflite_file(trained.workload, trained.weights, trained.description)
    run = interpreter.Interpreter(model_content=content).get_signature_runner("network")
    for image in images(4):
        logits = run(input=image.transpose(1, 2, 0)[None].astype(np.float32))["output"]
        np.testing.assert_allclose(logits.ravel(), trained.logits(image[None])[0], rtol=1e-3, atol=1e-4)


def test_ncnn_computes_what_torch_computes_of_images_0_to_255(trained: Trained, tmp_path: Path) -> None:
    ncnn = pytest.importorskip("ncnn")
    content = ncnn_file(trained.workload, trained.weights, trained.description)
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    assert (tmp_path / "network.param").read_text() == ncnn_param(trained.workload)  # what devices measure
    net = ncnn.Net()
    net.load_param(str(tmp_path / "network.param"))
    net.load_model(str(tmp_path / "network.bin"))
    for image in images(4):
        pixels = ncnn.Mat.from_pixels(
            np.ascontiguousarray(image.transpose(1, 2, 0)), ncnn.Mat.PixelType.PIXEL_RGB, 16, 16
        )
        extractor = net.create_extractor()
        extractor.input("images", pixels)
        logits = np.array(extractor.extract("logits")[1])
        np.testing.assert_allclose(logits, trained.logits(image[None])[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("file_format", ["tflite", "ncnn"])
def test_any_zip_program_reads_what_the_file_is(trained: Trained, file_format: str) -> None:
    write = WRITERS[file_format]
    content = write(trained.workload, trained.weights, trained.description)
    said = json.loads(zipfile.ZipFile(io.BytesIO(content)).read("description.json"))
    assert said["class_names"][3] == "class 3"
    assert (said["snapshot"], said["target_ms"]) == ("abc", 0.5)
    assert said["architecture"] == trained.description.architecture
    assert "0..255" in said["input"]
    assert "shorter side" in said["resize"]
    assert "measured_ms" not in said  # unknown things are left out
    assert content == write(trained.workload, trained.weights, trained.description)  # no date in it


@pytest.mark.parametrize(
    ("file_format", "package"), [("onnx", "onnxruntime"), ("tflite", "ai_edge_litert"), ("ncnn", "ncnn")]
)
def test_accuracy_is_the_share_of_right_answers(
    trained: Trained, file_format: ArtifactFormat, package: str
) -> None:
    pytest.importorskip(package)
    content = WRITERS[file_format](trained.workload, trained.weights, trained.description)
    labels = trained.logits(images(8)).argmax(1)
    labels[:2] = (labels[:2] + 1) % trained.workload.output_shape[0]  # two of eight are wrong
    batches = [(images(8)[:5], labels[:5]), (images(8)[5:], labels[5:])]
    assert file_accuracy(file_format, content, batches) == 0.75


def test_an_agent_runs_the_exported_litert_file(trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    content = tflite_file(trained.workload, trained.weights, trained.description)
    path = tmp_path / "network.tflite"
    path.write_bytes(content)
    item = LeaseItem("file", trained.workload, Artifact("0" * 64, len(content), "tflite"))
    load_runtime("litert").load(item, Conditions("litert"), path).run()  # XNNPACK takes all of it
