"""The Python example of the README, as it stands but for a smaller space and fewer epochs."""

import re
from pathlib import Path

import pytest

from shared.search_space import search_space
from tests.search_server.tables import known_table

SMALLER = "fbnet-tiny:width=0.25,resolution=16"


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = known_table("device", SMALLER)
    (tmp_path / "table.json").write_text(table.to_json())
    monkeypatch.chdir(tmp_path)
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    for written, quicker in (
        ('"fbnet-tiny"', f'"{SMALLER}"'),
        ("SearchOptions(target", "SearchOptions(epochs=1, warmup_epochs=0, theta_paths=2, target"),
    ):
        assert example.count(written) == 1
        example = example.replace(written, quicker)
    assert len([line for line in example.splitlines() if line]) <= 10
    exec(compile(example, "example", "exec"), {})
    *epochs, architecture = capsys.readouterr().out.splitlines()
    assert len(epochs) == 1
    low_us, high_us = table.latency_range_us()
    assert low_us < float(epochs[0].split()[1]) < high_us
    assert len(architecture.split(",")) == search_space(SMALLER).num_layers
