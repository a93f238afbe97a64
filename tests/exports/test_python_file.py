"""The exported Python file rebuilds the network where nothing but torch is there."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from search_server.exports.python_file import python_file
from tests.exports.networks import NETWORKS, images, trained_network

STRANGER = """
import importlib.util, sys
sys.path.insert(0, ".")
assert importlib.util.find_spec("shared") is None, "edgenas is on the path"
import network, numpy, torch
logits = network.load()(torch.from_numpy(numpy.load("images.npy")))
numpy.save("logits.npy", logits.detach().numpy())
print(ascii(network.names(logits)))
"""

ODD_NAMES = ('"""', "it's", "back\\", "@offset@", "Käfer")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_stranger_with_torch_gets_the_same_logits_and_names(name: str, tmp_path: Path) -> None:
    trained = trained_network(name)
    ordinary = trained.description.class_names
    names = ODD_NAMES + ordinary[len(ODD_NAMES) :]
    text = python_file(trained.workload, replace(trained.description, class_names=names))
    assert len(text.splitlines()) < 130
    (tmp_path / "network.py").write_text(text, encoding="utf-8")
    torch.save(trained.module.state_dict(), tmp_path / "network.pt")
    np.save(tmp_path / "images.npy", images(16))
    # Without site-packages' .pth files the editable install of edgenas is not there; torch is.
    packages = Path(torch.__file__).parents[1]
    answer = subprocess.run(
        [sys.executable, "-S", "-c", STRANGER],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(packages), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    expected = trained.logits(images(16))
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=1e-3, atol=1e-4)
    assert answer.stdout.strip() == ascii([names[index] for index in expected.argmax(1)])
