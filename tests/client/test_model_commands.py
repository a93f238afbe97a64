"""``edgenas model`` against a running server."""

import json
from pathlib import Path

import pytest

from tests.client.conftest import Edgenas
from tests.client.served import Served
from tests.own_models.files import onnx_bytes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.onnx"
    path.write_bytes(onnx_bytes())
    return path


def test_a_model_is_added_listed_shown_and_removed(edgenas: Edgenas, file: Path) -> None:
    added = json.loads(edgenas("model", "add", str(file), "--json").stdout)
    assert (added["name"], added["facts"]["num_nodes"]) == ("small", 4)
    assert "small" in edgenas("model", "list").stdout
    shown = edgenas("model", "show", "small").stdout
    assert "x float32 ?x3x16x16" in shown
    assert added["sha256"] in shown
    assert edgenas("model", "remove", "small").exit_code == 0
    assert json.loads(edgenas("model", "list", "--json").stdout) == []


def test_a_file_of_another_kind_is_refused_before_it_is_sent(edgenas: Edgenas, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"weights")
    done = edgenas("model", "add", str(path))
    assert (done.exit_code, ".onnx or .tflite" in done.stderr) == (2, True)


def test_a_model_is_asked_of_several_devices_at_once_and_each_says_why_it_cannot(
    edgenas: Edgenas, served: Served, file: Path
) -> None:
    edgenas("model", "add", str(file))
    for name in ("a", "b"):
        served.enrol(name)
    done = edgenas("model", "measure", "small", "-d", "a", "-d", "b", "--accept-noise", "--json")
    assert done.exit_code == 1
    outcomes = json.loads(done.stdout)
    assert [(each["model"], each["device"]) for each in outcomes] == [("small", "a"), ("small", "b")]
    assert all("runs no model files of one's own" in each["error"] for each in outcomes)
    assert "failed on 2 of 2: a, b" in done.stderr


def test_a_model_is_measured_on_no_device_only_if_none_was_named(edgenas: Edgenas, file: Path) -> None:
    edgenas("model", "add", str(file))
    done = edgenas("model", "measure", "small")
    assert (done.exit_code, "name a device, or choose several with --tag" in done.stderr) == (2, True)
