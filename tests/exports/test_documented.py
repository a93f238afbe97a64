"""docs/exports.md: the snippets run as they stand there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from search_server.exports.description import Description
from search_server.exports.ncnn_file import ncnn_file
from search_server.exports.onnx_file import onnx_file
from search_server.exports.python_file import python_file
from search_server.exports.tflite_file import tflite_file
from search_server.nas.network_weights import numpy_weights
from shared.architecture import parse_architecture
from shared.modules import NetworkModule
from shared.search_space import search_space
from tests.markdown_code import code_blocks

SPACE = search_space("fbnet-tiny:width=0.25,resolution=16,classes=2")
BLOCKS = ",".join(["k3_e1"] * SPACE.num_layers)


def snippet(holds: str) -> str:
    """Return the only block of the page that holds this text."""
    (block,) = (block for block in code_blocks("exports.md", "python") if holds in block)
    return block


def network_that_tells_red_from_blue() -> NetworkModule:
    """The head weighs the mean of the channels; a search is not needed to know the answer."""
    torch.manual_seed(0)
    network = NetworkModule(parse_architecture(BLOCKS, SPACE).workload())
    pictures = torch.zeros(64, 3, 16, 16)
    labels = torch.arange(64) % 2
    pictures[labels == 0, 0] = 1.0
    pictures[labels == 1, 2] = 1.0
    images = (pictures - 0.45) / 0.25
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.reset_running_stats()
            part.momentum = None  # a plain mean: the statistics are those of the trained weights
    network(images)
    return network.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of a network, named as the page names them."""
    folder = tmp_path_factory.mktemp("exported")
    network = network_that_tells_red_from_blue()
    description = Description(SPACE.name, BLOCKS, 16, ("red", "blue"))
    workload, weights = parse_architecture(BLOCKS, SPACE).workload(), numpy_weights(network)
    (folder / "network.onnx").write_bytes(onnx_file(workload, weights, description))
    (folder / "network.tflite").write_bytes(tflite_file(workload, weights, description))
    (folder / "network.zip").write_bytes(ncnn_file(workload, weights, description))
    (folder / "network.py").write_text(python_file(workload, description))
    torch.save(network.state_dict(), folder / "network.pt")
    return folder


@pytest.mark.parametrize(
    ("package", "holds"),
    [
        ("onnxruntime", "import json, numpy, onnxruntime"),
        ("ai_edge_litert", "from ai_edge_litert"),
        ("ncnn", "import json, ncnn"),
        ("torch", "import network"),
    ],
)
def test_the_snippets_classify_a_photo(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    package: str,
    holds: str,
) -> None:
    pytest.importorskip(package)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for colour, name in (((255, 0, 0), "red"), ((0, 0, 255), "blue")):
        Image.new("RGB", (100, 60), colour).save("photo.jpg")
        exec(snippet(holds), {})
        assert capsys.readouterr().out.strip() == name


def test_the_weights_fit_the_network_of_edgenas(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {"BLOCKS": BLOCKS, "SPACE": SPACE.name}
    exec(snippet("NetworkModule"), names)
    loaded = names["network"]
    assert isinstance(loaded, NetworkModule)
    red = np.zeros((1, 3, 16, 16), np.uint8)
    red[:, 0] = 255
    with torch.no_grad():
        assert loaded((torch.from_numpy(red).float() / 255 - 0.45) / 0.25).argmax() == 0
