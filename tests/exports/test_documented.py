"""docs/exports.md: the snippets run as they stand there."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from search_server.exports.description import Description
from search_server.exports.onnx_file import onnx_file
from search_server.nas.network_weights import numpy_weights
from shared.architecture import parse_architecture
from shared.modules import NetworkModule
from shared.search_space import search_space

PAGE = Path(__file__).parents[2] / "docs" / "exports.md"
SPACE = search_space("fbnet-tiny:width=0.25,resolution=16,classes=2")
BLOCKS = ",".join(["k3_e1"] * SPACE.num_layers)


def snippets() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


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


def test_the_snippets_classify_a_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    network = network_that_tells_red_from_blue()
    description = Description(SPACE.name, BLOCKS, 16, ("red", "blue"))
    content = onnx_file(parse_architecture(BLOCKS, SPACE).workload(), numpy_weights(network), description)
    Path("network.onnx").write_bytes(content)
    torch.save(network.state_dict(), "network.pt")
    with_onnx, with_torch = snippets()
    for colour, name in (((255, 0, 0), "red"), ((0, 0, 255), "blue")):
        Image.new("RGB", (100, 60), colour).save("photo.jpg")
        exec(with_onnx, {})
        assert capsys.readouterr().out.strip() == name
    names: dict[str, object] = {"BLOCKS": BLOCKS, "SPACE": SPACE.name}
    exec(with_torch, names)
    loaded = names["network"]
    assert isinstance(loaded, NetworkModule)
    red = np.zeros((1, 3, 16, 16), np.uint8)
    red[:, 0] = 255
    with torch.no_grad():
        assert loaded((torch.from_numpy(red).float() / 255 - 0.45) / 0.25).argmax() == 0
