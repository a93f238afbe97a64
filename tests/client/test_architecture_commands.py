"""``edgenas architecture`` needs no server; its counts are those that the paper published."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner

from search_server.client.cli import app

cli = CliRunner()


@pytest.mark.parametrize(
    ("name", "macs_millions", "params_millions"),
    [("fbnet-a", 249.92, 4.32), ("fbnet-b", 296.61, 4.81), ("fbnet-c", 384.96, 5.57)],
)
def test_counts_of_the_published_networks(name: str, macs_millions: float, params_millions: float) -> None:
    answer = cli.invoke(app, ["architecture", "count", name, "--json"])
    counts = json.loads(answer.stdout)
    assert answer.exit_code == 0
    assert counts["macs"] / 1e6 == pytest.approx(macs_millions, abs=0.01)
    assert counts["params"] / 1e6 == pytest.approx(params_millions, abs=0.01)
    assert counts["num_layers"] == 22


def test_inner_channels_that_a_stage_offers_are_counted(tmp_path: Path) -> None:
    """Stem 64 * 27 * 8; 64 pixels of 24 channels inside; head 64 * 8 * 8 and a linear layer."""
    space = tmp_path / "space.toml"
    space.write_text(
        'name = "mine"\nresolution = 8\nclasses = 2\nhead = 8\ncandidates = ["k3_c1", "k3_c2"]\n'
        "stem = {channels = 8, stride = 1}\n"
        "[[stages]]\nchannels = 8\nlayers = 1\nstride = 1\ninner = [12, 24]\n"
    )
    answer = cli.invoke(app, ["architecture", "count", "k3_c2", "-s", str(space), "--json"])
    assert answer.exit_code == 0, answer.stderr
    assert json.loads(answer.stdout)["macs"] == 64 * 27 * 8 + 64 * 24 * (8 + 9 + 8) + 64 * 8 * 8 + 8 * 2


def test_show_lists_every_segment_and_adds_up() -> None:
    answer = cli.invoke(app, ["architecture", "show", "k3_e3", "-s", "fbnet-tiny", "--json"])
    shown = json.loads(answer.stdout)
    assert [segment["name"] for segment in shown["segments"]][:2] == ["stem", "layer01"]
    assert sum(segment["macs"] for segment in shown["segments"]) == shown["macs"]
    people = cli.invoke(app, ["architecture", "show", "k3_e3", "-s", "fbnet-tiny"]).stdout
    assert "head" in people


def test_onnx_writes_a_model(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    answer = cli.invoke(app, ["architecture", "onnx", "k5_e1", "-s", "fbnet-tiny", "-o", str(path)])
    assert answer.exit_code == 0
    assert onnx.load(path).graph.input[0].name == "images"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["count", "nope"], "fbnet-iphonex"),
        (["count", "k3_e1", "-s", "nope"], "fbnet-tiny"),
        (["count", "k3_e1,skip", "-s", "fbnet-tiny"], "blocks, got 2"),
        (["count"], "Missing argument"),
    ],
)
def test_wrong_usage_says_what_exists_and_exits_with_2(arguments: list[str], hint: str) -> None:
    answer = cli.invoke(app, ["architecture", *arguments])
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert hint in answer.stderr


def test_the_client_imports_no_server_and_no_torch() -> None:
    code = (
        "import search_server.client.cli, sys;"
        "print(sorted({'torch', 'sqlalchemy', 'fastapi', 'onnx', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
