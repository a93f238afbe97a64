"""The example at the top of the search's file, as it stands but for a smaller space and fewer epochs."""

import textwrap
from pathlib import Path

import pytest

from search_server.nas import search
from shared.search_space import search_space
from tests.search_server.tables import known_table

SMALLER = "fbnet-tiny:width=0.25,resolution=16"


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = known_table("device", SMALLER)
    (tmp_path / "table.json").write_text(table.to_json())
    monkeypatch.chdir(tmp_path)
    assert search.__doc__ is not None
    lines = search.__doc__.splitlines()
    example = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ")))
    for written, quicker in (
        ('"fbnet-tiny"', f'"{SMALLER}"'),
        ("SearchConfig(target", "SearchConfig(epochs=1, warmup_epochs=0, theta_paths=2, target"),
    ):
        assert example.count(written) == 1
        example = example.replace(written, quicker)
    exec(compile(example, "example", "exec"), {})
    *epochs, architecture = capsys.readouterr().out.splitlines()
    assert len(epochs) == 1
    low_us, high_us = table.latency_range_us()
    assert low_us < float(epochs[0].split()[1]) < high_us
    assert len(architecture.split(",")) == search_space(SMALLER).num_layers
