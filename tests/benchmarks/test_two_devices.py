"""The cross table of devices that nobody here has: sums over their bundled tables."""

from pathlib import Path

import pytest

from benchmarks.trials import Images
from benchmarks.two_devices import IMPORTED, bundled_tables, cross_table, search_trial
from shared.architecture import uniform_architecture
from shared.search_space import search_space


def test_the_cross_table_names_each_device_s_latency_of_each_network(tmp_path: Path) -> None:
    tables = bundled_tables(tmp_path)
    space = search_space("fbnet-cifar")
    found = {
        "raspi4": str(uniform_architecture(space, "k3_e1")),
        "pixel3": str(uniform_architecture(space, "k3_e3")),
    }
    latency_ms = cross_table(tables, found)
    assert tuple(latency_ms) == IMPORTED
    assert latency_ms["raspi4"]["raspi4"] == pytest.approx(17.618579145142576)
    assert latency_ms["pixel3"]["raspi4"] == pytest.approx(7.7889731)
    trial = search_trial(tmp_path, "pixel3", tables["pixel3"], 0.5, "fbnet-cifar", Images("digits", 100), 2)
    assert trial.target_us == pytest.approx(500 * latency_ms["pixel3"]["pixel3"], abs=1e-3)
