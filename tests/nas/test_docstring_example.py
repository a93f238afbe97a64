"""The example at the top of the search's file, run as it stands but for the number of epochs."""

import textwrap
from pathlib import Path

import pytest

from search_server.latency.estimate.fit import fit_table
from search_server.nas import search
from tests.latency.measured_leases import CONDITIONS, COVERS, SPACE, results_of_lease


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_of_lease("a", rounds=4) + results_of_lease("b", rounds=4)
    table = fit_table(SPACE.name, "device", CONDITIONS, COVERS, "anchor", results, "2026-01-01T00:00:00Z")
    (tmp_path / "table.json").write_text(table.to_json())
    monkeypatch.chdir(tmp_path)
    assert search.__doc__ is not None
    lines = search.__doc__.splitlines()
    example = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ")))
    shortened = example.replace("SearchConfig(", "SearchConfig(epochs=1, warmup_epochs=0, theta_paths=2, ")
    assert shortened != example
    exec(compile(shortened, "example", "exec"), {})
    *epochs, architecture = capsys.readouterr().out.splitlines()
    assert len(epochs) == 1
    low_us, high_us = table.latency_range_us()
    assert low_us < float(epochs[0].split()[1]) < high_us
    assert len(architecture.split(",")) == SPACE.num_layers
